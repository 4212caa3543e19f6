//! The pending requests of a channel, of all its accounts.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::scan::{members, string};
use super::{Document, DocumentError, quoted};

const LIST: &str = "requests";

/// A pending file.
#[derive(Clone)]
pub(crate) struct PendingDocument(Document);

/// One request of a pending file. `Debug` leaves the code out.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoredRequest {
    /// The sender.
    pub(crate) id: String,
    /// The code that the sender was, or is to be, told.
    pub(crate) code: String,
    /// When the sender first asked (Unix milliseconds). `None`, an unreadable time, counts as expired.
    pub(crate) created_at: Option<i64>,
    /// When the sender last asked.
    pub(crate) last_seen_at: Option<i64>,
    /// What is known about the sender, apart from the account. Only texts.
    pub(crate) meta: Vec<(String, String)>,
    /// The account that was asked, where the request says so.
    pub(crate) account_id: Option<String>,
    /// Our own id of the request; other programs set none.
    pub(crate) request_id: Option<String>,
    /// Where the request came from; other programs do not say.
    pub(crate) source: Option<String>,
}

impl fmt::Debug for PendingDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingDocument").field("requests", &self.0.items.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredRequest")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .field("last_seen_at", &self.last_seen_at)
            .field("account_id", &self.account_id)
            .field("request_id", &self.request_id)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl PendingDocument {
    /// The document of a channel on which nobody waits.
    pub(crate) fn empty() -> Self {
        Self(Document::empty(LIST))
    }

    /// Reads a document.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        Document::parse(bytes, LIST).map(Self)
    }

    /// The usable requests in their order: objects with a text each for the id, the code and the time of creation.
    pub(crate) fn requests(&self) -> impl Iterator<Item = StoredRequest> {
        self.0.items.iter().filter_map(|item| StoredRequest::read(item))
    }

    /// When each entry that is not a usable request was created, if it says so. One that does not is expired for
    /// everybody; one that does may count among the few that the established programs keep.
    pub(crate) fn unusable(&self) -> impl Iterator<Item = Option<i64>> {
        self.0.items.iter().filter(|item| StoredRequest::read(item).is_none()).map(|item| created_at(item))
    }

    /// Appends a request; its account is put last into the meta data, as established. Without a time of creation
    /// it would be expired, and no usable request.
    pub(crate) fn push(&mut self, request: &StoredRequest) {
        self.0.items.push(request.to_text().into());
    }

    /// Keeps the usable requests for which `is_kept` is true, and everything that is none.
    /// Says how many were removed.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&StoredRequest) -> bool) -> usize {
        let before = self.0.items.len();
        self.0.items.retain(|item| StoredRequest::read(item).is_none_or(|request| is_kept(&request)));
        before.saturating_sub(self.0.items.len())
    }

    /// Sets both times of the usable requests for which `is_meant` is true.
    pub(crate) fn restamp(&mut self, millis: i64, mut is_meant: impl FnMut(&StoredRequest) -> bool) {
        let Some(time) = iso(millis).map(|time| quoted(&time)) else { return };
        for item in &mut self.0.items {
            if StoredRequest::read(item).is_some_and(|request| is_meant(&request))
                && let Some(fields) = members(item)
            {
                let set = |(key, value): (Cow<'_, str>, &str)| {
                    let value = if key == "createdAt" || key == "lastSeenAt" { &time } else { value };
                    format!("\n      {}: {value}", quoted(&key))
                };
                let fields: Vec<String> = fields.into_iter().map(set).collect();
                *item = format!("{{{}\n    }}", fields.join(",")).into();
            }
        }
    }

    /// The document as it is to be written.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }
}

impl StoredRequest {
    fn read(raw: &str) -> Option<Self> {
        let fields = members(raw)?;
        let text = |key| last(&fields, key).and_then(string).map(Cow::into_owned);
        let meta = last(&fields, "meta").and_then(members).unwrap_or_default();
        // Of no account that can be read is not of the default account: whoever let it in would let it in there.
        let account_id = match last(&meta, "accountId") {
            None | Some("null") => None,
            Some(account) => Some(string(account)?.into_owned()),
        };
        let meta = meta.into_iter().filter(|(key, _)| key != "accountId");
        Some(Self {
            id: text("id")?,
            code: text("code")?,
            created_at: millis(&text("createdAt")?),
            last_seen_at: text("lastSeenAt").as_deref().and_then(millis),
            meta: meta
                .filter_map(|(key, value)| Some((key.into_owned(), string(value)?.into_owned())))
                .collect(),
            account_id,
            request_id: text("requestId"),
            source: text("source"),
        })
    }

    /// The text of an entry, indented for its place in the document.
    fn to_text(&self) -> String {
        let mut out =
            format!("{{\n      \"id\": {},\n      \"code\": {}", quoted(&self.id), quoted(&self.code));
        let times = [("createdAt", self.created_at), ("lastSeenAt", self.last_seen_at)];
        for (key, time) in times.into_iter().filter_map(|(key, millis)| Some((key, iso(millis?)?))) {
            let _ = write!(out, ",\n      \"{key}\": \"{time}\"");
        }
        let account = self.account_id.as_deref().map(|account| ("accountId", account));
        let meta = self.meta.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let meta: Vec<_> = meta.filter(|(key, _)| *key != "accountId").chain(account).collect();
        if !meta.is_empty() {
            out.push_str(",\n      \"meta\": {");
            for (at, (key, value)) in meta.into_iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                let _ = write!(out, "{comma}\n        {}: {}", quoted(key), quoted(value));
            }
            out.push_str("\n      }");
        }
        for (key, own) in [("requestId", &self.request_id), ("source", &self.source)] {
            if let Some(own) = own {
                let _ = write!(out, ",\n      \"{key}\": {}", quoted(own));
            }
        }
        out.push_str("\n    }");
        out
    }
}

/// The last member counts where a key occurs twice, as in the established programs.
fn last<'a>(members: &[(Cow<'_, str>, &'a str)], key: &str) -> Option<&'a str> {
    members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value)
}

fn created_at(raw: &str) -> Option<i64> {
    millis(&string(last(&members(raw)?, "createdAt")?)?)
}

/// Unix milliseconds; the beginning of 1970 counts as unreadable, as established.
fn millis(text: &str) -> Option<i64> {
    let time = text.parse::<jiff::Timestamp>().ok()?.as_millisecond();
    (time != 0).then_some(time)
}

/// UTC with milliseconds and `Z`.
fn iso(millis: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(millis).ok().map(|time| format!("{time:.3}"))
}
