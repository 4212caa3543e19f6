//! Slack's way to write text: what people sent as plain text, and plain text as Slack takes it.

/// Plain text such that Slack shows it as it is: nothing in it is a mention, a link or a call to everybody.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What somebody sent, as they saw it. What stands in angle brackets is Slack's; theirs come as entities.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((inside, after)) = after.split_once('>') else { break };
        unescape(before, &mut plain);
        unescape(&shown(inside), &mut plain);
        rest = after;
    }
    unescape(rest, &mut plain);
    plain
}

/// How people see what stands in angle brackets: `https://example.org|here`, `@U42`, `#C42|general`, `!here`.
fn shown(inside: &str) -> String {
    let (target, label) = match inside.split_once('|') {
        Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
        None => (inside, None),
    };
    match (target.chars().next(), label) {
        (Some('!'), None) => target.replacen('!', "@", 1),
        (Some('!'), Some(label)) => label.to_owned(),
        (Some('@' | '#'), None) => target.to_owned(),
        (Some(head @ ('@' | '#')), Some(label)) => format!("{head}{}", label.trim_start_matches(head)),
        // What Slack made a link of by itself: `example.org`, an address, a number.
        (_, Some(label)) if target.ends_with(label) => label.to_owned(),
        (_, Some(label)) => format!("{label} ({target})"),
        (_, None) => target.to_owned(),
    }
}

fn unescape(text: &str, plain: &mut String) {
    plain.push_str(&text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_sent_means_more_than_it_says() {
        for call in
            ["<!channel>", "<@U42>", "<#C42>", "<https://evil.test|bank.example>", "a & b < c > d", "&lt;"]
        {
            let sent = escaped(call);
            assert!(!sent.contains(['<', '>']), "{sent}");
            assert_eq!(plain(&sent), call, "it is shown as it is");
        }
    }

    #[test]
    fn what_came_is_read_as_people_see_it() {
        for (came, seen) in [
            ("hello", "hello"),
            ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
            ("<@U42> <@U42|ann> <#C42|general> <#C42>", "@U42 @ann #general #C42"),
            ("<!here> <!subteam^S1|@crew> <!date^1^{date}|today>", "@here @crew today"),
            ("<https://example.org> <http://example.org|example.org>", "https://example.org example.org"),
            ("<mailto:a@example.org|a@example.org>", "a@example.org"),
            ("<https://example.org/?a=1&amp;b=2|here>", "here (https://example.org/?a=1&b=2)"),
            ("1 < 2", "1 < 2"),
            ("<>", ""),
            ("<@", "<@"),
        ] {
            assert_eq!(plain(came), seen, "{came}");
        }
    }
}
