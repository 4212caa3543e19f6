mod adversary;

use super::*;
use crate::clock::OsEntropy;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + seconds * 1_000)
}

fn scopes(texts: &[&str]) -> Scopes {
    Scopes::parse(texts.iter().copied()).unwrap()
}

fn ask(seed: u8, role: Role, wanted: &[&str]) -> Ask {
    Ask {
        identity: Identity::unproven(PublicKey::from_bytes([seed; 32])),
        role,
        scopes: scopes(wanted),
        description: Description { platform: Some("linux".into()), ..Description::default() },
        remote_ip: None,
        is_trusted_network: false,
    }
}

fn connect(devices: &mut Devices, ask: &Ask, credential: &Credential, now: Timestamp) -> Connected {
    devices.connect(ask, credential, now, &OsEntropy).unwrap()
}

fn waits(connected: &Connected) -> (PairingReason, DeviceRequestId) {
    match connected {
        Connected::Pairing { reason, request: Some(request), .. } => (*reason, request.id.clone()),
        other => panic!("{other:?}"),
    }
}

fn is_in(connected: Connected) -> Admission {
    match connected {
        Connected::In(admission) => admission,
        other => panic!("{other:?}"),
    }
}

/// Asks, is approved, and comes in.
fn paired(devices: &mut Devices, ask: &Ask, now: Timestamp) -> Admission {
    let (_, id) = waits(&connect(devices, ask, &Credential::Secret, now));
    devices.approve(&id, &Approver::Owner, now, &OsEntropy).unwrap();
    is_in(connect(devices, ask, &Credential::Secret, now))
}

fn token(admission: &Admission) -> Credential {
    Credential::Token(admission.token.reveal().to_owned())
}

#[test]
fn i17_a_device_waits_is_approved_and_comes_back_by_its_token() {
    let (mut devices, node) = (Devices::default(), ask(1, Role::Node, &[]));
    let (reason, id) = waits(&connect(&mut devices, &node, &Credential::Secret, NOW));
    assert_eq!(reason, PairingReason::NotPaired);
    assert_eq!(
        waits(&connect(&mut devices, &node, &Credential::Secret, at(200))).1,
        id,
        "the same, and younger"
    );
    assert_eq!(devices.waiting(at(499)).len(), 1);
    assert_eq!(devices.waiting(at(500)).len(), 0, "it expires five minutes after it was last asked");
    let approved = devices.approve(&id, &Approver::Owner, at(300), &OsEntropy).unwrap();
    assert_eq!(approved.device.tokens.len(), 1);
    assert_eq!(
        devices.approve(&id, &Approver::Owner, at(300), &OsEntropy),
        Err(DeviceError::UnknownRequest),
        "once"
    );
    let first = is_in(connect(&mut devices, &node, &Credential::Secret, at(301)));
    let again = is_in(connect(&mut devices, &node, &token(&first), at(400)));
    assert!(again.token == first.token && again.scopes.is_empty());
    let other = connect(&mut devices, &ask(2, Role::Node, &[]), &token(&first), at(401));
    assert_eq!(other, Connected::Refused(Refused::Token), "another key's token is nobody's");
}

#[test]
fn i17_a_request_says_what_is_asked_now_and_nothing_else() {
    let mut devices = Devices::default();
    let (_, admin) =
        waits(&connect(&mut devices, &ask(1, Role::Operator, &[ADMIN]), &Credential::Secret, NOW));
    let (_, node) = waits(&connect(&mut devices, &ask(1, Role::Node, &[]), &Credential::Secret, at(1)));
    assert!(admin != node && devices.pending.len() == 1);
    let unknown = devices.approve(&admin, &Approver::Owner, at(2), &OsEntropy).unwrap_err();
    assert_eq!(unknown, DeviceError::UnknownRequest, "what was replaced can't be approved any more");
    let device = devices.approve(&node, &Approver::Owner, at(2), &OsEntropy).unwrap().device;
    assert!(device.approved().is_empty() && device.roles == [Role::Node]);
    let (reason, _) = waits(&connect(&mut devices, &ask(1, Role::Operator, &[]), &Credential::Secret, at(3)));
    assert_eq!(reason, PairingReason::RoleUpgrade);
    // Also another name or place is another request: the owner approves what they saw.
    let mut renamed = ask(2, Role::Node, &[]);
    let (_, plain) = waits(&connect(&mut devices, &renamed, &Credential::Secret, at(4)));
    renamed.description.display_name = Some("Ann's phone".into());
    assert_ne!(waits(&connect(&mut devices, &renamed, &Credential::Secret, at(5))).1, plain);
}

