//! Sockets that are slow, large, rude, or many.

use std::net::IpAddr;
use std::time::Duration;

use dmgate::device::PAIRING;
use futures_util::SinkExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::house::{Client, Device, House, node, operator, owner};

/// So many sockets of one address may be there that are not let in.
const OF_ADDRESS: usize = 32;

fn address(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

fn bootstrap(code: &str) -> Value {
    json!({ "auth": { "token": null, "bootstrapToken": code } })
}

async fn fragments(client: &mut Client, parts: &[&[u8]]) {
    for (at, part) in parts.iter().enumerate() {
        let kind = OpCode::Data(if at == 0 { Data::Text } else { Data::Continue });
        let frame = Frame::message(part.to_vec(), kind, at + 1 == parts.len());
        // The other side may have had enough.
        let _ = client.socket.send(Message::Frame(frame)).await;
    }
}

#[tokio::test]
async fn frames_are_texts_of_a_size() {
    let house = House::open().await;
    let mut client = house.dial().await;
    client.send(&"x".repeat(64 * 1_024 + 1)).await;
    assert_eq!(client.closed().await, (1009, "payload too large".to_owned()));
    let mut client = house.dial().await;
    client.socket.send(Message::binary(vec![0; 100])).await.unwrap();
    assert_eq!(client.closed().await, (1003, "frames are text".to_owned()));
    let mut client = house.dial().await;
    let part = [b'x'; 30_000];
    fragments(&mut client, &[&part, &part, &part]).await;
    assert_eq!(client.closed().await.0, 1009, "in pieces as well");
    let mut client = house.dial().await;
    fragments(&mut client, &[b"\xff\xfe"]).await;
    assert_eq!(client.closed().await.0, 1007);
    // In pieces, with a ping in between, it is what it is in one.
    let mut client = house.dial().await;
    let params = Device::new(1).params(&client.nonce, &node());
    let text = json!({ "type": "req", "id": "1", "method": "connect", "params": params }).to_string();
    let (first, rest) = text.as_bytes().split_at(100);
    client.socket.send(Message::Ping(vec![1].into())).await.unwrap();
    fragments(&mut client, &[first, b"", rest]).await;
    assert_eq!(client.answer().await.unwrap_err().detail(), "PAIRING_REQUIRED");
    // Who is let in has no more room.
    let (mut client, _) = house.paired(&Device::new(1), &node()).await;
    client.send(&"x".repeat(64 * 1_024 + 1)).await;
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_has_ten_seconds() {
    let house = House::open().await;
    let mut silent = house.dial().await;
    let begin = tokio::time::Instant::now();
    assert_eq!(silent.closed().await, (1008, "handshake timeout".to_owned()));
    assert!(begin.elapsed() <= Duration::from_secs(12), "{:?}", begin.elapsed());
    let mut pinging = house.dial().await;
    let mut pings = 0;
    while pinging.socket.send(Message::Ping(vec![1].into())).await.is_ok() && pings < 100 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        pings += 1;
    }
    assert!(pings < 20, "signs of life are no handshake");
}

#[tokio::test(start_paused = true)]
async fn live_sockets_tick_and_dead_ones_end() {
    let house = House::open().await;
    let (mut client, hello) = house.paired(&Device::new(1), &node()).await;
    assert_eq!(hello["policy"]["tickIntervalMs"], 30_000);
    for _ in 0..10 {
        assert!(client.event("tick").await["ts"].as_i64().unwrap() > 0);
    }
    // One that reads nothing answers no ping.
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    let mut ticks = 0;
    while client.next().await.is_some() && ticks < 20 {
        ticks += 1;
    }
    assert!(ticks <= 4, "it was not given up: {ticks}");
}

#[tokio::test]
async fn guessing_is_slow_and_no_header_makes_it_faster() {
    let house = House::open().await;
    let page = format!("http://{}", house.addr);
    let wrong = json!({ "auth": { "token": "guess" } });
    for n in 0..10 {
        let forwarded = format!("10.0.0.{n}");
        let headers = [("origin", &*page), ("x-forwarded-for", &*forwarded)];
        let mut client = house.dial_with(&headers).await.unwrap();
        let refused = client.connect(&Device::new(n), &wrong).await.unwrap_err();
        assert_eq!(refused.detail(), "AUTH_TOKEN_MISMATCH", "{n}");
    }
    let mut client = house.dial_with(&[("origin", &*page), ("x-real-ip", "10.9.9.9")]).await.unwrap();
    let refused = client.connect(&Device::new(1), &node()).await.unwrap_err();
    let details = &refused.error["details"];
    assert_eq!((refused.detail(), refused.close.0), ("AUTH_RATE_LIMITED", 1008), "also with the right one");
    assert_eq!(
        (&details["authReason"], &details["recommendedNextStep"]),
        (&json!("rate_limited"), &json!("wait_then_retry"))
    );
    // Who comes by a proxy is not locked out by another who does.
    assert_eq!(house.connect(&Device::new(1), &node()).await.err().unwrap().detail(), "PAIRING_REQUIRED");
    for _ in 0..20 {
        let refused = house.connect(&Device::new(1), &wrong).await.err().unwrap();
        assert_eq!(refused.detail(), "AUTH_TOKEN_MISMATCH");
    }
    // A device's own token has a lock of its own.
    for n in 0..11 {
        let wrong = json!({ "auth": { "token": null, "deviceToken": "guess" } });
        let mut client = house.dial_from(address(7), &[("origin", &*page)]).await.unwrap();
        let refused = client.connect(&Device::new(1), &wrong).await.unwrap_err();
        let wanted = if n < 10 { "AUTH_DEVICE_TOKEN_MISMATCH" } else { "AUTH_RATE_LIMITED" };
        assert_eq!(refused.detail(), wanted, "{n}");
    }
    let mut client = house.dial_from(address(7), &[("origin", &*page)]).await.unwrap();
    assert_eq!(client.connect(&Device::new(1), &node()).await.unwrap_err().detail(), "PAIRING_REQUIRED");
}

#[tokio::test]
async fn i17_sixty_four_race_for_one_setup_code() {
    let house = House::open().await;
    let code = house.devices.invite(owner()).await.unwrap();
    let code = code.token.reveal();
    let race = |seed: u8| {
        let house = &house;
        async move {
            let mut client = house.dial_from(address(1 + seed % 4), &[]).await.unwrap();
            (seed, client.connect(&Device::new(seed), &bootstrap(code)).await.unwrap_err())
        }
    };
    let all = join_all((0..64).map(race)).await;
    let (first, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, refused)| refused.code() == "NOT_PAIRED");
    assert_eq!((first.len(), others.len()), (1, 63));
    assert!(others.iter().all(|(_, refused)| refused.detail() == "AUTH_BOOTSTRAP_TOKEN_INVALID"));
    let (winner, asked) = &first[0];
    house.approve(asked.request_id()).await;
    let again = join_all((0..64).filter(|seed| seed != winner).map(race)).await;
    assert!(again.iter().all(|(_, refused)| refused.detail() == "AUTH_BOOTSTRAP_TOKEN_INVALID"));
    // It finishes, as a remote phone has to, and the code is dead.
    let (_, hello) = house.connect(&Device::new(*winner), &bootstrap(code)).await.unwrap();
    assert_eq!(race(*winner).await.1.detail(), "AUTH_BOOTSTRAP_TOKEN_INVALID");
    let own = json!({ "auth": { "token": null, "deviceToken": hello["auth"]["deviceToken"] } });
    house.connect(&Device::new(*winner), &own).await.unwrap();
}

