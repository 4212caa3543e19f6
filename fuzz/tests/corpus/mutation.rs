//! Inputs that are nearly those of a corpus: a fuzzer's changes, in an order that follows from a seed.

use dmgate::Entropy as _;
use dmgate::testing::SeededEntropy;

/// What is put into inputs: what ends, begins, escapes and hides in the formats that are read.
const WORDS: [&[u8]; 40] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b" ",
    b"=",
    b";",
    b"#",
    b"@",
    b"*",
    b"-",
    b"0",
    b"null",
    b"true",
    b"-1",
    b"1e400",
    b"2",
    b"\"\"",
    b"\\u0061",
    b"\\ud800",
    b"\xff",
    b"\0",
    b"\xef\xbb\xbf",
    "\u{200b}".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{212a}".as_bytes(),
    b"9223372036854775808",
    b"default",
    b"work",
    b"stranger",
    b"account=owner",
    b"../",
    b"ABCDEFGH",
    b"2026-03-01T00:29:00.000Z",
];

/// Mutations of a corpus, without an end.
pub(crate) struct Mutations<'a> {
    corpus: &'a [Vec<u8>],
    bytes: SeededEntropy,
}

impl<'a> Mutations<'a> {
    pub(crate) fn new(corpus: &'a [Vec<u8>], seed: u64) -> Self {
        Self { corpus, bytes: SeededEntropy::new(seed) }
    }

    /// A number below `end`.
    fn below(&self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.bytes.fill(&mut bytes).unwrap();
        usize::try_from(u64::from_le_bytes(bytes) % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn change(&self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let end = (at + 1 + self.below(12)).min(input.len());
        match self.below(9) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = u8::try_from(self.below(256)).unwrap(),
            2 => drop(input.drain(at.min(end)..end)),
            3 => input.splice(at..at, input[at.min(end)..end].to_vec()).for_each(drop),
            4 => input.truncate(at),
            // Whole lines: of another input, left out, or in another place.
            5 => {
                let other = &self.corpus[self.below(self.corpus.len())];
                let lines: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
                let line = lines.get(self.below(lines.len())).copied().unwrap_or_default().to_vec();
                let place = self.line(input).0;
                input.splice(place..place, line).for_each(drop);
            }
            6 => {
                let (begin, end) = self.line(input);
                let line: Vec<u8> = input.drain(begin..end).collect();
                if self.below(2) == 0 {
                    let place = self.line(input).0;
                    input.splice(place..place, line).for_each(drop);
                }
            }
            7 => {
                let word = WORDS[self.below(WORDS.len())];
                let until = if self.below(2) == 0 { at } else { end.max(at) };
                input.splice(at..until, word.iter().copied()).for_each(drop);
            }
            _ => {
                let other = &self.corpus[self.below(self.corpus.len())];
                input.truncate(at);
                input.extend(&other[self.below(other.len())..]);
            }
        }
    }

    /// A line: where it begins and ends.
    fn line(&self, input: &[u8]) -> (usize, usize) {
        let mut begins: Vec<usize> = vec![0];
        begins.extend(input.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
        let number = self.below(begins.len());
        (begins[number], begins.get(number + 1).copied().unwrap_or(input.len()))
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut input = self.corpus.get(self.below(self.corpus.len()))?.clone();
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        Some(input)
    }
}
