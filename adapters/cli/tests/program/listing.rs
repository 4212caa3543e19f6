//! `dmgate pairing list`: what people and scripts read.

use crate::place::Place;

/// A listing with what differs from run to run put in a fixed form.
fn masked(json: &str) -> String {
    let mut out = Vec::new();
    for line in json.lines() {
        let key = ["requestId", "code", "createdAt", "lastSeenAt"]
            .into_iter()
            .find(|key| line.contains(&format!("\"{key}\"")));
        out.push(match key {
            Some(key) => format!(
                "{}\"{key}\": …{}",
                &line[..line.find('"').unwrap()],
                if line.ends_with(',') { "," } else { "" }
            ),
            None => line.to_owned(),
        });
    }
    out.join("\n")
}

#[test]
fn the_json_of_a_channel_is_a_contract() {
    let place = Place::new();
    place.run(&["admit", "telegram", "5", "--name", "Ann"]);
    place.code("telegram 6 --account work");
    assert_eq!(
        masked(&place.ok("pairing list telegram --json")),
        r#"{
  "channel": "telegram",
  "requests": [
    {
      "requestId": …,
      "id": "5",
      "code": …,
      "createdAt": …,
      "lastSeenAt": …,
      "meta": {
        "name": "Ann",
        "accountId": "default"
      }
    },
    {
      "requestId": …,
      "id": "6",
      "code": …,
      "createdAt": …,
      "lastSeenAt": …,
      "meta": {
        "accountId": "work"
      }
    }
  ]
}"#
    );
    let work: serde_json::Value =
        serde_json::from_str(&place.ok("pairing list telegram --account work --json")).unwrap();
    assert_eq!(work["requests"].as_array().unwrap().len(), 1);
    let stamp = work["requests"][0]["createdAt"].as_str().unwrap();
    assert_eq!((stamp.len(), &stamp[10..11], &stamp[23..]), (24, "T", "Z"));
}

#[test]
fn without_a_channel_there_is_an_array() {
    let place = Place::new();
    place.code("telegram 5");
    place.code("signal +4915112345678");
    let all: serde_json::Value = serde_json::from_str(&place.ok("pairing list --json")).unwrap();
    let channels: Vec<&str> =
        all.as_array().unwrap().iter().map(|one| one["channel"].as_str().unwrap()).collect();
    assert_eq!(channels, ["signal", "telegram"]);
    assert_eq!(place.ok("pairing list irc --json"), "{\n  \"channel\": \"irc\",\n  \"requests\": []\n}\n");
    assert_eq!(place.ok("pairing list irc"), "No pending pairing requests for irc.\n");
}

#[test]
fn names_that_strangers_chose_are_escaped() {
    let place = Place::new();
    place.run(&["admit", "telegram", "5", "--name", "A\u{1b}[2Jn\u{202e}n\nX  FAKE  ROW"]);
    let text = place.ok("pairing list");
    assert!(!text.contains(['\u{1b}', '\u{202e}']) && text.contains("A\\u{1b}[2Jn"), "{text:?}");
    assert_eq!(text.lines().count(), 4, "{text}");
}

/// A name as wide as the rest of a terminal's line, and behind it what looks like the row of somebody else.
#[test]
fn f_no_name_looks_like_a_row_of_its_own() {
    let place = Place::new();
    let code = place.code("telegram 666");
    for (sender, blank) in [("667", " "), ("668", "\u{2003}")] {
        let name = format!("Ann{}{code}  telegram  default  12345678  Mother", blank.repeat(60));
        place.run(&["admit", "telegram", sender, "--name", &name]);
    }
    let text = place.ok("pairing list");
    assert_eq!(text.matches(&format!("{code}  ")).count(), 1, "{text}");
    assert!(!text.contains("12345678") && text.lines().all(|line| line.chars().count() < 140), "{text}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    use std::io::Read;
    use std::process::Stdio;
    let place = Place::new();
    let mut program = place.program();
    program.args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    drop(child.stdout.take());
    let mut trouble = String::new();
    child.stderr.take().unwrap().read_to_string(&mut trouble).unwrap();
    assert!(child.wait().unwrap().code().is_some());
    assert_eq!(trouble, "");
}
