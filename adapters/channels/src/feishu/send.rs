//! Texts to Feishu.

use dmgate::{AccountKey, OutboundText, ReplyRoute, SendError};
use http::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::api::FeishuApi;
use super::event::is_person;

/// Refusals for good: the person is gone, not within the app's reach, or has stopped it; or this text is never let
/// through. The rest passes, or the owner can mend it.
const HOPELESS: &[i64] =
    &[230_001, 230_013, 230_022, 230_025, 230_028, 230_029, 230_034, 230_035, 230_038, 230_053, 230_054];

/// Sends one text, plain.
pub(super) async fn text(
    api: &FeishuApi,
    account: &AccountKey,
    route: &ReplyRoute,
    text: &OutboundText,
) -> Result<(), SendError> {
    let person = Some(route.as_str()).filter(|id| is_person(id));
    let Some(person) = person else {
        return Err(SendError::Impossible { reason: "this is no way to a person".to_owned() });
    };
    let message = json!({
        "receive_id": person,
        "msg_type": "text",
        "content": json!({ "text": unmarked(&text.body) }).to_string(),
        // Feishu sends one text for each of these, within an hour; it takes 50 characters.
        "uuid": uuid(account, &text.idempotency_key),
    });
    let path = "open-apis/im/v1/messages?receive_id_type=open_id";
    let sent = api.call(Method::POST, path, Some(&message)).await;
    sent.map(drop).map_err(|error| error.outcome(|code, _| HOPELESS.contains(&code)))
}

/// A text in which nothing calls anybody: `<at …>` would. What it says looks the same.
fn unmarked(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        plain.push_str(before);
        plain.push('<');
        rest = tag.strip_prefix('<').unwrap_or_default();
        let is_call =
            rest.trim_start_matches('/').get(..2).is_some_and(|name| name.eq_ignore_ascii_case("at"));
        if is_call {
            // A word joiner, which has no width.
            plain.push('\u{2060}');
        }
    }
    plain + rest
}

fn uuid(account: &AccountKey, key: &str) -> String {
    let hash = Sha256::digest(format!("{account} {key}"));
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_by_a_text() {
        assert_eq!(unmarked("a < b, <b> and @all"), "a < b, <b> and @all");
        assert_eq!(
            unmarked("<at user_id=\"all\"></at><AT>"),
            "<\u{2060}at user_id=\"all\"><\u{2060}/at><\u{2060}AT>"
        );
        assert_eq!(unmarked("<"), "<");
        assert_eq!(unmarked("<<at>ä"), "<<\u{2060}at>ä");
    }

    #[test]
    fn the_same_text_has_the_same_mark_and_another_has_another() {
        let account = AccountKey::parse("feishu", "default").unwrap();
        let mark = uuid(&account, &"x".repeat(500));
        assert_eq!((mark.len(), &mark), (32, &uuid(&account, &"x".repeat(500))));
        assert_ne!(mark, uuid(&account, "x"));
        assert_ne!(mark, uuid(&AccountKey::parse("feishu", "work").unwrap(), &"x".repeat(500)));
    }
}
