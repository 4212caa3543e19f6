//! A gateway with a store of devices, and clients that say what they are told to.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dmgate::device::{Approver, DeviceId, DeviceRequestId, DeviceStore, NodeStore, PublicKey};
use dmgate::pairing::Surface;
use dmgate::store::{Actor, FileOptions};
use dmgate::{Agent, AgentError, DmGate, Pipeline, Turn, World};
use dmgate_gateway::{DeviceAccess, Gateway, Network, PublicUrl, Secrets};
use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "the-token-of-the-gateway";

struct Silent;

#[async_trait]
impl Agent for Silent {
    async fn respond(&self, _turn: Turn) -> Result<Vec<String>, AgentError> {
        Ok(Vec::new())
    }
}

/// A running gateway and its files.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) addr: SocketAddr,
    pub(crate) devices: DeviceStore,
    shutdown: CancellationToken,
    ended: JoinHandle<()>,
}

/// How a house is to be.
pub(crate) struct Plan {
    pub(crate) world: World,
    pub(crate) token: Option<&'static str>,
    pub(crate) password: Option<&'static str>,
    pub(crate) trusted: Vec<Network>,
    pub(crate) public_url: Option<PublicUrl>,
    /// What is in `devices/paired.json`.
    pub(crate) paired: Option<String>,
}

impl Default for Plan {
    fn default() -> Self {
        let (password, trusted, public_url, paired) = Default::default();
        Self { world: World::default(), token: Some(TOKEN), password, trusted, public_url, paired }
    }
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::built(Plan::default()).await
    }

    pub(crate) async fn built(plan: Plan) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if let Some(paired) = plan.paired {
            std::fs::create_dir(dir.path().join("devices")).unwrap();
            std::fs::write(dir.path().join("devices/paired.json"), paired).unwrap();
        }
        let options = FileOptions::new(dir.path());
        let devices = DeviceStore::open(options.clone(), plan.world.clone()).unwrap();
        let nodes = NodeStore::open(options, plan.world.clone()).unwrap();
        let secrets = Secrets::new(plan.token.map(Into::into), plan.password.map(Into::into)).unwrap();
        let access =
            DeviceAccess::new(devices.clone(), nodes, secrets).trusting(plan.trusted).world(plan.world);
        let pipeline = Pipeline::new(DmGate::builder().build(), Arc::new(Silent), Vec::new());
        let mut gateway = Gateway::new(pipeline).devices(access);
        if let Some(url) = plan.public_url {
            gateway = gateway.public_url(url);
        }
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let addr = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
        let shutdown = CancellationToken::new();
        let serving = gateway.serve(listener, shutdown.clone());
        let ended = tokio::spawn(async move { serving.await.unwrap() });
        Self { dir, addr, devices, shutdown, ended }
    }

    /// The store, as another process has it.
    pub(crate) fn other_process(&self) -> DeviceStore {
        DeviceStore::open(FileOptions::new(self.dir.path()), World::default()).unwrap()
    }

    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap();
    }

    pub(crate) async fn dial(&self) -> Client {
        self.dial_with(&[]).await.unwrap()
    }

    pub(crate) async fn dial_with(&self, headers: &[(&'static str, &str)]) -> Result<Client, u16> {
        self.dial_from([127, 0, 0, 1].into(), headers).await
    }

    /// From another address of this machine; `Err` is the status that comes in place of a WebSocket.
    pub(crate) async fn dial_from(
        &self,
        from: IpAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<Client, u16> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let stream = socket.connect(self.addr).await.unwrap();
        let mut request = format!("ws://{}/", self.addr).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => {
                let mut client = Client { socket, nonce: String::new(), events: VecDeque::new() };
                let challenge = client.event("connect.challenge").await;
                client.nonce = challenge["nonce"].as_str().unwrap().to_owned();
                Ok(client)
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Connects, and gives what it is told.
    pub(crate) async fn connect(&self, device: &Device, wish: &Value) -> Result<(Client, Value), Refused> {
        let mut client = self.dial().await;
        let hello = client.connect(device, wish).await?;
        Ok((client, hello))
    }

    /// Connects with the gateway's token and is refused; the owner approves; it connects again.
    pub(crate) async fn paired(&self, device: &Device, wish: &Value) -> (Client, Value) {
        let refused = self.connect(device, wish).await.err().unwrap();
        self.approve(refused.request_id()).await;
        self.connect(device, wish).await.unwrap()
    }

    pub(crate) async fn approve(&self, id: &str) {
        self.devices.approve(DeviceRequestId::typed(id), Approver::Owner, owner()).await.unwrap();
    }
}

/// A client's side of a WebSocket.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) nonce: String,
    /// What came while something else was waited for.
    events: VecDeque<Value>,
}

/// How a client was sent away.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refused {
    pub(crate) error: Value,
    pub(crate) close: (u16, String),
}

impl Refused {
    pub(crate) fn code(&self) -> &str {
        self.error["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn detail(&self) -> &str {
        self.error["details"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn request_id(&self) -> &str {
        self.error["details"]["requestId"].as_str().unwrap_or_else(|| panic!("{self:?}"))
    }
}

impl Client {
    pub(crate) async fn connect(&mut self, device: &Device, wish: &Value) -> Result<Value, Refused> {
        let params = device.params(&self.nonce, wish);
        self.say("connect", params).await
    }

    /// Asks, and gives the answer; events in between are passed over. `Err` is a refusal with a close after it.
    pub(crate) async fn say(&mut self, method: &str, params: Value) -> Result<Value, Refused> {
        self.send(&json!({ "type": "req", "id": "1", "method": method, "params": params }).to_string()).await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Result<Value, Refused> {
        loop {
            let Some(frame) = self.next().await else { panic!("no answer: {:?}", self.closed().await) };
            if frame["type"] == "res" && frame["ok"] == true {
                return Ok(frame["payload"].clone());
            }
            if frame["type"] == "res" {
                return Err(Refused { error: frame["error"].clone(), close: self.closed().await });
            }
        }
    }

    /// Asks, and gives what is wrong; the socket lives on.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.send(&json!({ "type": "req", "id": "2", "method": method, "params": params }).to_string()).await;
        loop {
            let frame = self.next().await.expect("an answer");
            if frame["type"] != "res" {
                self.events.push_back(frame);
            } else {
                let said = frame["error"]["message"].as_str().map(ToOwned::to_owned);
                return said.map_or_else(|| Ok(frame["payload"].clone()), Err);
            }
        }
    }

    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            let frame = match self.events.pop_front() {
                Some(frame) => frame,
                None => self.next().await.unwrap_or_else(|| panic!("no {name}")),
            };
            if frame["event"] == name {
                return frame["payload"].clone();
            }
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next frame; `None` at the end, which [`Client::closed`] tells.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(Some(frame))) => {
                    self.nonce = format!("{} {}", u16::from(frame.code), frame.reason);
                    return None;
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                _ => return None,
            }
        }
    }

    /// How it was closed.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        while self.next().await.is_some() {}
        let (code, reason) = self.nonce.split_once(' ').unwrap_or(("0", ""));
        (code.parse().unwrap_or(0), reason.to_owned())
    }
}

