//! Clocks that step, and stamps of the future.

use std::time::Duration;

use dmgate::pairing::Target;
use dmgate::testing::ManualClock;
use dmgate::{Clock as _, Timestamp};

use crate::scene::{BOTH, On, Scene, actor, alpha, id};

const HOUR: i64 = 3_600_000;

async fn reject(scene: &Scene, who: &str) {
    let target = Target::Sender(id(who));
    let rejection = dmgate::pairing::Approval { target, account: None, notify: false };
    scene.store().reject(alpha().channel(), rejection, false, &actor()).await.unwrap();
}

#[tokio::test]
async fn i2_a_clock_that_is_set_back_opens_no_hour() {
    for on in BOTH {
        for back in [-1, -1_000, -HOUR, -2 * HOUR, -400 * 24 * HOUR] {
            let scene = Scene::new(on);
            scene.code(&["1"]).await;
            reject(&scene, "1").await;
            scene.clock.step(back);
            assert_eq!(scene.says(&["1"]).await, "hour_used", "{back}");
            scene.minutes(60);
            assert_eq!(scene.says(&["1"]).await, "hour_used", "{back}");
            // After a small step the stamp itself comes into its hour again.
            let rest = if back < -HOUR { 1 } else { 1 - back };
            scene.clock.advance(Duration::from_millis(rest.unsigned_abs()));
            assert_eq!(scene.says(&["1"]).await, "pairing_required", "{back}");
        }
    }
}

#[tokio::test]
async fn i2_a_clock_that_is_set_forth_and_back_opens_no_hour() {
    for on in BOTH {
        let scene = Scene::new(on);
        scene.code(&["1"]).await;
        reject(&scene, "1").await;
        scene.clock.step(2 * HOUR);
        scene.block("somebody").await;
        scene.code(&["2"]).await;
        scene.clock.step(-2 * HOUR);
        assert_eq!(scene.says(&["1"]).await, "hour_used");
        assert_eq!(scene.says(&["2"]).await, "already_pending");
    }
}

/// As long as the machine runs, its own clock tells a step from time that goes by; after a start only the wall clock is left.
#[tokio::test]
async fn i2_a_clock_that_is_set_back_and_forth_by_hours_gives_no_second_code() {
    for on in BOTH {
        for steps in [[2 * HOUR, 0], [-2 * HOUR, 4 * HOUR], [2 * HOUR, -2 * HOUR], [400 * 24 * HOUR, -HOUR]] {
            for restarts in [false, true] {
                let scene = Scene::new(on);
                scene.code(&["1"]).await;
                reject(&scene, "1").await;
                for step in steps {
                    scene.clock.step(step);
                    // Something is written meanwhile: what is kept is what the next one finds.
                    scene.block("somebody").await;
                    assert_eq!(scene.says(&["1"]).await, "hour_used", "{steps:?}");
                    scene.minutes(30);
                }
                if restarts {
                    scene.clock.reboot();
                }
                let by_the_wall = steps[0] + steps[1] <= 0;
                let wanted = if restarts && !by_the_wall { "pairing_required" } else { "hour_used" };
                assert_eq!(scene.says(&["1"]).await, wanted, "{steps:?} {restarts}");
                scene.clock.advance(Duration::from_millis(1));
                let wanted = if restarts && !by_the_wall { "already_pending" } else { "pairing_required" };
                assert_eq!(scene.says(&["1"]).await, wanted, "{steps:?} {restarts}");
            }
        }
    }
}

#[tokio::test]
async fn i2_a_clock_at_1970_locks_nobody_out_for_years() {
    for on in BOTH {
        let scene = Scene::new(on);
        scene.code(&["1"]).await;
        scene.clock.step(5_000 - scene.clock.now().as_millis());
        assert_eq!(scene.says(&["1"]).await, "already_pending");
        assert_eq!(scene.says(&["2"]).await, "pairing_required");
        scene.minutes(61);
        assert_eq!(scene.says(&["1"]).await, "pairing_required");
    }
}

