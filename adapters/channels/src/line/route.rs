//! Where an answer goes: a user's id.

use dmgate::ReplyRoute;

/// The way to a user, if the id is one: `U` and 32 hex digits in lower case. Groups begin with `C`, rooms with `R`:
/// nothing is ever sent there.
pub(super) fn to(user: &str) -> Option<ReplyRoute> {
    is_user(user).then(|| ReplyRoute::new(user))
}

/// The user behind a route, if it leads to one.
pub(super) fn user(route: &ReplyRoute) -> Option<&str> {
    Some(route.as_str()).filter(|user| is_user(user))
}

pub(super) fn is_user(id: &str) -> bool {
    id.strip_prefix('U').is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}
