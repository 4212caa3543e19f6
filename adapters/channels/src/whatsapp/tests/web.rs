//! What is read from a bridge to WhatsApp Web, by pipes and by WebSocket.

use super::*;
use crate::bridge::tests::{Bridged, Far, TOKEN, adapter_of};
use crate::conformance::{Case, Subject, Table, check};
use crate::login::tests::FakeScreen;
use crate::options::Options;

const ANN: &str = "+16505551234";

fn table() -> Table {
    let text = include_str!("../../../tests/conformance/whatsapp-web.json");
    let text = text.replace("$LONG", &"x".repeat(300_000));
    Table::parse(&text.replace("$ENDLESS", &"x".repeat(5_000_000)))
}

#[tokio::test]
async fn i14_i15_i16_a_program_conforms() {
    let open = async |_: &Case| {
        let far = Far::program().await;
        Subject::stream(adapter_of("whatsapp", &far), Bridged::of(far, ANN)).hiding(TOKEN)
    };
    check(&table(), "child", open).await;
}

#[tokio::test]
async fn i14_i15_i16_a_web_socket_conforms() {
    let open = async |_: &Case| {
        let far = Far::socket().await;
        Subject::stream(adapter_of("whatsapp", &far), Bridged::of(far, ANN)).hiding(TOKEN)
    };
    check(&table(), "socket", open).await;
}

#[tokio::test]
async fn the_mode_says_what_is_opened() {
    let open = |options: &Options| {
        (CHANNEL.open)(Setup::new(account()), options).map(|adapter| adapter.refuses(&head()))
    };
    let cloud = Options::new()
        .with("phone_number_id", "1")
        .with("access_token", "t")
        .with("app_secret", "s")
        .with("verify_token", "v");
    let bridge = vec!["node".to_owned(), "whatsapp.mjs".to_owned()];
    let web = Options::new().with("mode", "web").with("bridge", bridge);
    assert_eq!(open(&cloud), Ok(Some(http::StatusCode::UNAUTHORIZED)), "it has web hooks, which are signed");
    assert_eq!(open(&web), Ok(Some(http::StatusCode::NOT_FOUND)), "it has none");
    assert!(
        open(&Options::new().with("mode", "web")).is_err_and(|error| error.to_string().contains("`bridge`"))
    );

    let mut screen = FakeScreen::default();
    let login =
        Login { setup: Setup::new(account()), options: &cloud, others: Vec::new(), screen: &mut screen };
    let refused = log_in(login).await.unwrap_err().to_string();
    assert!(refused.contains("`mode = \"web\"`"), "{refused}");
}

fn head() -> http::request::Parts {
    http::Request::post("/").body(()).unwrap().into_parts().0
}
