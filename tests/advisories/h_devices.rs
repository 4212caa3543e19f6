//! H. Devices: nobody is in without the owner's word, nobody gives more than they have, and what was taken away stays away.
//!
//! Rights that grow: CVE-2026-32922, CVE-2026-22172, CVE-2026-32042, CVE-2026-35663, CVE-2026-42422. Who approves:
//! GHSA-hf68-49fm-59cq, CVE-2026-35639, GHSA-hc5h-pmr3-3497, CVE-2026-33579, GHSA-2x4x-cc5g-qmmg, CVE-2026-33577,
//! CVE-2026-42426, CVE-2026-62218, CVE-2026-53852, GHSA-xrq9-jm7v-g9h7. Setup codes: CVE-2026-32987, CVE-2026-53862,
//! CVE-2026-41386, CVE-2026-33575, CVE-2026-32905, GHSA-xr4f-mjxj-w6w5. Reconnecting: CVE-2026-53838, CVE-2026-42432. Before
//! the owner's word: CVE-2026-62223, GHSA-hx85-fgcw-9vrc, CVE-2026-55196, CVE-2026-28472, GHSA-qjpc-qf9m-xwmr. Revoked:
//! CVE-2026-34503, CVE-2026-41356, CVE-2026-53843. Where from: CVE-2026-53817, CVE-2026-32057, GHSA-rggc-m335-3wvj,
//! CVE-2026-29613, CVE-2026-58122. Nodes: CVE-2026-53816.
//!
//! Also: `i17_every_history_of_devices_is_as_the_model_says` (all of it, at random), `i17_of_sixty_four_who_race…`.

use std::time::Duration;

use dmgate::device::{
    ADMIN, Admission, Approver, Ask, Connected, Credential, Description, DeviceError, DeviceRequestId,
    DeviceStore, Identity, NodeAsk, NodeStore, PAIRING, PairingReason, PublicKey, Refused, Role, Scopes,
    SetupCode,
};
use dmgate::store::FileOptions;
use dmgate::testing::ManualClock;

use crate::ground::owner;

const READ: &str = "operator.read";

/// A gateway's devices, without the gateway.
struct House {
    temp: tempfile::TempDir,
    clock: ManualClock,
    devices: DeviceStore,
}

fn scopes(texts: &[&str]) -> Scopes {
    Scopes::parse(texts.iter().copied()).unwrap()
}

fn ask(device: u8, role: Role, wanted: &[&str]) -> Ask {
    Ask {
        identity: Identity::unproven(PublicKey::from_bytes([device; 32])),
        role,
        scopes: scopes(wanted),
        description: Description { platform: Some("linux".into()), ..Description::default() },
        remote_ip: None,
        is_trusted_network: false,
    }
}

fn operator(device: u8, wanted: &[&str]) -> Ask {
    ask(device, Role::Operator, wanted)
}

fn node(device: u8) -> Ask {
    ask(device, Role::Node, &[])
}

fn token(admission: &Admission) -> Credential {
    Credential::Token(admission.token.reveal().to_owned())
}

impl House {
    fn new() -> Self {
        let (temp, clock) = (tempfile::tempdir().unwrap(), ManualClock::now());
        let devices = DeviceStore::open(FileOptions::new(temp.path()), clock.world()).unwrap();
        Self { temp, clock, devices }
    }

    async fn connect(&self, ask: &Ask, shown: &Credential) -> Connected {
        // Nothing happens in the same millisecond as something else.
        self.clock.advance(Duration::from_millis(1));
        self.devices.connect(ask.clone(), shown.clone()).await.unwrap()
    }

    async fn asks(&self, ask: &Ask) -> (PairingReason, DeviceRequestId) {
        match self.connect(ask, &Credential::Secret).await {
            Connected::Pairing { reason, request: Some(request), .. } => (reason, request.id),
            other => panic!("{other:?}"),
        }
    }

