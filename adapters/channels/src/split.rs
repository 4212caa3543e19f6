//! What is too long for one message of a platform.

/// The lines of `text` in pieces of at most `limit`, as `measure` measures characters (`char::len_utf8` for bytes,
/// `char::len_utf16` for UTF-16 units). A cut is made after a blank if one is in the second half, else between
/// characters. Blank lines are left out; every control character ends a line or becomes a blank, so that no piece can
/// be taken for more than one line.
pub(crate) fn lines(text: &str, limit: usize, measure: fn(char) -> usize) -> Vec<String> {
    let mut pieces = Vec::new();
    for line in text.split(['\r', '\n']) {
        let line: String =
            line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let mut rest = line.trim_end();
        while !rest.trim().is_empty() {
            let (piece, after) = rest.split_at_checked(cut(rest, limit, measure)).unwrap_or((rest, ""));
            pieces.push(piece.trim_end().to_owned());
            rest = after.trim_start();
        }
    }
    pieces
}

/// Where to cut, in bytes: between characters, and never 0.
fn cut(text: &str, limit: usize, measure: fn(char) -> usize) -> usize {
    let (mut size, mut end, mut word) = (0, 0, 0);
    for (at, letter) in text.char_indices() {
        size += measure(letter);
        if size > limit && at > 0 {
            return if word > end / 2 { word } else { end };
        }
        end = at + letter.len_utf8();
        if letter == ' ' {
            word = end;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_lines_that_fit() {
        let bytes = |text: &str, limit| lines(text, limit, char::len_utf8);
        assert_eq!(bytes("one\n\n  two\r\nthree \n", 10), ["one", "  two", "three"]);
        assert_eq!(bytes("one two three", 8), ["one two", "three"]);
        assert_eq!(bytes("a bcdefgh", 6), ["a bcde", "fgh"], "no crumbs");
        assert_eq!(bytes("ääää", 5), ["ää", "ää"], "two bytes each");
        assert_eq!(lines("ääää", 3, char::len_utf16), ["äää", "ä"]);
        assert_eq!(bytes("😀", 1), ["😀"], "a limit below one character still moves on");
        assert_eq!(bytes("", 5), [""; 0]);
        assert_eq!(bytes(" \n \t", 5), [""; 0]);
    }

    #[test]
    fn no_piece_holds_a_control_character() {
        let pieces = lines("a\0b\rQUIT\nc\u{85}\u{1}d", 400, char::len_utf8);
        assert_eq!(pieces, ["a b", "QUIT", "c  d"]);
    }
}
