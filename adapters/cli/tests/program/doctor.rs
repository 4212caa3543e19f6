//! `dmgate doctor`.

use crate::place::Place;

#[test]
fn a_sound_place_has_nothing_broken() {
    let place = Place::new();
    let done = place.run(&["doctor"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("there is no state directory"), "{}", done.out);
    assert!(!place.state().exists(), "it changes nothing");
    place.ok("allow add telegram 5");
    assert!(place.ok("doctor").ends_with("Nothing is broken.\n"));
}

#[test]
fn a_bad_configuration_is_a_finding() {
    let place = Place::with_config("[agnet]");
    let done = place.run(&["doctor"]);
    assert_eq!((done.code, done.err.as_str()), (1, ""), "{done:?}");
    assert!(done.out.contains("did you mean `agent`?"), "{}", done.out);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&place.run(&["doctor", "--json"]).out).unwrap();
    assert_eq!(rows[0]["level"], "error");
    assert!(rows.iter().all(|row| ["subject", "problem", "mend"].iter().all(|key| row[key].is_string())));
}

#[test]
fn what_a_channel_lacks_is_a_finding() {
    let place = Place::with_config("[channels.telegram]\n");
    let done = place.run(&["doctor"]);
    assert_eq!(done.code, 1);
    assert!(done.out.contains("telegram:default: `token` is missing"), "{}", done.out);
}

#[test]
fn a_secret_that_others_may_read_is_a_finding() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_config("[channels.telegram]\ntoken_file = 'token'\n");
    let token = place.state().join("token");
    std::fs::write(&token, "1:x").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let done = place.run(&["doctor"]);
    assert!(done.out.contains(&format!("chmod go-r {}", token.display())), "{done:?}");
}

/// Others may not write into the state directory, but put another one in its place.
#[test]
fn i_a_folder_above_that_everybody_writes_to_is_a_finding() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.ok("allow add telegram 5");
    let open = |mode| std::fs::set_permissions(place.home(), std::fs::Permissions::from_mode(mode)).unwrap();
    for (mode, is_told) in [(0o777, true), (0o1777, false), (0o755, false)] {
        open(mode);
        let said = place.ok("doctor");
        assert_eq!(said.contains("in the place of the one with the state"), is_told, "{mode:o}: {said}");
    }
}
