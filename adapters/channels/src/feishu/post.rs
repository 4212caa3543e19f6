//! Rich texts ("post"): lines of parts, each of a kind.

use serde_json::Value;

/// How many parts of a rich text are looked at.
const PARTS: usize = 4_096;

/// The title and the lines, as plain text.
pub(super) fn words(content: &Value) -> String {
    let text =
        |part: &Value, name: &str| part.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let post = localised(content);
    let mut left = PARTS;
    let mut lines = vec![text(post, "title")];
    for line in lines_of(post) {
        let parts = line.iter().take(left);
        left = left.saturating_sub(line.len());
        let words = parts.map(|part| match part.get("tag").and_then(Value::as_str) {
            Some("text" | "md" | "code_block") => text(part, "text"),
            Some("a") => match (text(part, "text"), text(part, "href")) {
                (words, href) if words.is_empty() || words == href => href,
                (words, href) => format!("{words} ({href})"),
            },
            Some("at") => format!("@{}", text(part, "user_name")),
            _ => String::new(),
        });
        lines.push(words.collect());
    }
    let empty = |line: &String| line.is_empty();
    let first = lines.iter().position(|line| !empty(line)).unwrap_or(lines.len());
    lines.drain(..first);
    while lines.last().is_some_and(empty) {
        lines.pop();
    }
    lines.join("\n")
}

/// The keys of its pictures and films.
pub(super) fn keys(content: &Value, tag: &str, name: &str) -> Vec<String> {
    let parts = lines_of(localised(content)).flatten().take(PARTS);
    let parts = parts.filter(|part| part.get("tag").and_then(Value::as_str) == Some(tag));
    parts.filter_map(|part| part.get(name)?.as_str()).map(str::to_owned).collect()
}

/// A rich text may stand under its language.
fn localised(content: &Value) -> &Value {
    if content.get("content").is_some() {
        return content;
    }
    let below =
        content.as_object().and_then(|below| below.values().find(|post| post.get("content").is_some()));
    below.unwrap_or(content)
}

fn lines_of(post: &Value) -> impl Iterator<Item = &Vec<Value>> {
    post.get("content").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_array)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rich_text_is_read_line_by_line() {
        let lines = json!([
            [{ "tag": "text", "text": "one " }, { "tag": "a", "text": "two", "href": "https://x.test" }],
            [{ "tag": "img", "image_key": "img_1" }],
            [{ "tag": "at", "user_id": "ou_1", "user_name": "Bob" }, { "tag": "a", "href": "https://y.test" }],
            [{ "tag": "media", "file_key": "file_1", "image_key": "img_2" }, { "tag": "whatever" }, 5],
            "no line",
        ]);
        let expected = "Title\none two (https://x.test)\n\n@Bobhttps://y.test";
        for post in [
            json!({ "title": "Title", "content": lines }),
            json!({ "zh_cn": { "title": "Title", "content": lines } }),
        ] {
            assert_eq!(words(&post), expected);
            assert_eq!(
                (keys(&post, "img", "image_key"), keys(&post, "media", "file_key")),
                (vec!["img_1".to_owned()], vec!["file_1".to_owned()])
            );
        }
        for nothing in [json!(null), json!({}), json!([]), json!({ "content": 5 }), json!({ "title": "" })] {
            assert_eq!(words(&nothing), "");
        }
    }

    #[test]
    fn no_more_is_looked_at_than_a_rich_text_has() {
        let line = json!([{ "tag": "text", "text": "x" }]);
        let many = json!({ "content": vec![line; 10_000] });
        assert_eq!(words(&many).matches('x').count(), PARTS);
    }
}
