//! Owners who link the daemon to their telephone.

use super::*;
use crate::login::tests::FakeScreen;
use crate::login::{LoggedIn, Login, LoginError};
use crate::options::Options;

const CODE: &str = "sgnl://linkdevice?uuid=X&pub_key=Y";

/// What comes of a login where the daemon answers like this once its code is taken.
async fn linked(finished: Value) -> (Result<LoggedIn, LoginError>, FakeScreen) {
    let server = FakeServer::start().await;
    let options = Options::new().with("account", OWN).with("api_base", server.base());
    let mut screen = FakeScreen::default();
    let login =
        Login { setup: Setup::new(account()), options: &options, others: Vec::new(), screen: &mut screen };
    let (outcome, ()) = tokio::join!(super::super::login::log_in(login), async {
        let call = server.call().await;
        assert_eq!(call.json()["method"], "startLink");
        answer(call, json!({ "deviceLinkUri": CODE })).await;
        let call = server.call().await;
        assert_eq!(call.json()["params"], json!({ "deviceLinkUri": CODE, "deviceName": "dmgate" }));
        match finished.get("code") {
            Some(_) => refuse(call, finished).await,
            None => answer(call, finished).await,
        }
    });
    (outcome, screen)
}

#[tokio::test]
async fn a_telephone_takes_the_code() {
    for finished in [json!({ "number": OWN }), json!({ "deviceLinkUri": CODE })] {
        let (outcome, screen) = linked(finished).await;
        let told = format!("signal-cli is a device of {OWN} now.");
        assert_eq!(outcome, Ok(LoggedIn { told, scanned_by: None }));
        assert_eq!(screen.codes, [CODE]);
    }
    let (outcome, _) = linked(json!({ "number": "+33111111111" })).await;
    assert!(outcome.unwrap_err().to_string().contains("the telephone of +33111111111"));
    let (outcome, _) = linked(json!({ "code": -3, "message": "Link request timed out" })).await;
    assert!(outcome.unwrap_err().to_string().contains("timed out"));
}
