//! Every row of the table of checks: code, details, and how the socket is closed.

use dmgate::device::{PAIRING, Role};
use serde_json::{Value, json};

use crate::house::{Device, House, Plan, Refused, TOKEN, node, operator};

/// The first frame as it stands, and what comes of it.
async fn raw(house: &House, frame: &Value) -> Refused {
    let mut client = house.dial().await;
    client.send(&frame.to_string()).await;
    client.answer().await.unwrap_err()
}

async fn refused(house: &House, wish: &Value) -> Refused {
    house.connect(&Device::new(1), wish).await.err().unwrap()
}

fn assert_said(refused: &Refused, code: &str, detail: &str, close: u16) {
    assert_eq!((refused.code(), refused.detail(), refused.close.0), (code, detail, close), "{refused:?}");
    let message = refused.error["message"].as_str().unwrap();
    assert!(message.starts_with(&refused.close.1) && !refused.close.1.is_empty(), "{refused:?}");
}

#[tokio::test]
async fn the_shape_of_frames() {
    let house = House::open().await;
    let asks = |method: &str| json!({ "type": "req", "id": "1", "method": method, "params": {} });
    assert_said(&raw(&house, &asks("health")).await, "INVALID_REQUEST", "", 1008);
    assert_said(&raw(&house, &asks("connect")).await, "INVALID_REQUEST", "", 1008);
    for wish in [
        json!({ "more": 1 }),
        json!({ "client": { "id": "my-client" } }),
        json!({ "client": { "mode": "x" } }),
    ] {
        assert_said(&refused(&house, &wish).await, "INVALID_REQUEST", "", 1008);
    }
    // What is no request has no id to answer to.
    for garbage in ["{}", "hello", r#"{"type":"event","event":"x"}"#] {
        let mut client = house.dial().await;
        client.send(garbage).await;
        assert_eq!(client.closed().await, (1008, "invalid request frame".to_owned()), "{garbage}");
    }
}

#[tokio::test]
async fn protocol_and_role() {
    let house = House::open().await;
    for (min, max) in [(2, 2), (4, 5), (3, 1)] {
        let refused = refused(&house, &json!({ "minProtocol": min, "maxProtocol": max, "role": "x" })).await;
        assert_said(&refused, "INVALID_REQUEST", "", 1002);
        assert_eq!(refused.error["details"], json!({ "expectedProtocol": 3 }));
    }
    let wish = json!({ "minProtocol": 1, "maxProtocol": 9, "role": "admin" });
    let refused = refused(&house, &wish).await;
    assert_said(&refused, "INVALID_REQUEST", "", 1008);
    assert_eq!(refused.close.1, "invalid role");
}

#[tokio::test]
async fn a_page_is_one_of_ours() {
    let public_url = Some("https://gate.example.org".parse().unwrap());
    let house = House::built(Plan { public_url, ..Plan::default() }).await;
    let port = house.addr.port();
    let (local, other_port) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", port - 1));
    for (host, origin, is_ours) in [
        (format!("127.0.0.1:{port}"), &*local, true),
        ("gate.example.org".to_owned(), "https://gate.example.org", true),
        (format!("127.0.0.1:{port}"), "http://evil.example", false),
        (format!("127.0.0.1:{port}"), "null", false),
        (format!("127.0.0.1:{port}"), &*other_port, false),
        // Names that a stranger's DNS points at us.
        ("evil.example".to_owned(), "http://evil.example", false),
        (format!("localhost:{port}"), &*local, false),
    ] {
        let mut client = house.dial_with(&[("host", &host), ("origin", origin)]).await.unwrap();
        let refused = client.connect(&Device::new(1), &node()).await.unwrap_err();
        if is_ours {
            assert_said(&refused, "NOT_PAIRED", "PAIRING_REQUIRED", 1008);
        } else {
            assert_said(&refused, "INVALID_REQUEST", "CONTROL_UI_ORIGIN_NOT_ALLOWED", 1008);
        }
    }
    let page = json!({ "role": "operator", "client": { "id": "openclaw-control-ui", "mode": "ui" } });
    assert_said(&refused(&house, &page).await, "INVALID_REQUEST", "CONTROL_UI_ORIGIN_NOT_ALLOWED", 1008);
}

