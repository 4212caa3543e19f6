//! What is not provably one-to-one.

use dmgate::{Conversation, DmPolicy, InboundMessage};
use proptest::prelude::*;

use crate::scene::{BOTH, Scene, alpha, message, policy};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the owner granted in direct messages, a group is answered the same.
    #[test]
    fn i16_a_grant_opens_no_group(
        dm in prop_oneof![Just(DmPolicy::Pairing), Just(DmPolicy::Allowlist), Just(DmPolicy::Open)],
        listed in any::<bool>(),
        star in any::<bool>(),
        approved in any::<bool>(),
        blocked in any::<bool>(),
        waiting in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for on in BOTH {
            for conversation in [Conversation::Group, Conversation::Unknown] {
                let verdict = |grants: bool| runtime.block_on(async {
                    let scene = Scene::new(on);
                    if grants && waiting {
                        scene.code(&["1"]).await;
                    }
                    if grants && approved {
                        scene.allow("1").await;
                    }
                    if grants && blocked {
                        scene.block("1").await;
                    }
                    let mut entries = Vec::new();
                    entries.extend((grants && listed).then_some("1"));
                    entries.extend((grants && star && dm == DmPolicy::Open).then_some("*"));
                    let scene = scene.with(policy(dm, &entries));
                    let before = scene.store().load(&alpha()).await.revision;
                    let message = InboundMessage { conversation, ..message(&alpha(), &["1"]) };
                    let verdict = scene.verdict(&message).await;
                    assert_eq!(scene.store().load(&alpha()).await.revision, before, "nothing changed");
                    verdict
                });
                prop_assert_eq!(verdict(true), verdict(false));
            }
        }
    }
}