/// A device: a key.
pub(crate) struct Device(pub(crate) SigningKey);

impl Device {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    pub(crate) fn id(&self) -> DeviceId {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes()).device_id()
    }

    /// The parameters of `connect`: those of a node, with `wish` put over them, and then signed. What is null in `wish` is
    /// left out; `/device` of it is put over what was signed.
    pub(crate) fn params(&self, nonce: &str, wish: &Value) -> Value {
        let mut params = json!({
            "minProtocol": 3, "maxProtocol": 3,
            "client": { "id": "node-host", "version": "1.0.0", "platform": "linux", "mode": "node", "displayName": "probe" },
            "role": "node", "scopes": [], "caps": [], "auth": { "token": TOKEN },
        });
        let signed_at = dmgate::Clock::now(&dmgate::SystemClock).as_millis();
        let mut device = json!({
            "id": self.id().to_string(), "publicKey": URL_SAFE_NO_PAD.encode(self.0.verifying_key()),
            "signedAt": signed_at, "nonce": nonce,
        });
        let mut wish = wish.clone();
        let over = wish.as_object_mut().and_then(|wish| wish.remove("device")).unwrap_or(json!({}));
        merge(&mut params, &wish);
        if over.is_null() {
            return params;
        }
        for name in ["signedAt", "nonce"] {
            if let Some(value) = over.get(name) {
                device[name] = value.clone();
            }
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let scopes: Vec<String> = params["scopes"].as_array().into_iter().flatten().map(text).collect();
        let auth = ["token", "deviceToken", "bootstrapToken"].map(|name| text(&params["auth"][name]));
        let client = &params["client"];
        let payload = [
            "v3".to_owned(),
            self.id().to_string(),
            text(&client["id"]),
            text(&client["mode"]),
            params["role"].as_str().unwrap_or("operator").to_owned(),
            scopes.join(","),
            device["signedAt"].to_string(),
            auth.into_iter().find(|token| !token.is_empty()).unwrap_or_default(),
            text(&device["nonce"]),
            text(&client["platform"]),
            text(&client["deviceFamily"]),
        ]
        .join("|");
        device["signature"] = URL_SAFE_NO_PAD.encode(self.0.sign(payload.as_bytes()).to_bytes()).into();
        merge(&mut device, &over);
        params["device"] = device;
        params
    }
}

/// Puts `over` over `value`: objects are merged, null takes away.
fn merge(value: &mut Value, over: &Value) {
    let (Some(fields), Some(over)) = (value.as_object_mut(), over.as_object()) else {
        value.clone_from(over);
        return;
    };
    for (name, over) in over {
        match (fields.get_mut(name), over) {
            (_, Value::Null) => drop(fields.remove(name)),
            (Some(field), Value::Object(_)) => merge(field, over),
            _ => drop(fields.insert(name.clone(), over.clone())),
        }
    }
}

/// An operator with these scopes.
pub(crate) fn operator(scopes: &[&str]) -> Value {
    json!({ "role": "operator", "scopes": scopes, "client": { "id": "cli", "mode": "cli" } })
}

/// Nothing but a node.
pub(crate) fn node() -> Value {
    json!({})
}

pub(crate) fn owner() -> Actor {
    Actor { name: "test".into(), surface: Surface::Local }
}
