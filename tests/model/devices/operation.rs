//! What may happen to devices.

use proptest::prelude::*;

/// One thing that happens. Numbers point at devices, tokens, requests and so on, modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    /// A device connects.
    Connect { ask: Asking, shown: Shown },
    /// More devices than may wait connect for the first time.
    Crowd,
    /// A request is approved.
    Approve { place: usize, by: By },
    /// A request is rejected.
    Reject { place: usize, by: By },
    /// A device is removed.
    Remove { device: u8, by: By },
    /// Everything is cleared, or only the requests.
    Clear { only_requests: bool, by: By },
    /// A token is replaced, with other rights or the same.
    Rotate { device: u8, node: bool, rights: Option<u8>, by: By },
    /// A role is taken away.
    Revoke { device: u8, node: bool, by: By },
    /// A setup code is made.
    Invite,
    /// Every setup code is void.
    CancelInvitations,
    /// Time goes by, or is set back.
    Clock { seconds: i64 },
    /// The program is started anew, or another process takes over.
    Reopen,
}

/// What a device asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    pub(crate) device: u8,
    pub(crate) node: bool,
    /// Bits into [`super::rules::RIGHTS`].
    pub(crate) rights: u8,
    /// What it says that it is: nothing, or one of two platforms.
    pub(crate) machine: u8,
    /// Its name.
    pub(crate) name: u8,
    pub(crate) trusted: bool,
}

/// What it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown {
    Secret,
    /// A token that was issued once, to whomever.
    Token(usize),
    /// The token that this device got last.
    OwnToken,
    /// A setup code that was made once.
    Code(usize),
}

/// Who decides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Owner,
    /// A session that there was once, of whatever device, live or not.
    Session(usize),
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![2 => Just(By::Owner), 3 => (0_usize..8).prop_map(By::Session)]
}

/// Mostly sets that there are: none, one, all of an operator.
fn rights() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(0_u8), 3 => Just(1), 2 => Just(2), 3 => Just(8), 3 => Just(10), 1 => 0_u8..32]
}

/// Mostly what a device of that number is: an administrator, a clerk, a reader, a node.
fn asking() -> impl Strategy<Value = Asking> {
    const USUAL: [(bool, u8); 4] = [(false, 1), (false, 10), (false, 2), (true, 0)];
    let what = prop_oneof![3 => Just(None), 1 => (prop::bool::ANY, rights()).prop_map(Some)];
    let machine = prop_oneof![12 => Just(1_u8), 1 => Just(0_u8), 1 => Just(2_u8)];
    let name = prop_oneof![12 => Just(0_u8), 1 => Just(1_u8)];
    (0_u8..4, what, machine, name, prop::bool::weighted(0.1)).prop_map(
        |(device, what, machine, name, trusted)| {
            let (node, rights) = what.unwrap_or(USUAL[usize::from(device)]);
            // A node seldom asks for rights.
            let rights = if node && rights != 10 { 0 } else { rights };
            Asking { device, node, rights, machine, name, trusted }
        },
    )
}

fn shown() -> impl Strategy<Value = Shown> {
    prop_oneof![
        5 => Just(Shown::Secret),
        3 => Just(Shown::OwnToken),
        1 => (0_usize..8).prop_map(Shown::Token),
        3 => (0_usize..3).prop_map(Shown::Code),
    ]
}

pub(crate) fn any() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let (device, place) = (0_u8..4, 0_usize..4);
    let node = prop::bool::ANY;
    prop_oneof![
        16 => (asking(), shown()).prop_map(|(ask, shown)| Connect { ask, shown }),
        10 => (place.clone(), by()).prop_map(|(place, by)| Approve { place, by }),
        2 => (place, by()).prop_map(|(place, by)| Reject { place, by }),
        2 => (device.clone(), by()).prop_map(|(device, by)| Remove { device, by }),
        1 => (prop::bool::weighted(0.7), by()).prop_map(|(only_requests, by)| Clear { only_requests, by }),
        4 => (device.clone(), node, prop::option::of(rights()), by())
            .prop_map(|(device, node, rights, by)| Rotate { device, node, rights, by }),
        3 => (device, node, by()).prop_map(|(device, node, by)| Revoke { device, node, by }),
        3 => Just(Invite),
        1 => prop_oneof![3 => Just(CancelInvitations), 1 => Just(Crowd)],
        3 => prop::sample::select(vec![1_i64, 60, 299, 300, 301, 599, 600, -60, -119, -121, -300, -3_600, 86_400])
            .prop_map(|seconds| Clock { seconds }),
        1 => Just(Reopen),
    ]
}
