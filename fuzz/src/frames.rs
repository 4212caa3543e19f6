//! A frame that a device sends, whatever its text: what is taken for a request, and for a request to be let in, has what
//! the protocol says and nothing else.

use dmgate_gateway::{Connect, Request};
use serde_json::Value;

/// The longest frame.
const LONGEST: usize = 65_536;

/// `data` is the text of a frame, or the parameters of `connect`.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(request) = Request::parse(&text) {
        assert!(text.len() <= LONGEST);
        let plain: Value = serde_json::from_str(&text).expect("a request is JSON");
        only(&plain, &["type", "id", "method", "params"]);
        assert_eq!(plain["type"], "req");
        for (name, word) in [("id", &request.id), ("method", &request.method)] {
            assert_eq!(plain[name], word.as_str());
            assert!((1..=256).contains(&word.len()), "{name}");
        }
        assert_eq!(plain["params"], request.params);
        connect(&request.params);
    }
    if let Ok(params) = serde_json::from_slice::<Value>(data) {
        connect(&params);
    }
}

fn connect(params: &Value) {
    if let Err(error) = Connect::parse(params.clone()) {
        // What is refused is not repeated: a secret may be in it.
        assert!(error.to_string().len() < 128, "{error}");
        return;
    }
    only(
        params,
        &[
            "minProtocol",
            "maxProtocol",
            "client",
            "caps",
            "commands",
            "permissions",
            "pathEnv",
            "role",
            "scopes",
            "device",
            "auth",
            "locale",
            "userAgent",
        ],
    );
    let client = &params["client"];
    only(
        client,
        &[
            "id",
            "displayName",
            "version",
            "platform",
            "deviceFamily",
            "modelIdentifier",
            "mode",
            "instanceId",
        ],
    );
    for name in ["id", "version", "platform", "mode"] {
        assert!(client[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    for name in ["minProtocol", "maxProtocol"] {
        assert!(params[name].as_u64().is_some_and(|version| version >= 1), "{name}");
    }
    if let Some(device) = params.get("device").filter(|device| !device.is_null()) {
        only(device, &["id", "publicKey", "signature", "signedAt", "nonce"]);
        assert_eq!(device.as_object().map(serde_json::Map::len), Some(5), "nothing of the proof is missing");
    }
    if let Some(auth) = params.get("auth") {
        only(auth, &["token", "bootstrapToken", "deviceToken", "password"]);
    }
    for name in ["scopes", "caps", "commands"] {
        let Some(list) = params.get(name) else { continue };
        let texts = list.as_array().expect("a list");
        assert!(texts.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{name}");
    }
}

fn only(object: &Value, names: &[&str]) {
    let members = object.as_object().expect("an object");
    assert!(members.keys().all(|name| names.contains(&name.as_str())), "{object}");
}
