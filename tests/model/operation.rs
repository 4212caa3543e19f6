//! What may happen.

use std::fmt;

use proptest::prelude::*;

/// One thing that happens. Numbers point at senders, accounts and requests, modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    /// Somebody writes.
    Knock { account: usize, sender: usize },
    /// The owner approves the request at a place of the listing.
    Approve { channel: usize, place: usize, by: By, remote: bool, named: bool },
    /// The owner types a code that was issued once, for whatever channel.
    ApproveOld { channel: usize, place: usize, remote: bool },
    /// The owner types a code that nobody has.
    WrongCode { channel: usize, remote: bool, reject: bool },
    /// The owner rejects.
    Reject { channel: usize, place: usize, by: By, remote: bool, block: bool },
    /// `allow add`.
    Allow { account: usize, id: usize },
    /// `allow remove`.
    Revoke { account: usize, id: usize },
    /// `block add`.
    Block { account: usize, id: usize },
    /// `block remove`.
    Unblock { account: usize, id: usize },
    /// Time goes by.
    Advance { minutes: u64 },
    /// The wall clock is so many minutes off from now on.
    Step { off: i64 },
    /// The program is started anew.
    Reopen,
    /// Another process of ours takes over.
    Switch,
    /// The neighbour notes a request.
    ForeignAdd { account: usize, sender: usize },
    /// The neighbour approves.
    ForeignApprove { place: usize },
    /// The neighbour, or an editor, takes out a request.
    ForeignDrop { place: usize },
    /// An editor takes out an approved sender.
    ForeignUnlist { account: usize, id: usize },
}

/// By what the owner points at a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Code,
    Sender,
    Request,
}

/// A history; printed one operation a line.
#[derive(Clone)]
pub(crate) struct Operations<O = Operation>(pub(crate) Vec<O>);

impl<O: fmt::Debug> fmt::Debug for Operations<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        self.0.iter().try_for_each(|operation| writeln!(f, "  {operation:?}"))
    }
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![Just(By::Code), Just(By::Sender), Just(By::Request)]
}

pub(crate) fn any() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let account = 0_usize..4;
    let channel = 0_usize..2;
    let sender = 0_usize..7;
    let id = 0_usize..10;
    let place = 0_usize..4;
    prop_oneof![
        12 => (account.clone(), sender.clone()).prop_map(|(account, sender)| Knock { account, sender }),
        4 => (channel.clone(), place.clone(), by(), prop::bool::ANY, prop::bool::ANY)
            .prop_map(|(channel, place, by, remote, named)| Approve { channel, place, by, remote, named }),
        1 => (channel.clone(), place.clone(), prop::bool::ANY)
            .prop_map(|(channel, place, remote)| ApproveOld { channel, place, remote }),
        2 => (channel.clone(), prop::bool::weighted(0.8), prop::bool::weighted(0.2))
            .prop_map(|(channel, remote, reject)| WrongCode { channel, remote, reject }),
        2 => (channel, place.clone(), by(), prop::bool::ANY, prop::bool::weighted(0.3))
            .prop_map(|(channel, place, by, remote, block)| Reject { channel, place, by, remote, block }),
        2 => (account.clone(), id.clone()).prop_map(|(account, id)| Allow { account, id }),
        2 => (account.clone(), id.clone()).prop_map(|(account, id)| Revoke { account, id }),
        1 => (account.clone(), id.clone()).prop_map(|(account, id)| Block { account, id }),
        1 => (account.clone(), id.clone()).prop_map(|(account, id)| Unblock { account, id }),
        4 => prop_oneof![Just(1_u64), Just(10), Just(19), Just(20), Just(21), Just(59), Just(60), Just(61)]
            .prop_map(|minutes| Advance { minutes }),
        2 => prop_oneof![Just(-120_i64), Just(-10), Just(0), Just(0), Just(120)].prop_map(|off| Step { off }),
        1 => Just(Reopen),
        1 => Just(Switch),
        2 => (account.clone(), sender).prop_map(|(account, sender)| ForeignAdd { account, sender }),
        1 => place.clone().prop_map(|place| ForeignApprove { place }),
        1 => place.prop_map(|place| ForeignDrop { place }),
        1 => (account, id).prop_map(|(account, id)| ForeignUnlist { account, id }),
    ]
}