#[test]
fn i17_nobody_approves_what_they_have_not() {
    let mut devices = Devices::default();
    let clerk = paired(&mut devices, &ask(1, Role::Operator, &[PAIRING]), NOW);
    let (clerk_id, clerk) = (clerk.session.device, Approver::Device(clerk.session));
    for (wanted, missing) in
        [(&[ADMIN][..], Some(ADMIN)), (&["operator.read"], Some("operator.read")), (&[], None)]
    {
        let (_, id) =
            waits(&connect(&mut devices, &ask(2, Role::Operator, wanted), &Credential::Secret, NOW));
        let done = devices.approve(&id, &clerk, NOW, &OsEntropy).map(drop);
        let expected = missing.map(|scope| Err(DeviceError::MissingScope(Scope::parse(scope).unwrap())));
        assert_eq!(done, expected.unwrap_or(Ok(())), "{wanted:?}");
    }
    let reader = paired(&mut devices, &ask(3, Role::Operator, &["operator.read"]), NOW);
    let (_, id) = waits(&connect(&mut devices, &ask(4, Role::Node, &[]), &Credential::Secret, NOW));
    let done = devices.approve(&id, &Approver::Device(reader.session), NOW, &OsEntropy);
    assert_eq!(
        done,
        Err(DeviceError::MissingScope(Scope::parse(PAIRING).unwrap())),
        "also where nothing is asked"
    );
    // A session outlives nothing: its rights are those that its device has now.
    devices.revoke(&clerk_id, Role::Operator, &Approver::Owner, NOW).unwrap();
    assert!(devices.approve(&id, &clerk, NOW, &OsEntropy).is_err());
}

#[test]
fn i17_a_rotated_token_has_at_most_what_it_had() {
    let mut devices = Devices::default();
    let reader = paired(&mut devices, &ask(1, Role::Operator, &["operator.read"]), NOW);
    let clerk = paired(&mut devices, &ask(2, Role::Operator, &[PAIRING]), NOW);
    let (id, clerk) = (reader.session.device, Approver::Device(clerk.session));
    let mut rotate = |wanted: Option<&[&str]>, by: &Approver| {
        let wanted = wanted.map(scopes);
        devices.rotate(&id, Role::Operator, wanted.as_ref(), by, at(1), &OsEntropy).map(|grant| grant.scopes)
    };
    assert_eq!(rotate(Some(&[ADMIN]), &Approver::Owner), Err(DeviceError::RotationDenied));
    assert_eq!(rotate(None, &clerk), Err(DeviceError::RotationDenied), "it gives what it has not");
    assert_eq!(rotate(Some(&[]), &clerk), Err(DeviceError::RotationDenied), "an empty set is no way round");
    assert_eq!(rotate(None, &Approver::Owner), Ok(scopes(&["operator.read"])));
    let ask = ask(1, Role::Operator, &["operator.read"]);
    let old = connect(&mut devices, &ask, &token(&reader), at(2));
    assert_eq!(old, Connected::Refused(Refused::Token), "the one before works no more");
    assert!(devices.stands(&reader.session), "and the live session goes on");
}

