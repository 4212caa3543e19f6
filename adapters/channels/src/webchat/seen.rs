//! Which messages came in already: a page that got no answer sends the same one again.

use dmgate::SenderId;
use sha2::{Digest, Sha256};

use crate::dedupe::Dedupe;

/// The last messages of all visitors together, so that no visitor leaves more behind than another; the oldest is
/// forgotten first.
// INVARIANT I11: a fixed number of marks, whoever writes.
pub(super) struct Seen(Dedupe<Mark>);

type Mark = [u8; 16];

const WINDOW: usize = 4_096;

impl Default for Seen {
    fn default() -> Self {
        Self(Dedupe::new(WINDOW))
    }
}

impl Seen {
    /// Whether this is the first time.
    pub(super) fn is_new(&self, visitor: &SenderId, id: &str) -> bool {
        let digest =
            Sha256::new().chain_update(visitor.as_str()).chain_update([0]).chain_update(id).finalize();
        digest.first_chunk::<16>().is_none_or(|mark| self.0.is_new(*mark))
    }
}

#[cfg(test)]
mod tests {
    use dmgate::ChannelId;

    use super::*;

    #[test]
    fn i11_the_window_never_grows() {
        let channel = ChannelId::parse("test").unwrap();
        let ann = SenderId::parse(&channel, "ann").unwrap();
        let ben = SenderId::parse(&channel, "ben").unwrap();
        let seen = Seen::default();
        assert!(seen.is_new(&ann, "1") && !seen.is_new(&ann, "1") && seen.is_new(&ben, "1"));
        for number in 0..WINDOW * 2 {
            assert!(seen.is_new(&ben, &format!("m{number}")));
        }
        assert_eq!(seen.0.len(), WINDOW);
        assert!(seen.is_new(&ann, "1"), "forgotten by now");
    }
}