    async fn approve(&self, id: &DeviceRequestId, by: &Approver) -> Result<(), DeviceError> {
        self.clock.advance(Duration::from_millis(1));
        self.devices.approve(id.clone(), by.clone(), owner()).await.map(drop)
    }

    async fn pair(&self, ask: &Ask) -> Admission {
        let (_, id) = self.asks(ask).await;
        self.approve(&id, &Approver::Owner).await.unwrap();
        match self.connect(ask, &Credential::Secret).await {
            Connected::In(admission) => admission,
            other => panic!("{other:?}"),
        }
    }

    async fn rotate(
        &self,
        of: &Admission,
        wanted: Option<&[&str]>,
        by: &Approver,
    ) -> Result<Scopes, DeviceError> {
        let (device, role) = (of.session.device, of.session.role);
        let wanted = wanted.map(scopes);
        self.devices.rotate(device, role, wanted, by.clone(), owner()).await.map(|grant| grant.scopes)
    }
}

#[tokio::test]
async fn h_a_rotated_token_has_no_more_than_the_one_before() {
    let house = House::new();
    let reader = house.pair(&operator(1, &[READ])).await;
    let admin = Approver::Device(house.pair(&operator(2, &[ADMIN])).await.session);
    let clerk = Approver::Device(house.pair(&operator(3, &[PAIRING])).await.session);
    let itself = Approver::Device(reader.session.clone());
    for by in [&Approver::Owner, &admin, &clerk, &itself] {
        for wider in [&[ADMIN][..], &[PAIRING], &[READ, PAIRING], &["operator.write"], &["node.x"]] {
            assert!(house.rotate(&reader, Some(wider), by).await.is_err(), "{wider:?} by {by:?}");
        }
    }
    for same in [None, Some(&[][..]), Some(&[READ][..])] {
        assert!(house.rotate(&reader, same, &clerk).await.is_err(), "a clerk has not {same:?}, nor takes it");
    }
    assert_eq!(house.rotate(&reader, None, &admin).await, Ok(scopes(&[READ])));
    assert_eq!(house.rotate(&reader, Some(&[]), &Approver::Owner).await, Ok(scopes(&[])));
    assert_eq!(
        house.rotate(&reader, Some(&[READ]), &Approver::Owner).await,
        Err(DeviceError::RotationDenied)
    );
}

#[tokio::test]
async fn h_what_a_device_says_that_it_may_do_is_only_asked() {
    let house = House::new();
    // With the gateway's secret, and with a token of less.
    for wanted in [&[][..], &[READ], &[ADMIN]] {
        house.asks(&operator(1, wanted)).await;
    }
    let reader = house.pair(&operator(1, &[READ])).await;
    for wider in [&[ADMIN][..], &[READ, PAIRING], &["operator.write"]] {
        let shown = house.connect(&operator(1, wider), &token(&reader)).await;
        assert_eq!(shown, Connected::Refused(Refused::Token), "{wider:?}");
        assert_eq!(house.asks(&operator(1, wider)).await.0, PairingReason::ScopeUpgrade);
    }
    // Of the other role it has nothing, whatever it shows.
    assert_eq!(house.connect(&node(1), &token(&reader)).await, Connected::Refused(Refused::Token));
    assert_eq!(house.asks(&node(1)).await.0, PairingReason::RoleUpgrade);
}

