//! Guessing, and what stays possible meanwhile.

use dmgate::pairing::{PairingCode, Surface, Target};

use crate::scene::{BOTH, On, Scene};

fn wrong() -> Target {
    Target::Code(PairingCode::parse("ZZZZZZZZ").unwrap())
}

#[tokio::test]
async fn i12_five_wrong_codes_lock_codes_out_for_a_quarter_of_an_hour() {
    for on in BOTH {
        let scene = Scene::new(on);
        let right = Target::Code(scene.code(&["1"]).await);
        for _ in 0..5 {
            let said = scene.approve(wrong(), Surface::Remote).await.unwrap_err();
            assert!(said.to_string().contains("no pending request matches"), "{said}");
        }
        scene.minutes(14);
        let said = scene.approve(right.clone(), Surface::Remote).await.unwrap_err().to_string();
        assert!(said.contains("too many wrong codes") && !said.contains("ZZZZ"), "{said}");
        assert_eq!(scene.says(&["1"]).await, "already_pending");
        scene.minutes(1);
        scene.approve(right, Surface::Remote).await.unwrap();
        assert_eq!(scene.says(&["1"]).await, "allowlisted");
    }
}

#[tokio::test]
async fn i12_a_lock_out_outlives_the_program_and_holds_in_every_process() {
    let scene = Scene::new(On::Files);
    let right = Target::Code(scene.code(&["1"]).await);
    for guess in 0..5 {
        // Each from a process of its own.
        assert!(scene.another().approve(wrong(), Surface::Remote).await.is_err(), "{guess}");
    }
    assert!(scene.approve(right.clone(), Surface::Remote).await.is_err());
    assert!(scene.another().approve(right.clone(), Surface::Remote).await.is_err());
    scene.another().approve(right, Surface::Local).await.unwrap();
}

#[tokio::test]
async fn i12_a_lock_out_that_a_clock_ahead_has_set_does_not_last_for_years() {
    for on in BOTH {
        let scene = Scene::new(on);
        scene.clock.step(365 * 86_400_000);
        for _ in 0..5 {
            assert!(scene.approve(wrong(), Surface::Remote).await.is_err());
        }
        scene.clock.step(-365 * 86_400_000);
        let right = Target::Code(scene.code(&["1"]).await);
        assert!(scene.approve(right.clone(), Surface::Remote).await.is_err(), "locked all the same");
        scene.minutes(15);
        scene.approve(right, Surface::Remote).await.unwrap();
    }
}

#[tokio::test]
async fn i12_no_code_is_shown_but_to_whom_it_belongs() {
    for on in BOTH {
        let scene = Scene::new(on);
        let decision = scene.gate.admit(&crate::scene::message(&crate::scene::alpha(), &["1"])).await;
        let shown = format!("{decision:?}");
        let dmgate::Decision::Challenge(challenge) = decision else { panic!("a code") };
        assert!(challenge.reply.contains(challenge.code.reveal()));
        let state = scene.store().load(&crate::scene::alpha()).await;
        for text in [shown, format!("{challenge:?}"), format!("{state:?}")] {
            assert!(!text.contains(challenge.code.reveal()), "{text}");
        }
    }
}
