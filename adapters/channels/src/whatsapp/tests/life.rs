//! What the operator reads.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

struct Running {
    whatsapp: Arc<WhatsApp>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
    _messages: mpsc::Receiver<InboundMessage>,
}

fn run(whatsapp: &Arc<WhatsApp>) -> Running {
    let (inbox, messages) = Inbox::collecting(1);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(whatsapp), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { whatsapp: Arc::clone(whatsapp), shutdown, ended, _messages: messages }
}

#[tokio::test]
async fn it_is_ready_once_meta_takes_the_token() {
    let server = FakeServer::start().await;
    let running = run(&whatsapp(&server));
    server.call().await.json_answer(503, refusal(2, "Service temporarily unavailable")).await;
    server.call().await.json_answer(429, refusal(80007, "Rate limit")).await;
    drop(server.call().await);
    server.call().await.answer(200, "no json").await;
    server.call().await.answer(200, "{}").await;
    let call = server.call().await;
    assert!(matches!(running.whatsapp.status(), ChannelStatus::Connecting(Some(_))));
    assert_eq!(call.line, format!("GET /v25.0/{NUMBER}?fields=display_phone_number"));
    assert_eq!(call.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    call.json_answer(200, json!({ "display_phone_number": "+1 555-078-3881", "id": NUMBER })).await;
    running.whatsapp.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_refused_token_stops_the_channel_and_is_not_shown() {
    for (status, code) in [(401, 190), (400, 100), (403, 200)] {
        let server = FakeServer::start().await;
        let running = run(&whatsapp(&server));
        let told = format!("{TOKEN} and {APP_SECRET} and {VERIFY}");
        server.call().await.json_answer(status, refusal(code, &told)).await;
        let error = running.ended.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("check `access_token`"), "{error}");
        for secret in [TOKEN, APP_SECRET, VERIFY] {
            assert!(!error.contains(secret), "{error}");
        }
        assert_eq!(running.whatsapp.status(), ChannelStatus::Refused(error));
    }
}

#[test]
fn what_cannot_be_a_number_or_an_address_is_refused() {
    let refusal = |number: &str, base: &str| {
        let secret = Secret::new;
        let mut config = Cloud::new(number.to_owned(), secret("t"), secret("s"), secret("v"));
        config.api_base = base.to_owned();
        WhatsApp::open(Setup::new(account()), config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    for number in ["", "+15550783881", "1/2", "me", "1 2"] {
        assert!(
            refusal(number, "https://graph.facebook.com/v25.0").starts_with("`phone_number_id`"),
            "{number}"
        );
    }
    for base in ["graph.facebook.com", "ftp://x", "https://x/?a"] {
        assert!(refusal(NUMBER, base).starts_with("`api_base`"), "{base}");
    }
    assert_eq!(refusal(NUMBER, "http://127.0.0.1:1/v25.0/"), "");
}