/// Two programs on the same files, and the clock of one is wrong: whoever gave the code, the other gives none within the
/// hour, and nobody is shut out for longer than an hour after that.
#[tokio::test]
async fn i2_i3_programs_whose_clocks_differ_give_one_code_between_them() {
    const FAR: i64 = 200_000_000_000_000;
    let now = ManualClock::now().now().as_millis();
    for wrong in [-2 * HOUR, -HOUR, -1, 1, HOUR, 2 * HOUR, FAR, 5_000 - now] {
        for first_is_wrong in [false, true] {
            let right = Scene::new(On::Files);
            let other = right.another_at(ManualClock::at(right.clock.now().as_millis() + wrong));
            let (first, second) = if first_is_wrong { (&other, &right) } else { (&right, &other) };
            let what = format!("{wrong} {first_is_wrong}");
            // To whom the code is more than an hour old when it is made, an hour went by: nothing tells the difference.
            if second.clock.now().as_millis() - first.clock.now().as_millis() > HOUR {
                continue;
            }
            first.code(&["1"]).await;
            first.code(&["2"]).await;
            reject(first, "1").await;
            for _ in 0..3 {
                for who in ["1", "2"] {
                    // The code may run out early, by the clock that is ahead.
                    assert_ne!(second.says(&[who]).await, "pairing_required", "{what}");
                    assert_ne!(first.says(&[who]).await, "pairing_required", "{what}");
                }
                // Each writes, and sees what the other wrote.
                second.block("x").await;
                first.block("y").await;
            }
            // Time goes by for both: the hour, and another one when the clock comes to the stamp that lay ahead.
            for clock in [&right.clock, &other.clock] {
                clock.advance(Duration::from_secs(3 * 3_600 + 1));
            }
            assert_eq!(right.says(&["1"]).await, "pairing_required", "{what}");
        }
    }
}

/// What the neighbour wrote with a clock that is a year ahead.
#[tokio::test]
async fn i2_i3_stamps_of_the_future_are_taken_as_now() {
    let scene = Scene::new(On::Files);
    let ahead = Timestamp::from_millis(scene.clock.now().as_millis() + 365 * 24 * HOUR);
    let request = |id: &str, code: &str| {
        format!(
            r#"{{"id":"{id}","code":"{code}","createdAt":"{ahead}","lastSeenAt":"{ahead}","meta":{{"accountId":"default"}}}}"#
        )
    };
    let text =
        format!(r#"{{"version":1,"requests":[{},{}]}}"#, request("1", "AAAAAAAA"), request("2", "BBBBBBBB"));
    write(&scene, "alpha-pairing.json", &text);
    assert_eq!(scene.says(&["1"]).await, "already_pending");
    scene.code(&["3"]).await;
    assert_eq!(scene.says(&["4"]).await, "pending_full", "they count");
    scene.minutes(61);
    assert_eq!(scene.says(&["4"]).await, "pairing_required", "and not for a year");
    assert_eq!(scene.says(&["1"]).await, "pairing_required");
}

/// What only the neighbour understands takes its slot as long as it does there, and not for years.
#[tokio::test]
async fn i3_requests_that_we_do_not_understand_take_slots() {
    let scene = Scene::new(On::Files);
    let now = scene.clock.now().as_millis();
    let text = |at: i64| {
        let stamp = Timestamp::from_millis(at);
        let request = |id: u32| {
            format!(
                r#"{{"id":"{id}","code":"AAAAAAA{id}","createdAt":"{stamp}","meta":{{"accountId":"our account"}}}}"#
            )
        };
        format!(r#"{{"version":1,"requests":[{},{}]}}"#, request(2), request(3))
    };
    write(&scene, "alpha-pairing.json", &text(now));
    scene.code(&["1"]).await;
    assert_eq!(scene.says(&["2"]).await, "pending_full", "the other account is no account of ours");
    scene.minutes(61);
    assert_eq!(scene.says(&["2"]).await, "pairing_required");
    let scene = Scene::new(On::Files);
    write(&scene, "alpha-pairing.json", &text(now + 365 * 24 * HOUR));
    for who in ["1", "2", "3"] {
        scene.code(&[who]).await;
    }
}

fn write(scene: &Scene, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = scene.dir().join(name);
    let mut file = std::fs::File::create(&path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
}
