//! The rules of pairing, without a store.

use super::*;
use crate::clock::OsEntropy;
use crate::decision::Reason;
use crate::message::{ChannelId, Sender, Source};
use crate::policy::{HOUR, Limits, PendingScope};

fn id(text: &str) -> SenderId {
    SenderId::parse(&ChannelId::parse("custom").unwrap(), text).unwrap()
}

fn account(name: &str) -> AccountId {
    AccountId::parse(name).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A request of another program.
fn foreign(of: &str, sender: &str, created_at: i64) -> Request {
    Request {
        request: RequestId::from_text(&format!("{of} {sender}")),
        account: account(of),
        id: id(sender),
        aliases: Vec::new(),
        code: PairingCode::draw(&OsEntropy, &[].iter()).unwrap(),
        created_at: at(created_at),
        last_seen_at: at(created_at),
        meta: Vec::new(),
        source: None,
        ttl: HOUR,
        ours: false,
    }
}

fn hour(of: &str, request: &str, ids: &[&str], at: i64) -> Hour {
    let ids = ids.iter().map(ToString::to_string).collect();
    let request = RequestId::from_text(request);
    Hour { request, account: of.into(), ids, at, ttl: 3_600_000, from: None, uptime: None, route: None }
}

fn refusal(state: &ChannelState, of: &str, source: Option<&Source>, limits: &Limits) -> Option<Reason> {
    let (account, sender) = (account(of), Sender::new(id("new")));
    state.refusal(&Ask { account: &account, sender: &sender, source, limits, now: at(1_000).into() })
}

#[test]
fn what_is_sound_needs_no_upkeep() {
    let mut state = ChannelState { requests: vec![foreign("a", "1", 1_000)], ..Default::default() };
    state.record.locked_until = Some(at(1_000).plus(LOCKOUT));
    let upkeep = state.upkeep(at(1_000), |_| false);
    assert!(matches!(&*upkeep.entries, [Entry::Hour { hour }] if hour.at == 1_000), "{upkeep:?}");
    assert!(upkeep.drop.is_empty() && upkeep.restamp.is_empty());
    // Once noted, the hour of another program's request is not noted again.
    state.apply(&upkeep);
    assert!(state.upkeep(at(1_000), |_| false).is_empty());
    assert!(!state.upkeep(at(999), |_| false).is_empty());
}

#[test]
fn a_step_is_that_of_one_text() {
    let mut state = ChannelState::default();
    let send = |request, what| Entry::Queued { send: Sending::of(&hour("a", request, &["1"], 0), what) };
    for entry in [send("r", SendKind::Challenge), send("s", SendKind::Notice)] {
        state.record.apply(&entry);
    }
    let (none, change) = state.sending(&RequestId::from_text("r"), SendKind::Notice, SendStep::Try);
    assert!(none.is_none() && change.is_empty());
    let (send, change) = state.sending(&RequestId::from_text("s"), SendKind::Notice, SendStep::Try);
    assert!(send.unwrap().trying && !change.is_empty());
}

#[test]
fn i8_an_approval_means_requests_of_its_account_only() {
    let requests = vec![foreign("a", "1", 0), foreign("b", "1", 0), foreign("a", "2", 0)];
    let state = ChannelState { requests, ..Default::default() };
    let meant = |named: Option<&str>| {
        let target = Target::Sender(id("1"));
        let approval = Approval { target, account: named.map(account), notify: false };
        state.meant_by(&approval).map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(meant(Some("a")), ["a"]);
    assert_eq!(meant(None), ["a", "b"]);
}

#[test]
fn i12_a_right_code_ends_a_row_where_there_is_one() {
    let mut state = ChannelState { requests: vec![foreign("a", "1", 0)], ..Default::default() };
    let target = Target::Code(state.requests[0].code.clone());
    let approval = Approval { target, account: None, notify: false };
    let entries = |state: &ChannelState| state.approve(&approval, Surface::Remote, at(0)).1.entries;
    assert!(matches!(&*entries(&state), [Entry::Closed { .. }]));
    state.record.wrong = 1;
    assert!(matches!(&*entries(&state), [Entry::Closed { .. }, Entry::Guesses { wrong: 0, .. }]));
    assert_eq!((Surface::Local.to_string(), Surface::Remote.to_string()), ("local".into(), "remote".into()));
}

#[test]
fn i8_a_revocation_names_the_aliases_of_its_account_only() {
    let mut state = ChannelState::default();
    let bound = |account: &str, entry: &str, primary: &str| Entry::Bound {
        account: account.into(),
        entry: entry.into(),
        primary: primary.into(),
    };
    for entry in [
        Entry::Hour { hour: hour("a", "r1", &["1", "hour"], 0) },
        Entry::Hour { hour: hour("a", "r2", &["2", "another's hour"], 0) },
        Entry::Hour { hour: hour("b", "r3", &["1", "hour elsewhere"], 0) },
        bound("a", "bound", "1"),
        bound("a", "another's", "2"),
        bound("b", "elsewhere", "1"),
    ] {
        state.record.apply(&entry);
    }
    let (revoked, _) = state.revoke(&account("a"), &id("1"), |_| true);
    assert_eq!(revoked.aliases, ["bound", "hour"]);
}

#[test]
fn i3_one_request_for_a_source_and_account() {
    let source = |text: &str| Some(Source::of_address(text.parse().unwrap()));
    let (here, there) = (source("10.0.0.1"), source("10.0.0.2"));
    let request = Request { source: here.clone(), ..foreign("a", "1", 0) };
    let state = ChannelState { requests: vec![request], ..Default::default() };
    let limits = Limits::default();
    assert_eq!(refusal(&state, "a", here.as_ref(), &limits), Some(Reason::PendingFull));
    assert_eq!(refusal(&state, "a", there.as_ref(), &limits), None);
    assert_eq!(refusal(&state, "a", None, &limits), None);
    assert_eq!(refusal(&state, "b", here.as_ref(), &limits), None);
}

#[test]
fn i11_no_code_while_a_thousand_hours_run() {
    let limits = Limits { pending_scope: PendingScope::Account, ..Limits::default() };
    let long_ago = -2 * 3_600_000;
    let mut state = ChannelState::default();
    let mut more = |count: usize, at: i64| {
        for _ in 0..count {
            let request = format!("r{}", state.record.hours.len());
            state.record.apply(&Entry::Hour { hour: hour("a", &request, &["1"], at) });
        }
        refusal(&state, "a", None, &limits)
    };
    assert_eq!(more(record::HOURS_RUNNING - 1, 0), None);
    assert_eq!(more(1, long_ago), None);
    assert_eq!(more(1, 0), Some(Reason::PendingFull));
}
