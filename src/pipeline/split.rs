//! Long answers in parts that a platform takes.

/// The parts of `text`, each at most `limit` UTF-16 units: cut after a line, else after a word, else between
/// characters. Blank parts are left out.
pub(super) fn split(text: &str, limit: usize) -> impl Iterator<Item = &str> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = cut(rest, limit.max(2));
        let (part, after) = rest.split_at_checked(end)?;
        rest = after.trim_start();
        Some(part.trim_end())
    })
}

/// Where to cut, in bytes: never 0, always between characters.
fn cut(text: &str, limit: usize) -> usize {
    let mut units = 0;
    let (mut line, mut word, mut end) = (0, 0, 0);
    for (at, letter) in text.char_indices() {
        units += letter.len_utf16();
        if units > limit {
            // A cut in the first half would make needless crumbs.
            let good = [line, word].into_iter().find(|good| *good > end / 2);
            return good.unwrap_or(end);
        }
        end = at + letter.len_utf8();
        match letter {
            '\n' => line = end,
            ' ' => word = end,
            _ => {}
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, limit: usize) -> Vec<&str> {
        split(text, limit).collect()
    }

    #[test]
    fn parts_fit_and_nothing_is_lost() {
        assert_eq!(parts("", 10), Vec::<&str>::new());
        assert_eq!(parts("  \n ", 10), Vec::<&str>::new());
        assert_eq!(parts("hello", 10), ["hello"]);
        assert_eq!(parts("one two three", 8), ["one two", "three"]);
        assert_eq!(parts("one two\nthree", 12), ["one two", "three"]);
        assert_eq!(parts("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(parts("😀😀😀", 4), ["😀😀", "😀"], "two units each");
        assert_eq!(parts("😀", 1), ["😀"], "a limit below one character still moves on");
        let long = "word ".repeat(1_000);
        assert!(parts(&long, 50).iter().all(|part| part.encode_utf16().count() <= 50));
        assert_eq!(parts(&long, 50).join(" "), long.trim());
    }
}
