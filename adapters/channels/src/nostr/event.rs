//! Events: who wrote what to whom.

use std::collections::BTreeSet;

use ::nostr::nips::nip04;
use ::nostr::nips::nip59::UnwrappedGift;
use ::nostr::prelude::{Event, Keys, Kind, PublicKey, Tags, UnsignedEvent};
use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, SenderId,
    Strength, Timestamp,
};

use super::route::{Format, Route};

/// The longest content that is decrypted, in bytes.
pub(super) const CONTENT_BYTES: usize = 256 * 1024;

/// Stamps before Nostr and far from now are none.
const PLAUSIBLE: std::ops::Range<u64> = 1_577_836_800..10_000_000_000;

/// What came of an event.
pub(super) struct Opened {
    pub(super) message: InboundMessage,
    /// The id of what was said, in whatever wrap it comes.
    pub(super) said: [u8; 32],
    /// When it was said, by its sender.
    pub(super) at: u64,
}

/// What an event says to us; the error is why it says nothing. Nothing in it is believed before its signatures are
/// verified.
// INVARIANT I14: what is not signed, or signed by another key than it names, is no message.
pub(super) fn open(account: &AccountKey, keys: &Keys, event: &Event) -> Result<Opened, &'static str> {
    if event.content.len() > CONTENT_BYTES {
        return Err("it is too long");
    }
    match event.kind {
        Kind::GiftWrap => {
            // This verifies the wrap, the seal, and that the message names who signed the seal.
            let gift = UnwrappedGift::from_gift_wrap(keys, event)
                .map_err(|_| "its signatures are not right, or it is not for us")?;
            let UnwrappedGift { sender, rumor } = gift;
            let id = rumor.compute_id();
            if sender != rumor.pubkey || rumor.id.is_some_and(|said| said != id) {
                return Err("its message is another's");
            }
            sealed(account, keys, &rumor, id.to_bytes())
        }
        Kind::EncryptedDirectMessage => {
            event.verify().map_err(|_| "its signature is not right")?;
            signed(account, keys, event)
        }
        _ => Err("it is of a kind that we did not ask for"),
    }
}

fn sealed(
    account: &AccountKey,
    keys: &Keys,
    rumor: &UnsignedEvent,
    id: [u8; 32],
) -> Result<Opened, &'static str> {
    let mut message = begun(account, keys, &rumor.pubkey, rumor.created_at.as_secs(), id)?;
    let (mut text, mut attachments) = (rumor.content.clone(), Vec::new());
    message.event = match rumor.kind.as_u16() {
        14 => EventKind::Message,
        15 => {
            attachments.push(file(rumor));
            text = String::new();
            EventKind::Message
        }
        7 => EventKind::Reaction,
        _ => EventKind::Other,
    };
    (message.text, message.attachments) = (text, attachments);
    message.conversation = conversation(keys, &rumor.pubkey, &rumor.tags);
    routed(&mut message, Format::Nip17);
    Ok(Opened { message, said: id, at: rumor.created_at.as_secs() })
}

fn signed(account: &AccountKey, keys: &Keys, event: &Event) -> Result<Opened, &'static str> {
    let at = event.created_at.as_secs();
    let mut message = begun(account, keys, &event.pubkey, at, event.id.to_bytes())?;
    message.conversation = conversation(keys, &event.pubkey, &event.tags);
    message.event = EventKind::Message;
    if event.pubkey != keys.public_key() {
        let text = nip04::decrypt(keys.secret_key(), &event.pubkey, &event.content);
        message.text = text.map_err(|_| "it can't be decrypted")?;
    }
    routed(&mut message, Format::Nip04);
    Ok(Opened { message, said: event.id.to_bytes(), at })
}

fn begun(
    account: &AccountKey,
    keys: &Keys,
    from: &PublicKey,
    at: u64,
    id: [u8; 32],
) -> Result<InboundMessage, &'static str> {
    let sender = SenderId::parse(account.channel(), &from.to_hex()).map_err(|_| "its sender is no key")?;
    let sender = Sender::with_parts(sender, Vec::new(), Strength::Authenticated, None);
    let mut message = InboundMessage::new(account.clone(), sender);
    message.authenticity = Authenticity::Verified;
    message.origin = if *from == keys.public_key() { Origin::Own } else { Origin::Person };
    let millis =
        i64::try_from(at).ok().filter(|_| PLAUSIBLE.contains(&at)).map(|at| at.saturating_mul(1_000));
    message.sent_at = millis.map(Timestamp::from_millis);
    message.message_id = Some(hex::encode(id));
    Ok(message)
}

/// Whether a message is for us alone; some programs name its sender among those whom it is for.
fn conversation(keys: &Keys, from: &PublicKey, tags: &Tags) -> Conversation {
    let named = tags.iter().filter(|tag| tag.kind() == "p");
    let named: BTreeSet<&str> = named.map(|tag| tag.content().unwrap_or_default()).collect();
    let (own, from) = (keys.public_key().to_hex(), from.to_hex());
    let others = named.iter().filter(|key| **key != own && **key != from).count();
    match (named.contains(own.as_str()), others) {
        (true, 0) => Conversation::Direct,
        (_, 1..) => Conversation::Group,
        (false, 0) => Conversation::Unknown,
    }
}

fn routed(message: &mut InboundMessage, format: Format) {
    if message.conversation == Conversation::Direct {
        let route = Route::new(format, message.sender.primary().as_str());
        message.route = route.map(|route| route.to_reply()).unwrap_or_default();
    }
}

/// A file that lies encrypted somewhere (NIP-17, kind 15); its key is in the tags and goes no further.
fn file(rumor: &UnsignedEvent) -> Attachment {
    let tag = |name: &str| rumor.tags.iter().find(|tag| tag.kind() == name).and_then(|tag| tag.content());
    let media_type = tag("file-type").map(str::to_owned);
    let kind = media_type.as_deref().and_then(|media| media.split('/').next());
    let kind = kind.filter(|kind| matches!(*kind, "image" | "audio" | "video")).unwrap_or("file").to_owned();
    let size = tag("size").and_then(|size| size.parse().ok());
    Attachment { kind, media_type, name: None, size, reference: rumor.content.clone() }
}