#[tokio::test]
async fn i17_without_a_device_one_may_do_nothing() {
    let house = House::open().await;
    let without = |mut wish: Value| {
        wish["device"] = Value::Null;
        wish
    };
    for wish in [json!({}), json!({ "auth": null }), json!({ "role": "operator", "auth": null })] {
        assert_said(&refused(&house, &without(wish)).await, "NOT_PAIRED", "DEVICE_IDENTITY_REQUIRED", 1008);
    }
    let mut wrong = without(operator(&[PAIRING]));
    wrong["auth"] = json!({ "token": "x" });
    assert_said(&refused(&house, &wrong).await, "INVALID_REQUEST", "AUTH_TOKEN_MISMATCH", 1008);
    let wish = without(operator(&["operator.admin"]));
    let (mut client, hello) = house.connect(&Device::new(1), &wish).await.unwrap();
    assert_eq!((&hello["type"], hello.get("auth")), (&json!("hello-ok"), None));
    assert_eq!(client.ask("health", json!({})).await.unwrap()["ok"], true);
    let said = client.ask("device.pair.list", json!({})).await.unwrap_err();
    assert_eq!(said, "missing scope: operator.pairing", "the gateway's secret has no scopes");
}

#[tokio::test]
async fn i17_who_it_is_is_proven() {
    let house = House::open().await;
    let now = dmgate::Clock::now(&dmgate::SystemClock).as_millis();
    let other = Device::new(2).params("x", &node())["device"]["signature"].clone();
    for (over, detail, reason) in [
        (json!({ "id": "f".repeat(64) }), "DEVICE_ID_MISMATCH", "device-id-mismatch"),
        (json!({ "publicKey": "AAAA" }), "DEVICE_ID_MISMATCH", "device-id-mismatch"),
        (json!({ "signedAt": now - 121_000 }), "SIGNATURE_EXPIRED", "device-signature-stale"),
        (json!({ "signedAt": now + 130_000 }), "SIGNATURE_EXPIRED", "device-signature-stale"),
        (json!({ "nonce": " " }), "NONCE_REQUIRED", "device-nonce-missing"),
        (json!({ "nonce": "bogus" }), "NONCE_MISMATCH", "device-nonce-mismatch"),
        (json!({ "signature": other }), "SIGNATURE_INVALID", "device-signature"),
        (json!({ "signature": "AAAA" }), "SIGNATURE_INVALID", "device-signature"),
    ] {
        // Before what it shows is looked at.
        let wish = json!({ "device": over, "auth": { "token": "wrong" } });
        let refused = refused(&house, &wish).await;
        assert_said(&refused, "INVALID_REQUEST", &format!("DEVICE_AUTH_{detail}"), 1008);
        assert_eq!(refused.error["details"]["reason"], reason);
    }
}

