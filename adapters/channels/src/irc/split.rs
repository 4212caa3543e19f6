//! A text as lines of the protocol.

/// The lines of `text` in pieces of at most `limit` bytes. A cut is made after a blank if one is in the second half, else
/// between characters. Blank lines are left out; every control character ends a line or becomes a blank, so that no piece
/// can be taken for more than one line.
pub(super) fn lines(text: &str, limit: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    for line in text.split(['\r', '\n']) {
        let line: String =
            line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let mut rest = line.trim_end();
        while !rest.trim().is_empty() {
            let (piece, after) = rest.split_at_checked(cut(rest, limit)).unwrap_or((rest, ""));
            pieces.push(piece.trim_end().to_owned());
            rest = after.trim_start();
        }
    }
    pieces
}

/// Where to cut, in bytes: between characters, and never 0.
fn cut(text: &str, limit: usize) -> usize {
    let (mut end, mut word) = (0, 0);
    for (at, letter) in text.char_indices() {
        if at + letter.len_utf8() > limit && at > 0 {
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
        assert_eq!(lines("one\n\n  two\r\nthree \n", 10), ["one", "  two", "three"]);
        assert_eq!(lines("one two three", 8), ["one two", "three"]);
        assert_eq!(lines("a bcdefgh", 6), ["a bcde", "fgh"], "no crumbs");
        assert_eq!(lines("ääää", 5), ["ää", "ää"], "two bytes each");
        assert_eq!(lines("😀", 1), ["😀"], "a limit below one character still moves on");
        assert_eq!(lines("", 5), [""; 0]);
        assert_eq!(lines(" \n \t", 5), [""; 0]);
    }

    #[test]
    fn no_piece_holds_a_control_character() {
        let pieces = lines("a\0b\rQUIT\nc\u{85}\u{1}d", 400);
        assert_eq!(pieces, ["a b", "QUIT", "c  d"]);
    }
}