#[test]
fn i17_what_was_revoked_comes_back_by_the_owner_only() {
    let mut devices = Devices::default();
    let wanted = ask(1, Role::Operator, &[ADMIN]);
    let admin = paired(&mut devices, &wanted, NOW);
    let node = paired(&mut devices, &ask(1, Role::Node, &[]), NOW);
    devices.revoke(&admin.session.device, Role::Operator, &Approver::Owner, at(1)).unwrap();
    assert!(!devices.stands(&admin.session) && devices.stands(&node.session));
    assert_eq!(connect(&mut devices, &wanted, &token(&admin), at(2)), Connected::Refused(Refused::Token));
    assert!(
        devices
            .rotate(&admin.session.device, Role::Operator, None, &Approver::Owner, at(2), &OsEntropy)
            .is_err()
    );
    let (reason, _) = waits(&connect(&mut devices, &wanted, &Credential::Secret, at(2)));
    assert_eq!(reason, PairingReason::RoleUpgrade, "the gateway's secret gives nothing back");
    assert!(
        devices.device(&admin.session.device).unwrap().approved().is_empty(),
        "nor does what was approved once"
    );
    // Approved for less, it has less.
    let (_, id) = waits(&connect(
        &mut devices,
        &ask(1, Role::Operator, &["operator.read"]),
        &Credential::Secret,
        at(3),
    ));
    devices.approve(&id, &Approver::Owner, at(3), &OsEntropy).unwrap();
    let (reason, _) = waits(&connect(&mut devices, &wanted, &Credential::Secret, at(4)));
    assert_eq!(reason, PairingReason::ScopeUpgrade);
    // Removed, it is as if it had never been here.
    devices.remove(&admin.session.device, &Approver::Owner).unwrap();
    assert!(!devices.stands(&node.session) && devices.pending.is_empty());
    assert_eq!(
        waits(&connect(&mut devices, &wanted, &Credential::Secret, at(5))).0,
        PairingReason::NotPaired
    );
}

#[test]
fn i17_a_setup_code_serves_one_key_until_its_pairing_is_decided() {
    let (mut devices, phone, thief) = (Devices::default(), ask(1, Role::Node, &[]), ask(2, Role::Node, &[]));
    let code = devices.invite(NOW, &OsEntropy).unwrap();
    let shown = Credential::Bootstrap(code.token.reveal().to_owned());
    for (wrong, why) in
        [(ask(1, Role::Operator, &[]), "role"), (ask(1, Role::Node, &["operator.read"]), "rights")]
    {
        assert_eq!(
            connect(&mut devices, &wrong, &shown, NOW),
            Connected::Refused(Refused::Bootstrap),
            "{why}"
        );
    }
    assert_eq!(devices.bootstrap[0].device_id, None, "what it does not serve does not use it up");
    let (_, id) = waits(&connect(&mut devices, &phone, &shown, at(1)));
    assert_eq!(connect(&mut devices, &thief, &shown, at(2)), Connected::Refused(Refused::Bootstrap));
    assert_eq!(waits(&connect(&mut devices, &phone, &shown, at(3))).1, id, "the same phone may try again");
    devices.approve(&id, &Approver::Owner, at(4), &OsEntropy).unwrap();
    let admission = is_in(connect(&mut devices, &phone, &shown, at(5)));
    assert!(devices.bootstrap.is_empty(), "it has what it came for");
    for who in [&phone, &thief] {
        assert_eq!(connect(&mut devices, who, &shown, at(6)), Connected::Refused(Refused::Bootstrap));
    }
    is_in(connect(&mut devices, &phone, &token(&admission), at(7)));

    // Rejected, it is dead; and ten minutes are its end in any case.
    let code = devices.invite(at(10), &OsEntropy).unwrap();
    let shown = Credential::Bootstrap(code.token.reveal().to_owned());
    let (_, id) = waits(&connect(&mut devices, &thief, &shown, at(11)));
    devices.reject(&id, &Approver::Owner, at(12)).unwrap();
    assert_eq!(connect(&mut devices, &thief, &shown, at(13)), Connected::Refused(Refused::Bootstrap));
    let code = devices.invite(at(20), &OsEntropy).unwrap();
    let shown = Credential::Bootstrap(code.token.reveal().to_owned());
    waits(&connect(&mut devices, &thief, &shown, at(619)));
    assert_eq!(connect(&mut devices, &thief, &shown, at(620)), Connected::Refused(Refused::Bootstrap));
}

