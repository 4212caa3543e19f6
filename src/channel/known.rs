//! The known channels: how their ids are written in the shared files, and what people type in place of that.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::message::ChannelId;

/// A channel whose ids we know.
#[derive(Debug)]
pub struct Known {
    /// The channel's name.
    pub name: &'static str,
    /// The label of its ids in listings, as established programs print it.
    pub id_label: &'static str,
    /// What follows "Your …" in the pairing message.
    pub id_line: &'static str,
    /// Prefixes that people type and files hold, stripped before matching, in any case.
    prefixes: &'static [&'static str],
    form: Form,
}

/// What an id looks like in its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Exactly what the platform says.
    Exact,
    /// A positive decimal number.
    Number,
    /// Lower-case.
    Lower,
    /// `@name:server`, in the case in which it is given.
    Matrix,
    /// 64 hex digits, lower-case; people may type `npub1…` or `nprofile1…` (NIP-19).
    NostrKey,
    /// 64 hex digits, lower-case.
    Hash,
    /// An e-mail address in lower case, or a telephone number `+…` (E.164).
    Handle,
    /// `users/<number>`.
    GoogleUser,
    /// `account:<name>`, or `nick!user@host` in lower case.
    Irc,
    /// `uuid:<aci>` or a telephone number `+…`.
    Signal,
    /// A telephone number `+…`, a business-scoped id, or `<number>@lid`.
    WhatsApp,
    /// `U…` or `W…`, with the team before it if it is another's: `T…:U…`.
    Slack,
}

const fn known(
    name: &'static str,
    id_label: &'static str,
    id_line: &'static str,
    prefixes: &'static [&'static str],
    form: Form,
) -> Known {
    Known { name, id_label, id_line, prefixes, form }
}

#[rustfmt::skip]
static KNOWN: &[Known] = &[
    known("bluebubbles", "bluebubblesSenderId", "BlueBubbles sender id", &["bluebubbles:", "imessage:", "sms:", "auto:"], Form::Handle),
    known("discord", "discordUserId", "Discord user id", &["discord:", "user:"], Form::Number),
    known("feishu", "feishuUserId", "Feishu user id", &["feishu:", "user:", "open_id:"], Form::Exact),
    known("googlechat", "googlechatUserId", "Google Chat user id", &["googlechat:", "google-chat:", "gchat:", "user:"], Form::GoogleUser),
    known("imessage", "imessageSenderId", "iMessage sender id", &["imessage:", "sms:", "auto:"], Form::Handle),
    known("irc", "ircUser", "IRC id", &["irc:", "user:"], Form::Irc),
    known("line", "lineUserId", "lineUserId", &["line:", "user:"], Form::Exact),
    known("matrix", "matrixUserId", "Matrix user id", &["matrix:"], Form::Matrix),
    known("mattermost", "mattermostUserId", "Mattermost user id", &["mattermost:", "user:", "@"], Form::Lower),
    known("msteams", "msteamsUserId", "Microsoft Teams user id", &["msteams:", "user:"], Form::Exact),
    known("nextcloud-talk", "nextcloudUserId", "Nextcloud user id", &["nextcloud-talk:", "nc-talk:", "nc:"], Form::Lower),
    known("nostr", "nostrPubkey", "Nostr pubkey", &["nostr:"], Form::NostrKey),
    known("openclaw-weixin", "weixinUserId", "WeChat id", &[], Form::Exact),
    known("signal", "signalNumber", "Signal sender id", &["signal:"], Form::Signal),
    known("slack", "slackUserId", "Slack user id", &["slack:", "user:"], Form::Slack),
    known("synology-chat", "synologyChatUserId", "Synology Chat user id", &["synology-chat:"], Form::Number),
    known("telegram", "telegramUserId", "Telegram user id", &["telegram:", "tg:"], Form::Number),
    known("twitch", "twitchUserId", "Twitch user id", &["twitch:", "user:"], Form::Number),
    known("webchat", "webchatVisitor", "web chat id", &["webchat:"], Form::Hash),
    known("whatsapp", "whatsappSenderId", "WhatsApp id", &["whatsapp:"], Form::WhatsApp),
    known("zalo", "zaloUserId", "Zalo user id", &["zalo:", "zl:"], Form::Exact),
    known("zalouser", "zalouserUserId", "Zalo user id", &["zalouser:", "zlu:"], Form::Exact),
];

