//! Owners who log in.

use super::*;
use crate::login::tests::FakeScreen;
use crate::login::{LoggedIn, Login, LoginError};
use crate::options::Options;

/// What comes of a login by a bridge that does so once it is asked; and what the owner saw.
async fn logged_in(
    far: Far,
    work: impl AsyncFnOnce(&mut Peer, Value),
) -> (Result<LoggedIn, LoginError>, FakeScreen) {
    let mut screen = FakeScreen { answers: ["7".to_owned()].into(), ..FakeScreen::default() };
    let options = Options::new();
    let login =
        Login { setup: Setup::new(account()), options: &options, others: Vec::new(), screen: &mut screen };
    let config = far.config();
    let (outcome, ()) = tokio::join!(super::super::login::log_in(config, login), async {
        let (mut peer, greeting) = far.greeted().await;
        assert_eq!(greeting["purpose"], "login");
        let asked = peer.asked("login").await;
        work(&mut peer, asked).await;
    });
    (outcome, screen)
}

fn say(params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": "login", "params": params })
}

#[tokio::test]
async fn the_owner_sees_each_code_and_what_came_of_it() {
    for far in [Far::program().await, Far::socket().await] {
        let (outcome, screen) = logged_in(far, async |peer, asked| {
            peer.say(&say(&json!({ "code": "1@abc" }))).await;
            peer.say(&say(&json!({ "picture": "YWJj", "told": "Scan it." }))).await;
            peer.say(&say(&json!({ "picture": "?" }))).await;
            peer.say(&json!({ "id": 1, "method": "ask", "params": { "told": "Which number?" } })).await;
            assert_eq!(peer.next().await.unwrap()["result"], json!({ "answer": "7" }));
            peer.answer(&asked, json!({ "told": "Logged in as Ann\u{7}." })).await;
        })
        .await;
        let told = "Logged in as Ann\\u{7}.".to_owned();
        assert_eq!(outcome, Ok(LoggedIn { told, scanned_by: None }));
        assert_eq!(screen.codes, ["1@abc", "3 bytes"]);
        assert_eq!(screen.said, ["Scan it.", "Which number?"]);
    }
}

#[tokio::test]
async fn a_login_that_fails_says_why() {
    let far = Far::program().await;
    let refusal = json!({ "code": 1, "message": "it was declined" });
    let (outcome, _) = logged_in(far, async |peer, asked| peer.refuse(&asked, refusal).await).await;
    assert_eq!(outcome.unwrap_err().to_string(), "it was declined");
    // The bridge ends half-way.
    let (outcome, _) = logged_in(Far::program().await, async |_, _| {}).await;
    assert!(outcome.unwrap_err().to_string().starts_with("the bridge"));
}
