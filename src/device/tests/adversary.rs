//! What somebody tries who wants more than the owner gave, or has another program's files to offer.

use super::*;

#[test]
fn i17_a_session_that_was_ended_does_not_stand_again() {
    for ends in [true, false] {
        let (mut devices, node) = (Devices::default(), ask(1, Role::Node, &[]));
        let first = paired(&mut devices, &node, NOW);
        let id = first.session.device;
        devices.rotate(&id, Role::Node, None, &Approver::Owner, at(1), &OsEntropy).unwrap();
        assert!(devices.stands(&first.session), "a new token ends no session");
        if ends {
            devices.revoke(&id, Role::Node, &Approver::Owner, at(2)).unwrap();
        } else {
            devices.remove(&id, &Approver::Owner).unwrap();
        }
        // Approved again before anybody looked at the sessions.
        let second = paired(&mut devices, &node, at(3));
        assert!(!devices.stands(&first.session) && devices.stands(&second.session));
    }
}

#[test]
fn i17_a_token_that_another_program_made_wider_is_worth_what_was_approved() {
    let mut devices = Devices::default();
    let mut wanted = ask(1, Role::Operator, &["operator.read"]);
    let reader = paired(&mut devices, &wanted, NOW);
    let id = reader.session.device;
    devices.paired[0].tokens.get_mut(&Role::Operator).unwrap().scopes = scopes(&[ADMIN, "operator.read"]);
    assert_eq!(is_in(connect(&mut devices, &wanted, &token(&reader), at(1))).scopes, wanted.scopes);
    wanted.scopes = scopes(&[ADMIN]);
    assert_eq!(connect(&mut devices, &wanted, &token(&reader), at(1)), Connected::Refused(Refused::Token));
    let (reason, _) = waits(&connect(&mut devices, &wanted, &Credential::Secret, at(1)));
    assert_eq!(reason, PairingReason::ScopeUpgrade);
    let as_admin = Session { scopes: scopes(&[ADMIN]), ..reader.session };
    assert!(!devices.stands(&as_admin));
    let rotated = devices.rotate(&id, Role::Operator, None, &Approver::Owner, at(2), &OsEntropy).unwrap();
    assert_eq!(rotated.scopes, scopes(&["operator.read"]));
}

#[test]
fn i17_a_code_is_dead_once_its_device_is_in_also_where_nobody_is_asked() {
    let mut devices = Devices::default();
    let code = devices.invite(NOW, &OsEntropy).unwrap();
    let shown = Credential::Bootstrap(code.token.reveal().to_owned());
    let phone = Ask { is_trusted_network: true, ..ask(1, Role::Node, &[]) };
    is_in(connect(&mut devices, &phone, &shown, NOW));
    assert!(devices.bootstrap.is_empty());
    assert_eq!(connect(&mut devices, &phone, &shown, NOW), Connected::Refused(Refused::Bootstrap));
}

#[test]
fn a_trusted_network_does_not_fill_the_disk() {
    let mut devices = Devices::default();
    let node = |number: u16| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_le_bytes());
        let identity = Identity::unproven(PublicKey::from_bytes(key));
        Ask { identity, is_trusted_network: true, ..ask(0, Role::Node, &[]) }
    };
    let most = u16::try_from(connect::MOST_UNASKED).unwrap();
    for number in 0..most {
        is_in(connect(&mut devices, &node(number), &Credential::Secret, NOW));
    }
    waits(&connect(&mut devices, &node(most), &Credential::Secret, NOW));
    is_in(connect(&mut devices, &node(0), &Credential::Secret, NOW));
}

#[test]
fn what_a_device_says_about_itself_is_cut() {
    let mut devices = Devices::default();
    let mut node = ask(1, Role::Node, &[]);
    node.description.display_name = Some(format!(" {}", "x".repeat(1_000)));
    node.description.client_id = Some("  ".into());
    let (_, id) = waits(&connect(&mut devices, &node, &Credential::Secret, NOW));
    let noted = &devices.pending[0].description;
    assert_eq!((noted.display_name.as_deref(), &noted.client_id), (Some(&*"x".repeat(128)), &None));
    assert_eq!(waits(&connect(&mut devices, &node, &Credential::Secret, at(1))).1, id, "the same again");
    devices.approve(&id, &Approver::Owner, at(1), &OsEntropy).unwrap();
    is_in(connect(&mut devices, &node, &Credential::Secret, at(2)));
    assert_eq!(devices.paired[0].description.display_name.as_ref().map(String::len), Some(128));
}

#[test]
fn an_entry_with_another_key_than_its_own_lets_nobody_in_and_can_be_removed() {
    let (mut devices, node) = (Devices::default(), ask(1, Role::Node, &[]));
    let admission = paired(&mut devices, &node, NOW);
    let id = admission.session.device;
    devices.paired[0].public_key = PublicKey::from_bytes([2; 32]);
    devices.paired[0].approved_at = at(900);
    assert_eq!(connect(&mut devices, &node, &token(&admission), at(1)), Connected::Refused(Refused::Token));
    assert!(!devices.stands(&admission.session));
    waits(&connect(&mut devices, &node, &Credential::Secret, at(1)));
    devices.upkeep(at(2));
    assert_eq!(devices.pending.len(), 1, "nothing was decided about it");
    let mut cleared = devices.clone();
    assert_eq!(cleared.clear(false, &Approver::Owner, at(2)).unwrap().devices, [id]);
    devices.remove(&id, &Approver::Owner).unwrap();
    assert!(devices.paired.is_empty());
}

#[test]
fn a_node_says_nothing_that_is_ours_to_say() {
    let mut nodes = Nodes::default();
    let said = r#"{"nodeId": "n", "token": "mine", "requestId": "r", "ts": 1, "version": "1"}"#;
    let asked = nodes.request(serde_json::from_str(said).unwrap(), NOW, &OsEntropy).unwrap().unwrap().0;
    let node = nodes.approve(&asked.id, NOW, &OsEntropy).unwrap();
    let written = serde_json::to_string(&node).unwrap();
    assert_eq!(serde_json::from_str::<PairedNode>(&written).unwrap(), node);
    assert!(!written.contains("mine") && written.contains("version"), "{written}");
}
