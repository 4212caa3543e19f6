//! What visitors are still to read, and the open pages that read it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use dmgate::{OutboundText, SenderId, TextKind};
use tokio::sync::{mpsc, oneshot};

/// Something for a visitor's page.
#[derive(Clone, Debug)]
pub enum Event {
    /// A text. The page says when it has it: [`WebChat::received`](super::WebChat::received).
    Text(Arc<Text>),
    /// An answer is being worked on.
    Typing,
    /// The visitor opened the chat on too many pages, and this one, the oldest, gets nothing more. It is the last event.
    Elsewhere,
}

/// A text for a visitor's page.
#[derive(PartialEq, Eq)]
pub struct Text {
    /// The same for every try: a page that has it already shows it no second time.
    pub id: String,
    /// What it is.
    pub kind: TextKind,
    /// The text itself, plain.
    pub body: String,
}

/// The mailboxes of all visitors. A visitor has one while a page is open or something is kept for them, and no longer:
/// strangers leave nothing behind.
#[derive(Default)]
pub(super) struct Mailboxes {
    boxes: HashMap<SenderId, Mailbox>,
    /// Counts pages and departures.
    count: u64,
}

#[derive(Default)]
struct Mailbox {
    pages: Vec<Page>,
    kept: VecDeque<Kept>,
    /// When the last page was closed, by [`Mailboxes::count`]; 0 while one is open.
    away_since: u64,
}

/// One open page.
struct Page {
    number: u64,
    events: mpsc::Sender<Event>,
}

/// A text that no page has confirmed.
struct Kept {
    text: Arc<Text>,
    /// Who waits for the confirmation, if somebody does.
    confirmed: Option<oneshot::Sender<()>>,
}

/// The end of a page's line that the page reads.
pub(super) struct Opened {
    pub(super) number: u64,
    pub(super) events: mpsc::Receiver<Event>,
}

/// Texts kept for one visitor.
const KEPT_TEXTS: usize = 50;
/// Bytes of texts kept for one visitor.
const KEPT_BYTES: usize = 128 * 1_024;
/// Visitors without an open page for whom texts are kept.
const AWAY: usize = 256;
/// Pages that one visitor has open at once: the oldest gives way, which often is one whose connection died unnoticed.
const PAGES: usize = 6;
/// Events that a page may lag behind. One that lags further is closed; it comes back, and gets what was kept.
const LAG: usize = KEPT_TEXTS + 14;

impl Mailboxes {
    /// A page opens: it gets what was kept.
    pub(super) fn open(&mut self, visitor: &SenderId) -> Opened {
        self.count += 1;
        let number = self.count;
        let (sender, events) = mpsc::channel(LAG);
        let mailbox = self.boxes.entry(visitor.clone()).or_default();
        for kept in &mailbox.kept {
            // There is room: fewer texts are kept than fit.
            let _ = sender.try_send(Event::Text(Arc::clone(&kept.text)));
        }
        if mailbox.pages.len() >= PAGES {
            // Told, so that it does not come back at once and drive out another one.
            let _ = mailbox.pages.remove(0).events.try_send(Event::Elsewhere);
        }
        mailbox.pages.push(Page { number, events: sender });
        mailbox.away_since = 0;
        Opened { number, events }
    }

    /// A page is gone.
    pub(super) fn close(&mut self, visitor: &SenderId, number: u64) {
        if let Some(mailbox) = self.boxes.get_mut(visitor) {
            mailbox.pages.retain(|page| page.number != number);
        }
        self.tidy(visitor);
    }

    /// Sends a text to the open pages and keeps it until one confirms it.
    pub(super) fn put(&mut self, visitor: &SenderId, text: &OutboundText) {
        self.add(visitor, text, None);
    }

    /// As [`Mailboxes::put`], for a visitor who has a page open: `None` for one who has not.
    pub(super) fn put_before(
        &mut self,
        visitor: &SenderId,
        text: &OutboundText,
    ) -> Option<oneshot::Receiver<()>> {
        if self.boxes.get(visitor).is_none_or(|mailbox| mailbox.pages.is_empty()) {
            return None;
        }
        let (confirmed, confirmation) = oneshot::channel();
        self.add(visitor, text, Some(confirmed));
        Some(confirmation)
    }

    /// Sends an event to the open pages only.
    pub(super) fn show(&mut self, visitor: &SenderId, event: &Event) {
        if let Some(mailbox) = self.boxes.get_mut(visitor) {
            mailbox.show(event);
        }
        self.tidy(visitor);
    }

    /// A page has this text.
    pub(super) fn confirm(&mut self, visitor: &SenderId, id: &str) {
        if let Some(kept) = self.take(visitor, id).and_then(|kept| kept.confirmed) {
            // Nobody may wait any more.
            let _ = kept.send(());
        }
    }

    /// A text is not wanted any more.
    pub(super) fn forget(&mut self, visitor: &SenderId, id: &str) {
        drop(self.take(visitor, id));
    }

