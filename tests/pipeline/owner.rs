//! `/pair` in chat: who reaches the desk, and what it does there.

mod devices;
mod notices;
mod reach;

use std::sync::Arc;

use dmgate::device::{
    Ask, Connected, Credential, Description, DeviceRequest, DeviceStore, Identity, PublicKey, Role, Scopes,
    SetupCode,
};
use dmgate::owner::Desk;
use dmgate::store::FileOptions;
use dmgate::{
    AccountKey, ChannelMeta, InboundMessage, MockChannelAdapter, SendError, Sender, SenderId, TextKind,
};

use crate::support::{
    Echo, Ground, Running, Sends, Sent, account, adapter_of, allow, message, meta, sender, start,
};

/// A state directory with a desk before an echo; 42 is an owner, and let in.
struct Office {
    ground: Ground,
    state: tempfile::TempDir,
    devices: DeviceStore,
}

impl Office {
    async fn new() -> Self {
        let (ground, state) = (Ground::new(), tempfile::tempdir().unwrap());
        // Without a watch it is looked again once a second, and time is under the test's control.
        let options = FileOptions { watch: false, ..FileOptions::new(state.path()) };
        let devices = DeviceStore::open(options, ground.clock.world()).unwrap();
        allow(&*ground.store, "42").await;
        Self { ground, state, devices }
    }

    fn desk(&self, gate: &dmgate::DmGate) -> Desk {
        let url = "wss://gate.example.org".parse().map_err(|_| String::new());
        let desk = Desk::new(Arc::new(Echo), gate.clone(), self.devices.clone(), self.state.path(), url);
        desk.set_owners([(account(), sender("42"))]);
        desk
    }

    /// A pipeline whose agent is the desk; notices go out.
    fn open(&self) -> (Running, Sends, Desk) {
        let (adapter, sends) = adapter_of(roomy("telegram"), |_| Ok(()));
        let (running, desk) = self.open_with(adapter);
        (running, sends, desk)
    }

    fn open_with(&self, adapter: MockChannelAdapter) -> (Running, Desk) {
        let gate = self.ground.gate();
        let desk = self.desk(&gate);
        let running = start(gate, adapter, desk.clone());
        let (teller, pipeline, shutdown) = (desk.clone(), running.pipeline.clone(), running.shutdown.clone());
        tokio::spawn(async move { teller.tell(&pipeline, shutdown).await });
        (running, desk)
    }

    async fn connect(&self, ask: Ask, credential: Credential) -> Connected {
        self.devices.connect(ask, credential).await.unwrap()
    }

    /// A device asks to be paired; its request.
    async fn knock(&self, ask: Ask) -> DeviceRequest {
        match self.connect(ask, Credential::Secret).await {
            Connected::Pairing { request: Some(request), .. } => *request,
            other => panic!("{other:?}"),
        }
    }
}

fn roomy(channel: &str) -> ChannelMeta {
    ChannelMeta { account: AccountKey::parse(channel, "default").unwrap(), text_limit: 4_096, ..meta() }
}

fn phone(seed: u8) -> Ask {
    Ask {
        identity: Identity::unproven(PublicKey::from_bytes([seed; 32])),
        role: Role::Node,
        scopes: Scopes::default(),
        description: Description {
            display_name: Some(format!("phone {seed}")),
            platform: Some("ios".into()),
            ..Description::default()
        },
        remote_ip: Some("192.168.1.9".into()),
        is_trusted_network: false,
    }
}

/// The one text that answers what the owner writes.
async fn say(running: &Running, sends: &mut Sends, text: &str) -> String {
    running.inbox.deliver(message("42", text)).await;
    let sent = sends.next().await;
    assert_eq!((sent.to.as_str(), sent.text.kind), ("42", TextKind::Reply));
    sent.text.body
}

/// The token in a setup code.
fn token(code: &str) -> Credential {
    Credential::Bootstrap(SetupCode::decode(code).unwrap().bootstrap_token().reveal().to_owned())
}

#[allow(clippy::disallowed_methods, reason = "somebody else wrote it")]
fn scribble(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