impl Known {
    /// The channel of this name, if it is one of the known ones.
    #[must_use]
    pub fn of(channel: &ChannelId) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == channel.as_str())
    }

    /// All known channels, by name.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        KNOWN.iter()
    }

    /// What an id looks like, for error messages.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        match self.form {
            Form::Exact => "an id of the platform is expected",
            Form::Number => "a number is expected, not a name",
            Form::Lower => "a user id is expected",
            Form::Matrix => "a whole user id is expected, as `@name:example.org`",
            Form::NostrKey => "a public key of 64 hex digits, an npub or an nprofile is expected",
            Form::Hash => "the 64 hex digits of a visitor's id are expected",
            Form::Handle => "a telephone number with `+` or an e-mail address is expected",
            Form::GoogleUser => "`users/` and a number is expected",
            Form::Irc => "`account:` and a services account is expected, or a whole `nick!user@host`",
            Form::Signal => "`uuid:` and an account id is expected, or a telephone number with `+`",
            Form::WhatsApp => "a telephone number with `+`, a business-scoped id or `…@lid` is expected",
            Form::Slack => "a member id is expected, as `U0123ABCD`",
        }
    }

    /// The canonical form of an id that the platform gave; `None` if it is not one of its ids.
    pub(crate) fn canonical<'a>(&self, id: &'a str) -> Option<Cow<'a, str>> {
        match self.form {
            Form::Exact => Some(id.into()),
            Form::Number => is_number(id).then(|| id.into()),
            Form::Lower => Some(lower_ascii(id)),
            Form::Matrix => is_matrix(id).then(|| id.into()),
            Form::NostrKey | Form::Hash => is_hex(id, 64).then(|| lower_ascii(id)),
            Form::Handle => phone(id).map(Cow::Owned).or_else(|| is_mail(id).then(|| lower_ascii(id))),
            Form::GoogleUser => {
                let number = id.strip_prefix("users/").unwrap_or(id);
                is_number(number).then(|| format!("users/{number}").into())
            }
            Form::Irc => match id.strip_prefix("account:") {
                // Services compare account names without regard to case.
                Some(name) => (!name.is_empty() && !name.contains([' ', '!'])).then(|| lower_ascii(id)),
                None => is_mask(id).then(|| lower_ascii(id)),
            },
            Form::Signal => phone(id).map(Cow::Owned).or_else(|| {
                let aci = id.strip_prefix("uuid:").unwrap_or(id);
                is_uuid(aci).then(|| format!("uuid:{}", aci.to_ascii_lowercase()).into())
            }),
            Form::WhatsApp => phone(id).map(Cow::Owned).or_else(|| {
                (is_business_id(id) || id.strip_suffix("@lid").is_some_and(is_number)).then(|| id.into())
            }),
            Form::Slack => {
                let (team, user) = id.rsplit_once(':').map_or((None, id), |(team, user)| (Some(team), user));
                let plain = |text: &str, heads: &[char]| {
                    text.starts_with(heads)
                        && text.len() > 1
                        && text.bytes().all(|b| b.is_ascii_alphanumeric())
                };
                let upper = id.to_ascii_uppercase();
                let good = plain(&user.to_ascii_uppercase(), &['U', 'W'])
                    && team.is_none_or(|team| plain(&team.to_ascii_uppercase(), &['T', 'E']));
                good.then(|| upper.into())
            }
        }
    }

    /// What people type without the established prefixes; an npub or nprofile as its key.
    pub(crate) fn strip<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut rest = text;
        // Each prefix at most once and each only before the next, as `line:user:U…`; a fixed order would refuse
        // `user:` alone, so the loop ends when no prefix that is left applies.
        let mut left = u32::MAX;
        let applies = |(at, prefix): &(usize, &&str), left: u32, rest: &str| {
            left & (1 << at) != 0 && starts_with_ignore_case(rest, prefix)
        };
        while let Some((at, prefix)) = self.prefixes.iter().enumerate().find(|it| applies(it, left, rest)) {
            left &= !(1 << at);
            rest = rest.get(prefix.len()..).unwrap_or_default().trim_start();
        }
        match self.form {
            Form::NostrKey => nostr_key(rest).map_or(rest.into(), Cow::Owned),
            Form::Handle if !rest.contains('@') => rest.split_whitespace().collect::<String>().into(),
            _ => rest.into(),
        }
    }
}

fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// Google's have 21 digits, nobody's more.
fn is_number(id: &str) -> bool {
    !id.is_empty() && id.len() <= 21 && !id.starts_with('0') && id.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hex(id: &str, length: usize) -> bool {
    id.len() == length && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_mail(id: &str) -> bool {
    id.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty() && !host.is_empty() && !host.contains('@') && !id.contains(char::is_whitespace)
    })
}

/// `@name:server`, of at most 255 bytes.
fn is_matrix(id: &str) -> bool {
    let parts = id.strip_prefix('@').and_then(|id| id.split_once(':'));
    let is_whole = parts.is_some_and(|(name, server)| !name.is_empty() && !server.is_empty());
    is_whole && id.len() <= 255 && !id.contains(char::is_whitespace)
}

/// `nick!user@host`, each part non-empty and without blanks.
fn is_mask(id: &str) -> bool {
    id.split_once('!').is_some_and(|(nick, rest)| {
        !nick.is_empty()
            && rest.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
            && !id.contains(char::is_whitespace)
    })
}

fn is_uuid(id: &str) -> bool {
    id.len() == 36
        && id.char_indices().all(|(at, letter)| match at {
            8 | 13 | 18 | 23 => letter == '-',
            _ => letter.is_ascii_hexdigit(),
        })
}

/// WhatsApp's business-scoped user ids: two letters of a country, a dot, letters and digits.
fn is_business_id(id: &str) -> bool {
    id.split_once('.').is_some_and(|(country, rest)| {
        country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase())
            && !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    })
}

/// E.164: `+` and 4 to 15 digits; the marks that people put between them are dropped.
fn phone(id: &str) -> Option<String> {
    let digits = id.strip_prefix('+')?;
    let plain: String =
        digits.chars().filter(|letter| !matches!(letter, ' ' | '-' | '(' | ')' | '.')).collect();
    let good = (4..=15).contains(&plain.len()) && plain.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| format!("+{plain}"))
}

/// ASCII alone: beyond it, several letters share a lower case (the Kelvin sign's is `k`), and two ids would be one.
fn lower_ascii(id: &str) -> Cow<'_, str> {
    if id.bytes().any(|byte| byte.is_ascii_uppercase()) { id.to_ascii_lowercase().into() } else { id.into() }
}

/// The hex key behind an `npub1…` or `nprofile1…` (NIP-19: bech32, BIP-173), if its checksum is right.
fn nostr_key(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (human, data) = text.rsplit_once('1').filter(|(human, _)| matches!(*human, "npub" | "nprofile"))?;
    let bytes = bech32(human, data)?;
    let key = match human {
        "npub" => bytes,
        // Fields of one byte that says what it is, one that says how long, and so many more; the key is number 0.
        _ => {
            let mut rest = bytes.as_slice();
            loop {
                let (kind, length) = (*rest.first()?, usize::from(*rest.get(1)?));
                let value = rest.get(2..2 + length)?;
                if kind == 0 {
                    break value.to_vec();
                }
                rest = rest.get(2 + length..)?;
            }
        }
    };
    (key.len() == 32).then(|| hex::encode(key))
}

/// The bytes in the data of a bech32 text, if its checksum is right.
fn bech32(human: &str, data: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let values: Option<Vec<u8>> = data
        .bytes()
        .map(|byte| ALPHABET.iter().position(|letter| *letter == byte).and_then(|at| u8::try_from(at).ok()))
        .collect();
    let values = values?;
    let expanded = human.bytes().map(|b| b >> 5).chain([0]).chain(human.bytes().map(|b| b & 31));
    let checksum = expanded.chain(values.iter().copied()).fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let step = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3_u32]
            .iter()
            .enumerate()
            .fold(step, |sum, (bit, generator)| if top >> bit & 1 == 1 { sum ^ generator } else { sum })
    });
    if checksum != 1 {
        return None;
    }
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for value in values.iter().take(values.len().checked_sub(6)?) {
        held = (held << 5 | u32::from(*value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}
