//! What is read from the Mac's messages.

use async_trait::async_trait;
use dmgate::{Conversation, Origin};

use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::recorded;

fn table() -> Table {
    let text = include_str!("../../../tests/conformance/imessage.json");
    let text = text.replace("$LONG", &"x".repeat(300_000));
    Table::parse(&text.replace("$ENDLESS", &"x".repeat(5_000_000)))
}

/// `imsg`, which numbers its messages.
struct Watched {
    program: FakeProgram,
    imsg: Option<Imsg>,
    rowid: i64,
}

impl Watched {
    async fn imsg(&mut self) -> &mut Imsg {
        if self.imsg.is_none() {
            self.imsg = Some(Imsg::watched(&self.program).await);
        }
        self.imsg.as_mut().unwrap()
    }

    async fn tell(&mut self, mut message: Value) {
        self.rowid += 1;
        let rowid = self.rowid;
        if let Some(message) = message.as_object_mut() {
            message.entry("id").or_insert(rowid.into());
        }
        self.imsg().await.tell(&message).await;
    }
}

#[async_trait]
impl Feed for Watched {
    async fn send(&mut self, given: &Value) {
        match given["raw"].as_str() {
            Some(raw) => self.imsg().await.run.say(raw).await,
            None => self.tell(given["message"].clone()).await,
        }
    }

    async fn mark(&mut self, text: &str) {
        let mut mark = hello(self.rowid + 1);
        mark["text"] = json!(text);
        self.tell(mark).await;
    }

    async fn attend(&mut self) {
        if let Some(imsg) = &mut self.imsg {
            while imsg.run.line().await.is_some() {}
        }
        self.imsg = Some(Imsg::watched(&self.program).await);
    }
}

#[tokio::test]
async fn i14_i15_i16_imsg_conforms() {
    let open = async |case: &Case| {
        let program = FakeProgram::new().await;
        let takes_sms = case.setup["sms"] == true;
        let keeper = Arc::new(MemoryKeeper::default());
        let imessage = with(&program, keeper, |config| config.sms = takes_sms);
        Subject::stream(imessage, Watched { program, imsg: None, rowid: 100 })
    };
    check(&table(), "child", open).await;
}

#[test]
fn recorded_messages_are_direct_messages_of_people() {
    for (name, payload) in recorded::payloads("imessage-") {
        let file: Value = serde_json::from_str(&payload).unwrap();
        let said = &file["payload"]["params"]["message"];
        let message = message::read(&account(), false, 0, said).unwrap();
        assert_eq!(message.conversation, Conversation::Direct, "{name}");
        assert_eq!(message.origin, Origin::Person, "{name}");
        assert!(message.event.acts() && !message.text.is_empty(), "{name}");
        assert!(Route::parse(account().channel(), &message.route).is_some(), "{name}");
    }
}
