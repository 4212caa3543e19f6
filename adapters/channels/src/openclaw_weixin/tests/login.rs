//! Logins: each thing that the server may say of a code.

use std::collections::VecDeque;

use super::*;
use crate::Options;
use crate::kept::{Keeper, MemoryKeeper};
use crate::login::tests::FakeScreen;
use crate::login::{LoggedIn, Login, LoginError};

/// A login while the server says these things of its codes, one after another; what was seen of it.
struct Attempt {
    outcome: Result<LoggedIn, LoginError>,
    screen: FakeScreen,
    /// The calls, and what was asked for with codes.
    calls: Vec<(String, Value)>,
    kept: Option<Value>,
}

async fn attempt(setup: Setup, others: Vec<Arc<dyn Keeper>>, answers: &[&str], said: Vec<Value>) -> Attempt {
    let server = FakeServer::start().await;
    attempt_at(&server, setup, others, answers, said).await
}

async fn attempt_at(
    server: &FakeServer,
    setup: Setup,
    others: Vec<Arc<dyn Keeper>>,
    answers: &[&str],
    said: Vec<Value>,
) -> Attempt {
    let options = Options::new().with("api_base", server.base());
    let answers = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let mut screen = FakeScreen { answers, ..FakeScreen::default() };
    let keeper = Arc::clone(&setup.login);
    let mut calls = Vec::new();
    let outcome = {
        let login = Login { setup, options: &options, others, screen: &mut screen };
        let serve = async {
            let (mut said, mut codes) = (VecDeque::from(said), 0);
            loop {
                let call = server.call().await;
                if call.line.starts_with("POST /ilink/bot/get_bot_qrcode") {
                    codes += 1;
                    assert_eq!(call.header("authorization"), None);
                    calls.push((call.line.clone(), call.json()));
                    let code = json!({ "qrcode": format!("code/{codes}"), "qrcode_img_content": format!("https://wx.test/{codes}") });
                    call.json_answer(200, code).await;
                    continue;
                }
                calls.push((call.line.clone(), Value::Null));
                match said.pop_front() {
                    Some(Value::String(raw)) => call.answer(502, raw).await,
                    Some(said) => call.json_answer(200, said).await,
                    None => call.json_answer(200, json!({ "status": "expired" })).await,
                }
            }
        };
        tokio::select! {
            outcome = super::super::login::log_in_with(login, NO_WAIT) => outcome,
            () = serve => panic!("it serves for ever"),
        }
    };
    let kept = keeper.load().await.unwrap().map(|kept| serde_json::from_str(&kept).unwrap());
    Attempt { outcome, screen, calls, kept }
}

fn confirmed(server: &FakeServer) -> Value {
    json!({
        "status": "confirmed", "bot_token": TOKEN, "ilink_bot_id": BOT, "baseurl": server.base(), "ilink_user_id": ANN,
    })
}

fn state(status: &str) -> Value {
    json!({ "status": status })
}

fn failure(attempt: &Attempt) -> String {
    attempt.outcome.as_ref().unwrap_err().to_string()
}

#[tokio::test]
async fn a_code_that_is_scanned_and_confirmed_is_a_login() {
    let server = FakeServer::start().await;
    let said = vec![state("wait"), json!("gateway"), state("scaned"), state("scaned"), confirmed(&server)];
    let done = attempt_at(&server, Setup::new(account()), Vec::new(), &[], said).await;
    let logged_in = done.outcome.unwrap();
    assert!(logged_in.told.contains(BOT) && !logged_in.told.contains(TOKEN), "{}", logged_in.told);
    assert_eq!(logged_in.scanned_by.unwrap().as_str(), ANN);
    assert_eq!(done.screen.codes, ["https://wx.test/1"]);
    assert_eq!(
        done.screen.said.iter().filter(|said| said.starts_with("Scanned")).count(),
        1,
        "{:?}",
        done.screen.said
    );
    assert_eq!(done.calls[0].0, "POST /ilink/bot/get_bot_qrcode?bot_type=3");
    assert_eq!(done.calls[0].1, json!({ "local_token_list": [] }));
    assert_eq!(done.calls[1].0, "GET /ilink/bot/get_qrcode_status?qrcode=code%2F1");
    let kept = json!({ "token": TOKEN, "bot": BOT, "base": server.base(), "person": ANN });
    assert_eq!(done.kept, Some(kept));
}

#[tokio::test]
async fn a_number_is_asked_for_until_it_is_right() {
    let server = FakeServer::start().await;
    let said = vec![state("need_verifycode"), state("need_verifycode"), state("scaned"), confirmed(&server)];
    let done = attempt_at(&server, Setup::new(account()), Vec::new(), &["1 1", "22"], said).await;
    done.outcome.unwrap();
    assert_eq!(done.calls[2].0, "GET /ilink/bot/get_qrcode_status?qrcode=code%2F1&verify_code=1+1");
    assert_eq!(done.calls[3].0, "GET /ilink/bot/get_qrcode_status?qrcode=code%2F1&verify_code=22");
    assert!(done.screen.said.iter().any(|said| said.contains("not the number")));
    let nobody = attempt(Setup::new(account()), Vec::new(), &[], vec![state("need_verifycode")]).await;
    assert!(failure(&nobody).contains("no number"));
}