#[tokio::test]
async fn h_nobody_approves_more_than_they_hold() {
    let house = House::new();
    let clerk = Approver::Device(house.pair(&operator(1, &[PAIRING])).await.session);
    let reader = Approver::Device(house.pair(&operator(2, &[READ])).await.session);
    let no_rights = Approver::Device(house.pair(&operator(3, &[])).await.session);
    let a_node = Approver::Device(house.pair(&node(4)).await.session);
    for wanted in [&[ADMIN][..], &[READ], &[PAIRING, READ], &["operator.write"]] {
        let (_, id) = house.asks(&operator(9, wanted)).await;
        for by in [&clerk, &reader, &no_rights, &a_node] {
            assert!(
                matches!(house.approve(&id, by).await, Err(DeviceError::MissingScope(_))),
                "{wanted:?} {by:?}"
            );
        }
    }
    // Nothing is asked for: that gives nobody the right to say yes.
    let (_, id) = house.asks(&node(9)).await;
    for by in [&reader, &no_rights, &a_node] {
        assert!(matches!(house.approve(&id, by).await, Err(DeviceError::MissingScope(_))), "{by:?}");
        assert!(house.devices.reject(id.clone(), by.clone(), owner()).await.is_err(), "{by:?}");
    }
    house.approve(&id, &clerk).await.unwrap();
    // A clerk does not make themself more than a clerk.
    let (_, id) = house.asks(&operator(1, &[ADMIN])).await;
    assert!(matches!(house.approve(&id, &clerk).await, Err(DeviceError::MissingScope(_))));
}

#[tokio::test]
async fn h_nobody_decides_about_who_has_more() {
    let house = House::new();
    let admin = house.pair(&operator(1, &[ADMIN])).await;
    let clerk = Approver::Device(house.pair(&operator(2, &[PAIRING])).await.session);
    let reader = Approver::Device(house.pair(&operator(3, &[READ])).await.session);
    let id = admin.session.device;
    for by in [&clerk, &reader] {
        assert!(house.devices.remove(id, by.clone(), owner()).await.is_err());
        assert!(house.devices.revoke(id, Role::Operator, by.clone(), owner()).await.is_err());
        assert!(house.devices.clear(false, by.clone(), owner()).await.is_err());
        assert!(house.rotate(&admin, None, by).await.is_err());
    }
    assert!(house.devices.clear(true, reader, owner()).await.is_err(), "others' requests");
    assert!(house.devices.view().devices.stands(&admin.session));
}

#[tokio::test]
async fn h_a_setup_code_gives_what_it_was_made_for_and_to_one() {
    let house = House::new();
    let code = house.devices.invite(owner()).await.unwrap();
    let shown = Credential::Bootstrap(code.token.reveal().to_owned());
    let refused = Connected::Refused(Refused::Bootstrap);
    // Not another role, no rights, before and after its first use.
    for round in 0..2 {
        for other in [operator(1, &[]), operator(1, &[ADMIN]), ask(1, Role::Node, &[READ])] {
            assert_eq!(house.connect(&other, &shown).await, refused, "{round} {other:?}");
        }
        assert!(matches!(house.connect(&node(1), &shown).await, Connected::Pairing { .. }));
        assert_eq!(house.connect(&node(2), &shown).await, refused, "{round}");
    }
    let request = house.devices.view().devices.pending[0].clone();
    assert!(request.scopes.is_empty() && request.roles == [Role::Node]);
    house.approve(&request.id, &Approver::Owner).await.unwrap();
    assert_eq!(house.connect(&node(2), &shown).await, refused);
    let Connected::In(phone) = house.connect(&node(1), &shown).await else { panic!() };
    for device in [1, 2] {
        assert_eq!(house.connect(&node(device), &shown).await, refused, "replayed by {device}");
    }
    assert!(phone.scopes.is_empty());
    // What the phone reads is worth nothing after ten minutes, and is no secret that lasts.
    let code = house.devices.invite(owner()).await.unwrap();
    let text = SetupCode::new(&"wss://gate.example.org".parse().unwrap(), code.token, code.made_at).encode();
    let inside = SetupCode::decode(&text).unwrap().bootstrap_token().reveal().to_owned();
    assert_ne!(inside, phone.token.reveal());
    house.clock.advance(Duration::from_secs(600));
    assert_eq!(house.connect(&node(3), &Credential::Bootstrap(inside.clone())).await, refused);
    assert_eq!(house.connect(&node(1), &Credential::Token(inside)).await, Connected::Refused(Refused::Token));
}