/// How much memory we have, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn ten_thousand_strangers_leave_nothing_and_the_known_are_served() {
    let house = House::open().await;
    let known = Device::new(1);
    let (mut live, hello) = house.paired(&known, &operator(&[PAIRING])).await;
    let own = json!({ "auth": { "token": null, "deviceToken": hello["auth"]["deviceToken"] } });
    let mut wish = operator(&[PAIRING]);
    wish["auth"] = own["auth"].clone();
    let (mut count, mut before) = (0, None);
    while count < 10_000 {
        let mut strangers = Vec::new();
        let refused = loop {
            match house.dial_from(address(2), &[]).await {
                Ok(client) => strangers.push(client),
                Err(status) => break status,
            }
            count += 1;
        };
        assert_eq!(refused, 429);
        assert!(strangers.len() <= OF_ADDRESS, "{}", strangers.len());
        for (at, client) in strangers.iter_mut().enumerate() {
            let _ = client.socket.send(Message::text(["", "{}", "garbage"][at % 3].repeat(1 + at))).await;
        }
        if count % 1_000 < OF_ADDRESS {
            let mut client = house.dial_from(address(3), &[]).await.unwrap();
            client.connect(&known, &wish).await.unwrap();
            assert_eq!(live.ask("health", json!({})).await.unwrap()["ok"], true);
        }
        before = before.or_else(|| (count >= 1_000).then(resident));
    }
    let grown = resident().saturating_sub(before.unwrap());
    assert!(grown < 32 * 1_024, "{grown} KiB");
}
