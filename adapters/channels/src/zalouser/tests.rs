//! What is read from a bridge to Zalo, by pipes and by WebSocket.

use crate::bridge::tests::{Bridged, Far, TOKEN, adapter};
use crate::conformance::{Case, Subject, Table, check};

fn table() -> Table {
    let text = include_str!("../../tests/conformance/zalouser.json");
    // A text longer than any platform's, and a line longer than any.
    let text = text.replace("$LONG", &"x".repeat(300_000));
    Table::parse(&text.replace("$ENDLESS", &"x".repeat(5_000_000)))
}

#[tokio::test]
async fn i14_i15_i16_a_program_conforms() {
    let open = async |_: &Case| {
        let far = Far::program().await;
        Subject::stream(adapter(&far), Bridged::new(far)).hiding(TOKEN)
    };
    check(&table(), "child", open).await;
}

#[tokio::test]
async fn i14_i15_i16_a_web_socket_conforms() {
    let open = async |_: &Case| {
        let far = Far::socket().await;
        Subject::stream(adapter(&far), Bridged::new(far)).hiding(TOKEN)
    };
    check(&table(), "socket", open).await;
}