#[tokio::test]
async fn codes_expire_and_are_replaced_but_not_for_ever() {
    let server = FakeServer::start().await;
    let said = vec![state("expired"), state("verify_code_blocked"), confirmed(&server)];
    let done = attempt_at(&server, Setup::new(account()), Vec::new(), &[], said).await;
    done.outcome.unwrap();
    assert_eq!(done.screen.codes, ["https://wx.test/1", "https://wx.test/2", "https://wx.test/3"]);
    let never = attempt(Setup::new(account()), Vec::new(), &[], Vec::new()).await;
    assert_eq!(never.screen.codes.len(), 3);
    assert!(failure(&never).contains("in time") && never.kept.is_none());
}

#[tokio::test]
async fn the_server_may_send_us_to_another_of_tencents_and_nowhere_else() {
    let server = FakeServer::start().await;
    let here = server.base().trim_start_matches("http://").to_owned();
    let said = vec![
        json!({ "status": "scaned_but_redirect", "redirect_host": here }),
        state("scaned_but_redirect"),
        confirmed(&server),
    ];
    attempt_at(&server, Setup::new(account()), Vec::new(), &[], said).await.outcome.unwrap();
    for host in ["evil.test", "127.0.0.1:1", "weixin.qq.com@evil.test", "x.weixin.qq.com.evil.test", "x/../y"]
    {
        let said = vec![json!({ "status": "scaned_but_redirect", "redirect_host": host })];
        let refused = attempt(Setup::new(account()), Vec::new(), &[], said).await;
        assert!(failure(&refused).contains("Tencent"), "{host}: {}", failure(&refused));
    }
    let mut elsewhere = confirmed(&server);
    elsewhere["baseurl"] = json!("https://evil.test");
    let refused = attempt(Setup::new(account()), Vec::new(), &[], vec![elsewhere]).await;
    assert!(failure(&refused).contains("Tencent") && refused.kept.is_none());
}

#[tokio::test]
async fn who_is_logged_in_already_stays_so() {
    let server = FakeServer::start().await;
    let other: Arc<dyn Keeper> = Arc::new(MemoryKeeper::default());
    other.save(&credentials(&server, "others").replace(BOT, "other@im.bot")).await.unwrap();
    let damaged: Arc<dyn Keeper> = Arc::new(MemoryKeeper::default());
    damaged.save("no json").await.unwrap();
    let others = vec![damaged, other];
    let bound = attempt(logged_in(&server).await, others.clone(), &[], vec![state("binded_redirect")]).await;
    assert_eq!(bound.calls[0].1, json!({ "local_token_list": [TOKEN, "others"] }));
    let logged_in = bound.outcome.unwrap();
    assert!(logged_in.told.contains("nothing has changed"));
    assert_eq!(logged_in.scanned_by.unwrap().as_str(), ANN);
    assert_eq!(bound.kept.unwrap()["token"], TOKEN);
    let elsewhere = attempt(Setup::new(account()), others, &[], vec![state("binded_redirect")]).await;
    assert!(failure(&elsewhere).contains("another account"));
}

#[tokio::test]
async fn half_an_answer_is_no_login() {
    let server = FakeServer::start().await;
    for lacks in ["bot_token", "ilink_bot_id"] {
        let mut answer = confirmed(&server);
        answer[lacks] = json!("");
        let refused = attempt(Setup::new(account()), Vec::new(), &[], vec![answer]).await;
        assert!(failure(&refused).contains("no token") && refused.kept.is_none(), "{lacks}");
    }
    let refused =
        attempt(Setup::new(account()), Vec::new(), &[], vec![json!({ "ret": -5, "errmsg": "no" })]).await;
    assert!(failure(&refused).contains("-5"), "{}", failure(&refused));
    // Who can't write to the bot is not offered.
    let mut stranger = confirmed(&server);
    stranger["ilink_user_id"] = json!("ann");
    let done = attempt_at(&server, Setup::new(account()), Vec::new(), &[], vec![stranger]).await;
    assert_eq!(done.outcome.unwrap().scanned_by, None);
}

#[tokio::test]
async fn a_token_in_the_configuration_needs_no_login() {
    let options = Options::new().with("token", "x");
    let mut screen = FakeScreen::default();
    let login =
        Login { setup: Setup::new(account()), options: &options, others: Vec::new(), screen: &mut screen };
    let refused = CHANNEL.log_in(login).await.unwrap_err();
    assert!(refused.to_string().contains("`token`") && screen.codes.is_empty());
}
