//! Visitors to whom a code or notice could not be sent.

use std::collections::VecDeque;

use dmgate::SenderId;

/// The last few visitors to whom a code or notice could not be sent: when one of them is back, what waits is tried at
/// once. One that is forgotten here is tried when its time comes, so the bound costs patience and nothing else.
///
/// Without it every page that opens would have to set off tries, and a stranger could keep the store busy by opening
/// pages.
#[derive(Default)]
pub(super) struct Awaited(VecDeque<SenderId>);

const LAST: usize = 64;

impl Awaited {
    pub(super) fn add(&mut self, visitor: &SenderId) {
        self.take(visitor);
        if self.0.len() == LAST {
            self.0.pop_front();
        }
        self.0.push_back(visitor.clone());
    }

    /// Whether something waits for this visitor; from now on not any more.
    pub(super) fn take(&mut self, visitor: &SenderId) -> bool {
        let at = self.0.iter().position(|other| other == visitor);
        at.and_then(|at| self.0.remove(at)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use dmgate::ChannelId;

    use super::*;

    #[test]
    fn i11_only_the_last_few_are_remembered() {
        let channel = ChannelId::parse("test").unwrap();
        let visitor = |number: usize| SenderId::parse(&channel, &format!("v{number}")).unwrap();
        let mut awaited = Awaited::default();
        for number in 0..LAST * 3 {
            awaited.add(&visitor(number));
            awaited.add(&visitor(number));
        }
        assert_eq!(awaited.0.len(), LAST);
        assert!(!awaited.take(&visitor(0)));
        assert!(awaited.take(&visitor(LAST * 3 - 1)) && !awaited.take(&visitor(LAST * 3 - 1)));
    }
}
