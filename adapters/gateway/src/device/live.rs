//! Who is connected now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmgate::Timestamp;
use dmgate::device::{Scopes, Session};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::socket::Close;

/// The sockets that are let in.
#[derive(Default)]
pub(crate) struct Live(Mutex<Sockets>);

#[derive(Default)]
struct Sockets {
    last: u64,
    by_number: BTreeMap<u64, Line>,
}

/// The way to one socket.
struct Line {
    who: Who,
    post: mpsc::Sender<Utf8Bytes>,
    end: oneshot::Sender<Close>,
}

/// Who is at the other end.
#[derive(Clone)]
pub(crate) struct Who {
    /// Without one it may do nothing.
    pub(crate) session: Option<Session>,
    pub(crate) facts: Arc<Facts>,
}

/// What a node said about itself when it connected.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) version: Option<String>,
    pub(crate) model_identifier: Option<String>,
    pub(crate) remote_ip: Option<String>,
    pub(crate) caps: Vec<String>,
    pub(crate) commands: Vec<String>,
    pub(crate) permissions: BTreeMap<String, bool>,
    pub(crate) connected_at: Timestamp,
}

/// A place among the live ones, until it is dropped.
pub(crate) struct Seat {
    live: Arc<Live>,
    number: u64,
    /// What others send to this socket.
    pub(crate) post: mpsc::Receiver<Utf8Bytes>,
    /// The word that it is over.
    pub(crate) end: oneshot::Receiver<Close>,
}

/// The most live sockets.
const MOST: usize = 512;
/// The most live sockets of one device; with one more the oldest ends.
const MOST_OF_DEVICE: usize = 16;
/// How much waits to be sent to a socket; what is more, a slow one is not told.
const POST: usize = 32;

impl Who {
    /// Which rights it has.
    pub(crate) fn scopes(&self) -> Scopes {
        self.session.as_ref().map(|session| session.scopes.clone()).unwrap_or_default()
    }
}

impl Live {
    /// Takes a place; `None` where there is none.
    pub(crate) fn join(self: &Arc<Self>, who: Who) -> Option<Seat> {
        let (post, mail) = mpsc::channel(POST);
        let (end, over) = oneshot::channel();
        let mut sockets = self.sockets();
        if let Some(Session { device, .. }) = &who.session {
            let of_device = sockets.by_number.iter().filter(|(_, line)| line.is_of(device));
            let (first, count) =
                of_device.fold((None, 0), |(first, count), (number, _)| (first.or(Some(*number)), count + 1));
            let oldest = first
                .filter(|_| count >= MOST_OF_DEVICE)
                .and_then(|oldest| sockets.by_number.remove(&oldest));
            if let Some(oldest) = oldest {
                let _ = oldest
                    .end
                    .send(Close::because(super::refusal::POLICY, "the device has too many connections"));
            }
        }
        if sockets.by_number.len() >= MOST {
            return None;
        }
        sockets.last += 1;
        let number = sockets.last;
        sockets.by_number.insert(number, Line { who, post, end });
        drop(sockets);
        Some(Seat { live: Arc::clone(self), number, post: mail, end: over })
    }

    /// Ends the sockets whose session does not stand any more.
    // INVARIANT I17: revoking ends the live session.
    pub(crate) fn end_unless(&self, stands: impl Fn(&Session) -> bool) {
        let mut sockets = self.sockets();
        let is_over = |line: &Line| line.who.session.as_ref().is_some_and(|session| !stands(session));
        let over: Vec<u64> =
            sockets.by_number.iter().filter(|(_, line)| is_over(line)).map(|(number, _)| *number).collect();
        for line in over.iter().filter_map(|number| sockets.by_number.remove(number)) {
            let _ = line.end.send(Close::because(REMOVED, "device removed"));
        }
    }

    /// Tells those who have this right.
    pub(crate) fn tell(&self, scope: &str, event: &Utf8Bytes) {
        for line in self.sockets().by_number.values().filter(|line| line.who.scopes().allow(scope)) {
            // Who is slow is not waited for.
            let _ = line.post.try_send(event.clone());
        }
    }

    /// Who is connected with a device.
    pub(crate) fn connected(&self) -> Vec<(Session, Arc<Facts>)> {
        let of = |line: &Line| Some((line.who.session.clone()?, Arc::clone(&line.who.facts)));
        self.sockets().by_number.values().filter_map(of).collect()
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        // Nothing panics in the middle.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What established clients know as the end of a device that was removed or revoked.
pub(crate) const REMOVED: u16 = 4001;

impl Line {
    fn is_of(&self, device: &dmgate::device::DeviceId) -> bool {
        self.who.session.as_ref().is_some_and(|session| session.device == *device)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.live.sockets().by_number.remove(&self.number);
    }
}