/// A reconnect, another name, another platform, another request: none of them changes what the owner said.
#[tokio::test]
async fn h_a_reconnect_does_not_change_the_deal() {
    let house = House::new();
    // Seen as a plain node; turned into an administrator before the owner says yes, and back.
    let (_, seen) = house.asks(&node(1)).await;
    let (_, admin) = house.asks(&operator(1, &[ADMIN])).await;
    assert_eq!(house.approve(&seen, &Approver::Owner).await, Err(DeviceError::UnknownRequest));
    let (_, plain) = house.asks(&node(1)).await;
    assert_eq!(house.approve(&admin, &Approver::Owner).await, Err(DeviceError::UnknownRequest));
    house.approve(&plain, &Approver::Owner).await.unwrap();
    let device = house.devices.view().devices.paired[0].clone();
    assert!(device.approved().is_empty() && device.roles == [Role::Node], "nothing of what it asked before");
    let Connected::In(first) = house.connect(&node(1), &Credential::Secret).await else { panic!() };
    // Another machine under the same key is asked about, and what was approved stays what it was meanwhile.
    let mut other = node(1);
    other.description.platform = Some("ios".into());
    assert_eq!(house.asks(&other).await.0, PairingReason::MetadataUpgrade);
    assert!(matches!(house.connect(&other, &token(&first)).await, Connected::Pairing { .. }));
    let Connected::In(again) = house.connect(&node(1), &token(&first)).await else { panic!() };
    assert_eq!((again.scopes, again.token), (first.scopes, first.token));
}

/// The first one too, from wherever: a socket from this machine is no owner, and an address is no word of theirs.
#[tokio::test]
async fn h_nobody_is_in_before_the_owner_says_so_wherever_they_come_from() {
    let house = House::new();
    for remote_ip in [None, Some("127.0.0.1"), Some("::1"), Some("10.0.0.7"), Some("localhost")] {
        let from = |ask: Ask| Ask { remote_ip: remote_ip.map(str::to_owned), ..ask };
        for wanted in [from(node(1)), from(operator(1, &[])), from(operator(1, &[ADMIN]))] {
            let connected = house.connect(&wanted, &Credential::Secret).await;
            assert!(matches!(connected, Connected::Pairing { reason: PairingReason::NotPaired, .. }));
        }
    }
    assert!(house.devices.view().devices.paired.is_empty());
    // A trusted network is the owner's word for what is new and asks for nothing, and for nothing else.
    for wanted in [operator(1, &[]), operator(1, &[ADMIN]), ask(1, Role::Node, &[READ])] {
        house.asks(&Ask { is_trusted_network: true, ..wanted }).await;
    }
}

/// Something that looks like a token is there; that says nothing.
#[tokio::test]
async fn h_a_token_that_is_there_is_not_one_that_is_good() {
    let house = House::new();
    let first = house.pair(&node(1)).await;
    let text = first.token.reveal();
    for shown in ["", " ", "x", "null", "undefined", &text[1..], &format!("{text} "), &text.to_lowercase()] {
        for device in [1, 2] {
            let token = Credential::Token((*shown).to_owned());
            assert_eq!(
                house.connect(&node(device), &token).await,
                Connected::Refused(Refused::Token),
                "{shown}"
            );
            let code = Credential::Bootstrap((*shown).to_owned());
            assert_eq!(
                house.connect(&node(device), &code).await,
                Connected::Refused(Refused::Bootstrap),
                "{shown}"
            );
        }
    }
    assert_eq!(
        house.connect(&node(2), &token(&first)).await,
        Connected::Refused(Refused::Token),
        "another's"
    );
}