#[test]
fn i17_another_machine_under_the_same_key_is_asked_about() {
    let mut devices = Devices::default();
    let mut node = ask(1, Role::Node, &[]);
    let admission = paired(&mut devices, &node, NOW);
    node.description.platform = Some("LINUX ".into());
    is_in(connect(&mut devices, &node, &token(&admission), at(1)));
    for other in [Some("windows".to_owned()), None] {
        node.description.platform = other;
        let (reason, _) = waits(&connect(&mut devices, &node, &token(&admission), at(2)));
        assert_eq!(reason, PairingReason::MetadataUpgrade);
    }
}

#[test]
fn i17_a_trusted_network_lets_in_what_is_new_and_asks_for_nothing() {
    let mut devices = Devices::default();
    let trusted = |seed, role, wanted: &[&str]| Ask { is_trusted_network: true, ..ask(seed, role, wanted) };
    let node = is_in(connect(&mut devices, &trusted(1, Role::Node, &[]), &Credential::Secret, NOW));
    for (role, wanted) in
        [(Role::Node, &["operator.read"][..]), (Role::Operator, &[]), (Role::Operator, &[ADMIN])]
    {
        waits(&connect(&mut devices, &trusted(2, role, wanted), &Credential::Secret, NOW));
    }
    devices.revoke(&node.session.device, Role::Node, &Approver::Owner, at(1)).unwrap();
    let (reason, _) = waits(&connect(&mut devices, &trusted(1, Role::Node, &[]), &Credential::Secret, at(2)));
    assert_eq!(reason, PairingReason::RoleUpgrade, "who was sent away is not new");
}

#[test]
fn requests_are_bounded_and_nobody_pushes_another_out() {
    let mut devices = Devices::default();
    for seed in 0..32 {
        waits(&connect(&mut devices, &ask(seed, Role::Node, &[]), &Credential::Secret, NOW));
    }
    let more = connect(&mut devices, &ask(99, Role::Node, &[]), &Credential::Secret, NOW);
    assert!(matches!(more, Connected::Pairing { request: None, .. }), "{more:?}");
    waits(&connect(&mut devices, &ask(3, Role::Operator, &[]), &Credential::Secret, at(1)));
    assert_eq!(devices.pending.len(), MOST_REQUESTS);
    waits(&connect(&mut devices, &ask(99, Role::Node, &[]), &Credential::Secret, at(300)));
    assert_eq!(devices.pending.len(), 2, "the others expired");
}

#[test]
fn nobody_takes_from_a_device_what_they_could_not_give_it() {
    let mut devices = Devices::default();
    let admin = paired(&mut devices, &ask(1, Role::Operator, &[ADMIN]), NOW);
    let clerk = Approver::Device(paired(&mut devices, &ask(2, Role::Operator, &[PAIRING]), NOW).session);
    let id = admin.session.device;
    assert!(matches!(devices.remove(&id, &clerk), Err(DeviceError::MissingScope(_))));
    assert!(matches!(devices.revoke(&id, Role::Operator, &clerk, NOW), Err(DeviceError::MissingScope(_))));
    assert!(matches!(devices.clear(false, &clerk, NOW), Err(DeviceError::MissingScope(_))));
    assert!(devices.stands(&admin.session));
    devices.remove(&id, &Approver::Device(admin.session)).unwrap();
    assert_eq!(devices.remove(&id, &clerk).unwrap_err(), DeviceError::UnknownDevice);
}

#[test]
fn an_interrupted_approval_leaves_no_request_behind() {
    let (mut devices, node) = (Devices::default(), ask(1, Role::Node, &[]));
    let (_, id) = waits(&connect(&mut devices, &node, &Credential::Secret, NOW));
    let waiting = devices.pending.clone();
    devices.approve(&id, &Approver::Owner, at(1), &OsEntropy).unwrap();
    // The writer died after the devices were written, and before the requests were.
    devices.pending.clone_from(&waiting);
    devices.upkeep(at(2));
    assert!(devices.pending.is_empty());
    // A request for more than was approved is none that was decided.
    devices.pending = waiting;
    devices.pending[0].scopes = scopes(&["operator.read"]);
    devices.upkeep(at(2));
    assert_eq!(devices.pending.len(), 1);
}
