//! Two accounts, in whatever order things happen to them.

use dmgate::pairing::{Surface, Target};
use dmgate::{AccountKey, DmPolicy, Limits, PendingScope};
use proptest::prelude::*;

use crate::scene::{BOTH, On, Scene, actor, id, key, limited, message};

#[derive(Clone, Copy, Debug)]
enum Act {
    Write(usize),
    Approve(usize),
    Reject(usize),
    Allow(usize),
    Revoke(usize),
    Block(usize),
    WrongCode,
}

const WHO: [&str; 5] = ["1", "2", "3", "4", "5"];

/// What an act comes to, as text.
async fn act(scene: &Scene, at: &AccountKey, act: Act) -> String {
    let meant = |target: Target| dmgate::pairing::Approval {
        target,
        account: Some(at.account().clone()),
        notify: false,
    };
    let store = scene.store();
    match act {
        Act::Write(who) => scene.gate.admit(&message(at, &[WHO[who]])).await.reason().to_string(),
        Act::Approve(who) => {
            let approval = meant(Target::Sender(id(WHO[who])));
            format!("{:?}", store.approve(at.channel(), approval, &actor()).await.map(|r| r.id))
        }
        Act::Reject(who) => {
            let approval = meant(Target::Sender(id(WHO[who])));
            format!("{:?}", store.reject(at.channel(), approval, false, &actor()).await.map(|r| r.id))
        }
        Act::Allow(who) => format!("{:?}", store.allow(at, &id(WHO[who]), &actor()).await),
        Act::Revoke(who) => format!("{:?}", store.revoke(at, &id(WHO[who]), &actor()).await),
        Act::Block(who) => format!("{:?}", store.block(at, &id(WHO[who]), &actor()).await),
        Act::WrongCode => {
            let wrong = dmgate::pairing::PairingCode::parse("ZZZZZZZZ").unwrap();
            let outside = dmgate::store::Actor { surface: Surface::Remote, ..actor() };
            let approval = meant(Target::Code(wrong));
            let said = store.approve(at.channel(), approval, &outside).await.map(|r| r.id);
            // The moment at which codes work again is the clock's.
            format!("{said:?}").split("until").next().unwrap_or_default().to_owned()
        }
    }
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..5_usize).prop_map(Act::Write),
        2 => (0..5_usize).prop_map(Act::Approve),
        1 => (0..5_usize).prop_map(Act::Reject),
        1 => (0..5_usize).prop_map(Act::Allow),
        1 => (0..5_usize).prop_map(Act::Revoke),
        1 => (0..5_usize).prop_map(Act::Block),
        1 => Just(Act::WrongCode),
    ]
}

fn scene(on: On) -> Scene {
    let limits = Limits { pending_scope: PendingScope::Account, ..Limits::default() };
    Scene::new(on).with(limited(DmPolicy::Pairing, &[], limits))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// What happens on one account is the same whether or not something happens on the other. Wrong codes count for a
    /// channel, so accounts of one channel are tried without them.
    #[test]
    fn i8_what_happens_on_one_account_is_nothing_to_the_other(
        history in prop::collection::vec((any::<bool>(), acts()), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pairs = [(key("alpha", "default"), key("alpha", "work")), (key("alpha", "default"), key("beta", "default"))];
        for on in BOTH {
            for (first, second) in &pairs {
                let counts = |one: Act| first.channel() != second.channel() || !matches!(one, Act::WrongCode);
                runtime.block_on(async {
                    let (both, alone) = (scene(on), scene(on));
                    for (on_first, one) in history.iter().filter(|(_, one)| counts(*one)) {
                        let at = if *on_first { first } else { second };
                        let said = act(&both, at, *one).await;
                        if *on_first {
                            assert_eq!(said, act(&alone, at, *one).await, "{one:?} on {at}");
                        }
                    }
                });
            }
        }
    }
}

/// Two requests with one code, as only a hand can make them: the first in the file is meant, and its account's list.
#[tokio::test]
async fn i4_i8_an_approval_asks_its_own_list_whether_the_sender_is_in() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new(On::Files);
    let work = key("alpha", "work");
    scene.store().allow(&work, &id("1"), &actor()).await.unwrap();
    let now = dmgate::Clock::now(&scene.clock);
    let request = |id: &str, account: &str| {
        format!(r#"{{"id":"{id}","code":"ABCDEFGH","createdAt":"{now}","meta":{{"accountId":"{account}"}}}}"#)
    };
    let text =
        format!(r#"{{"version":1,"requests":[{},{}]}}"#, request("1", "default"), request("2", "work"));
    let mut file = std::fs::File::create(scene.dir().join("alpha-pairing.json")).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    let code = dmgate::pairing::PairingCode::parse("abcdefgh").unwrap();
    assert_eq!(scene.approve(Target::Code(code.clone()), Surface::Local).await.unwrap().id, id("1"));
    assert_eq!(scene.says(&["1"]).await, "allowlisted");
    assert_eq!(scene.approve(Target::Code(code), Surface::Local).await.unwrap().id, id("2"));
}

/// Another program prunes to three, so that more than three a channel would not stay, whatever is configured.
#[tokio::test]
async fn i3_beside_another_program_the_cap_is_its_own() {
    let scene = Scene::new(On::Files);
    let mut options = dmgate::store::FileOptions::new(scene.state());
    options.shared_with_openclaw = true;
    let store = dmgate::store::FileStore::open(options, scene.clock.world()).unwrap();
    let given = Limits { pending_max: 7, pending_scope: PendingScope::Account, ..Limits::default() };
    let capped = Limits { pending_max: 3, pending_scope: PendingScope::Channel, ..given };
    assert_eq!(dmgate::store::Store::limits(&store, &given), capped);
    assert_eq!(scene.store().limits(&given), given);
}