#[tokio::test]
async fn h_what_was_revoked_is_over_in_every_way() {
    let house = House::new();
    let wanted = operator(1, &[ADMIN]);
    let admin = house.pair(&wanted).await;
    let other = house.pair(&operator(2, &[ADMIN])).await;
    let id = admin.session.device;
    // A code that serves it and a request that waits are over with it.
    let code = house.devices.invite(owner()).await.unwrap();
    let code = Credential::Bootstrap(code.token.reveal().to_owned());
    let Connected::Pairing { request: Some(request), .. } = house.connect(&node(1), &code).await else {
        panic!()
    };
    house.devices.revoke(id, Role::Operator, Approver::Device(other.session.clone()), owner()).await.unwrap();
    let stands = |session| house.devices.view().devices.stands(session);
    assert!(!stands(&admin.session) && stands(&other.session));
    assert_eq!(house.connect(&wanted, &token(&admin)).await, Connected::Refused(Refused::Token));
    assert_eq!(house.connect(&node(1), &code).await, Connected::Refused(Refused::Bootstrap));
    assert_eq!(house.approve(&request.id, &Approver::Owner).await, Err(DeviceError::UnknownRequest));
    // As an approver, by rotation, by the secret, from a trusted network, from another process.
    let itself = Approver::Device(admin.session.clone());
    assert!(house.approve(&house.asks(&node(3)).await.1, &itself).await.is_err());
    for by in [&itself, &Approver::Owner, &Approver::Device(other.session.clone())] {
        assert!(house.rotate(&admin, None, by).await.is_err(), "{by:?}");
    }
    let anew = DeviceStore::open(FileOptions::new(house.temp.path()), house.clock.world()).unwrap();
    let trusted = Ask { is_trusted_network: true, ..wanted.clone() };
    for store in [&house.devices, &anew] {
        let connected = store.connect(trusted.clone(), Credential::Secret).await.unwrap();
        assert!(matches!(connected, Connected::Pairing { reason: PairingReason::RoleUpgrade, .. }));
    }
    // Only what is approved anew; the session that was ended does not stand again.
    let again = house.pair(&wanted).await;
    assert!(stands(&again.session) && !stands(&admin.session) && again.token != admin.token);
    // Removed, the same.
    house.devices.remove(id, Approver::Owner, owner()).await.unwrap();
    assert!(!stands(&again.session));
    let last = house.pair(&wanted).await;
    assert!(stands(&last.session) && !stands(&again.session));
    assert_eq!(house.connect(&wanted, &token(&again)).await, Connected::Refused(Refused::Token));
}

/// A node decides nothing, and its commands are nothing before they are approved.
#[tokio::test]
async fn h_a_node_is_no_operator_and_offers_nothing_before_it_is_approved() {
    let house = House::new();
    let mut greedy = house.pair(&ask(1, Role::Node, &[ADMIN, PAIRING])).await;
    let (_, id) = house.asks(&node(2)).await;
    let by = Approver::Device(greedy.session.clone());
    assert!(
        matches!(house.approve(&id, &by).await, Err(DeviceError::MissingScope(_))),
        "with all rights, as a node"
    );
    greedy.session.role = Role::Operator;
    let forged = Approver::Device(greedy.session);
    assert!(matches!(house.approve(&id, &forged).await, Err(DeviceError::MissingScope(_))), "it is none");
    let nodes = NodeStore::open(FileOptions::new(house.temp.path()), house.clock.world()).unwrap();
    let ask = |commands: &[&str]| NodeAsk {
        node_id: "n".into(),
        commands: Some(commands.iter().map(ToString::to_string).collect()),
        ..NodeAsk::default()
    };
    let first = nodes.request(ask(&["camera.snap"])).await.unwrap().unwrap().0;
    let again = nodes.request(ask(&["system.run"])).await.unwrap().unwrap();
    assert_eq!((&again.0, again.1), (&first, false), "what waits stays what the owner was shown");
    assert!(nodes.load().await.unwrap().paired.is_empty());
    let node = nodes.approve(first.id, owner()).await.unwrap();
    assert_eq!(node.ask.commands.unwrap(), ["camera.snap"]);
    nodes.request(ask(&["system.run"])).await.unwrap();
    let known = &nodes.load().await.unwrap().paired[0];
    assert_eq!(known.ask.commands.as_deref().unwrap(), ["camera.snap"]);
}