#[tokio::test]
async fn what_is_shown_is_good() {
    let of_token = House::open().await;
    let of_password = House::built(Plan { token: None, password: Some("pass"), ..Plan::default() }).await;
    let auth = |auth: Value| {
        let mut all = json!({ "token": null, "password": null, "bootstrapToken": null, "deviceToken": null });
        all.as_object_mut().unwrap().extend(auth.as_object().unwrap().clone());
        json!({ "auth": all })
    };
    for (house, shown, detail, reason, next) in [
        (&of_token, json!({}), "TOKEN_MISSING", "token_missing", "update_auth_configuration"),
        (
            &of_token,
            json!({ "password": "x" }),
            "TOKEN_MISSING",
            "token_missing",
            "update_auth_configuration",
        ),
        (&of_token, json!({ "token": "x" }), "TOKEN_MISMATCH", "token_mismatch", "retry_with_device_token"),
        (
            &of_token,
            json!({ "token": "x", "deviceToken": "y" }),
            "DEVICE_TOKEN_MISMATCH",
            "device_token_mismatch",
            "update_auth_credentials",
        ),
        (
            &of_token,
            json!({ "deviceToken": TOKEN }),
            "DEVICE_TOKEN_MISMATCH",
            "device_token_mismatch",
            "update_auth_credentials",
        ),
        (
            &of_token,
            json!({ "bootstrapToken": "x" }),
            "BOOTSTRAP_TOKEN_INVALID",
            "bootstrap_token_invalid",
            "review_auth_configuration",
        ),
        (
            &of_token,
            json!({ "bootstrapToken": TOKEN }),
            "BOOTSTRAP_TOKEN_INVALID",
            "bootstrap_token_invalid",
            "review_auth_configuration",
        ),
        (&of_password, json!({}), "PASSWORD_MISSING", "password_missing", "update_auth_configuration"),
        (
            &of_password,
            json!({ "password": "x" }),
            "PASSWORD_MISMATCH",
            "password_mismatch",
            "update_auth_credentials",
        ),
        (
            &of_password,
            json!({ "token": "pass" }),
            "PASSWORD_MISSING",
            "password_missing",
            "update_auth_configuration",
        ),
    ] {
        let refused = refused(house, &auth(shown)).await;
        assert_said(&refused, "INVALID_REQUEST", &format!("AUTH_{detail}"), 1008);
        let details = &refused.error["details"];
        let said =
            (details["authReason"].as_str().unwrap(), details["recommendedNextStep"].as_str().unwrap());
        assert_eq!(
            (said, &details["canRetryWithDeviceToken"]),
            ((reason, next), &json!(next.starts_with("retry")))
        );
        assert!(house.devices.view().devices.pending.is_empty(), "and nobody is asked");
    }
    let good = refused(&of_password, &auth(json!({ "password": "pass" }))).await;
    assert_said(&good, "NOT_PAIRED", "PAIRING_REQUIRED", 1008);
}

#[tokio::test]
async fn the_owner_is_asked() {
    let house = House::open().await;
    let device = Device::new(1);
    let reason = |refused: &Refused| refused.error["details"]["reason"].as_str().unwrap().to_owned();
    let first = refused(&house, &node()).await;
    assert_said(&first, "NOT_PAIRED", "PAIRING_REQUIRED", 1008);
    assert_eq!((reason(&first), first.close.1.as_str()), ("not-paired".into(), "pairing required"));
    assert_eq!(refused(&house, &node()).await.request_id(), first.request_id(), "the same request");
    house.approve(first.request_id()).await;
    let (_, hello) = house.connect(&device, &node()).await.unwrap();
    assert_eq!((&hello["protocol"], &hello["auth"]["role"]), (&json!(3), &json!("node")));
    for (wish, wanted) in [
        (operator(&[]), "role-upgrade"),
        (json!({ "scopes": ["operator.read"] }), "scope-upgrade"),
        (json!({ "client": { "platform": "windows" } }), "metadata-upgrade"),
    ] {
        let refused = refused(&house, &wish).await;
        assert_said(&refused, "NOT_PAIRED", "PAIRING_REQUIRED", 1008);
        assert_eq!(reason(&refused), wanted);
        assert_ne!(refused.request_id(), first.request_id());
    }
    // Sent away, it comes back by the owner's word only, whatever it still holds.
    let token = hello["auth"]["deviceToken"].as_str().unwrap();
    house
        .devices
        .revoke(device.id(), Role::Node, dmgate::device::Approver::Owner, crate::house::owner())
        .await
        .unwrap();
    let own = json!({ "auth": { "token": null, "deviceToken": token } });
    assert_said(&refused(&house, &own).await, "INVALID_REQUEST", "AUTH_DEVICE_TOKEN_MISMATCH", 1008);
    assert_eq!(reason(&refused(&house, &node()).await), "role-upgrade");
}