    /// How many visitors have a mailbox.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.boxes.len()
    }

    fn add(&mut self, visitor: &SenderId, text: &OutboundText, confirmed: Option<oneshot::Sender<()>>) {
        let (id, kind, body) = (text.idempotency_key.clone(), text.kind, text.body.clone());
        let text = Arc::new(Text { id, kind, body });
        let mailbox = self.boxes.entry(visitor.clone()).or_default();
        mailbox.kept.retain(|kept| kept.text.id != text.id);
        mailbox.show(&Event::Text(Arc::clone(&text)));
        mailbox.kept.push_back(Kept { text, confirmed });
        let mut bytes: usize = mailbox.kept.iter().map(|kept| kept.text.body.len()).sum();
        while mailbox.kept.len() > KEPT_TEXTS || (bytes > KEPT_BYTES && mailbox.kept.len() > 1) {
            bytes -= mailbox.kept.pop_front().map_or(0, |oldest| oldest.text.body.len());
        }
        self.tidy(visitor);
    }

    fn take(&mut self, visitor: &SenderId, id: &str) -> Option<Kept> {
        let mailbox = self.boxes.get_mut(visitor)?;
        let at = mailbox.kept.iter().position(|kept| kept.text.id == id)?;
        let kept = mailbox.kept.remove(at);
        self.tidy(visitor);
        kept
    }

    /// Removes a mailbox that nobody needs, and keeps the number of those whose visitor is away within bounds.
    fn tidy(&mut self, visitor: &SenderId) {
        let Some(mailbox) = self.boxes.get_mut(visitor) else { return };
        if !mailbox.pages.is_empty() {
            return;
        }
        if mailbox.kept.is_empty() {
            self.boxes.remove(visitor);
        } else if mailbox.away_since == 0 {
            self.count += 1;
            mailbox.away_since = self.count;
            let away = || self.boxes.iter().filter(|(_, mailbox)| mailbox.away_since > 0);
            if away().count() > AWAY
                && let Some(longest) = away().min_by_key(|(_, mailbox)| mailbox.away_since)
            {
                let longest = longest.0.clone();
                self.boxes.remove(&longest);
            }
        }
    }
}

impl Mailbox {
    fn show(&mut self, event: &Event) {
        self.pages.retain(|page| page.events.try_send(event.clone()).is_ok());
    }
}

// INVARIANT I12: codes never appear in `Debug`; a body may hold one.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("kind", &self.kind).field("bytes", &self.body.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use dmgate::ChannelId;

    use super::*;

    fn visitor(name: &str) -> SenderId {
        SenderId::parse(&ChannelId::parse("test").unwrap(), name).unwrap()
    }

    fn text(id: impl fmt::Display, body: impl Into<String>) -> OutboundText {
        OutboundText { body: body.into(), kind: TextKind::Reply, idempotency_key: id.to_string() }
    }

    fn waiting(opened: &mut Opened) -> Vec<String> {
        std::iter::from_fn(|| opened.events.try_recv().ok())
            .map(|event| match event {
                Event::Text(text) => text.id.clone(),
                Event::Typing => "typing".into(),
                Event::Elsewhere => "elsewhere".into(),
            })
            .collect()
    }

    #[test]
    fn a_reply_waits_for_its_reader_and_is_confirmed_once() {
        let (mut boxes, ann) = (Mailboxes::default(), visitor("ann"));
        boxes.put(&ann, &text(1, "a"));
        boxes.put(&ann, &text(2, "b"));
        boxes.put(&ann, &text(1, "a"));
        let mut first = boxes.open(&ann);
        assert_eq!(waiting(&mut first), ["2", "1"], "the same text is kept once");
        boxes.confirm(&ann, "2");
        boxes.close(&ann, first.number);
        let mut second = boxes.open(&ann);
        assert_eq!(waiting(&mut second), ["1"]);
        boxes.confirm(&ann, "1");
        boxes.confirm(&ann, "1");
        boxes.close(&ann, second.number);
        assert_eq!(boxes.len(), 0);
    }

    #[test]
    fn i11_who_only_looked_leaves_nothing_behind() {
        let mut boxes = Mailboxes::default();
        for number in 0..1_000 {
            let visitor = visitor(&format!("v{number}"));
            let opened = boxes.open(&visitor);
            boxes.show(&visitor, &Event::Typing);
            assert!(boxes.put_before(&visitor, &text(1, "code")).is_some());
            boxes.forget(&visitor, "1");
            boxes.close(&visitor, opened.number);
        }
        boxes.show(&visitor("nobody"), &Event::Typing);
        assert!(boxes.put_before(&visitor("nobody"), &text(1, "code")).is_none());
        assert_eq!(boxes.len(), 0);
    }

    #[test]
    fn what_is_kept_has_bounds() {
        let (mut boxes, ann) = (Mailboxes::default(), visitor("ann"));
        for number in 0..KEPT_TEXTS + 10 {
            boxes.put(&ann, &text(number, "x"));
        }
        let kept = waiting(&mut boxes.open(&ann));
        assert_eq!((kept.len(), kept[0].as_str()), (KEPT_TEXTS, "10"), "the oldest are dropped");
        for number in 0..20 {
            boxes.put(&ann, &text(number, "x".repeat(KEPT_BYTES / 4)));
        }
        let mut open = boxes.open(&ann);
        assert_eq!(waiting(&mut open), ["16", "17", "18", "19"]);

        for number in 0..AWAY * 2 {
            boxes.put(&visitor(&format!("v{number}")), &text(1, "x"));
        }
        assert_eq!(boxes.len(), AWAY + 1, "ann's page is open");
        assert!(boxes.boxes.contains_key(&visitor(&format!("v{}", AWAY * 2 - 1))));
    }

    #[test]
    fn a_page_that_lags_or_is_one_too_many_is_closed() {
        let (mut boxes, ann) = (Mailboxes::default(), visitor("ann"));
        let mut pages: Vec<Opened> = (0..=PAGES).map(|_| boxes.open(&ann)).collect();
        assert_eq!(waiting(&mut pages[0]), ["elsewhere"]);
        assert!(pages[0].events.is_closed() && !pages[1].events.is_closed());
        for _ in 0..=LAG {
            boxes.show(&ann, &Event::Typing);
            while pages[1].events.try_recv().is_ok() {}
        }
        assert!(!pages[1].events.is_closed() && pages[2].events.is_closed());
    }
}
