//! A code to be scanned: drawn in a terminal, and as a picture.

use std::fmt;

use fast_qr::{ECL, QRBuilder};

/// The light edge around a code, in modules; scanners need it.
const EDGE: usize = 4;

/// The side of a module in a picture, in pixels.
const SCALE: usize = 8;

/// A code to be scanned (a QR code), module by module.
pub struct Qr {
    /// The side without the edge.
    size: usize,
    /// Row by row, whether each is dark.
    dark: Vec<bool>,
}

impl Qr {
    /// The code that says this; `None` if it is too long for one.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let code = QRBuilder::new(text).ecl(ECL::L).build().ok()?;
        let dark = code.data.iter().take(code.size * code.size).map(|module| module.value()).collect();
        Some(Self { size: code.size, dark })
    }

    /// Two rows in each line. Light is drawn and dark is left out, which is right on a dark terminal; with `colours` it
    /// is right on every one.
    #[must_use]
    pub fn lines(&self, colours: bool) -> String {
        let side = self.size + 2 * EDGE;
        let mut lines = String::new();
        for row in (0..side).step_by(2) {
            let drawn: String = (0..side)
                .map(|column| match (self.is_dark(row, column), self.is_dark(row + 1, column)) {
                    (false, false) => '█',
                    (false, true) => '▀',
                    (true, false) => '▄',
                    (true, true) => ' ',
                })
                .collect();
            lines += &if colours { format!("\x1b[97;40m{drawn}\x1b[0m\n") } else { drawn + "\n" };
        }
        lines
    }

    /// A picture in black and white, as a PNG file.
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        let side = (self.size + 2 * EDGE) * SCALE;
        let mut rows = Vec::new();
        for row in 0..side {
            rows.push(0);
            for eight in 0..side / 8 {
                let light = |bit| !self.is_dark(row / SCALE, (eight * 8 + bit) / SCALE);
                rows.push((0..8).fold(0, |byte, bit| byte << 1 | u8::from(light(bit))));
            }
        }
        let side = u32::try_from(side).unwrap_or_default().to_be_bytes();
        // One bit for each pixel, grey, not interlaced.
        let head = [&side[..], &side, &[1, 0, 0, 0, 0]].concat();
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in [(b"IHDR", head), (b"IDAT", stored(&rows)), (b"IEND", Vec::new())] {
            png.extend(u32::try_from(data.len()).unwrap_or_default().to_be_bytes());
            let chunk = [&kind[..], &data].concat();
            png.extend(&chunk);
            png.extend(crc32(&chunk).to_be_bytes());
        }
        png
    }

    /// Whether a module is dark, counted from the edge's corner; what is outside is light.
    fn is_dark(&self, row: usize, column: usize) -> bool {
        let inside = |at: usize| at.checked_sub(EDGE).filter(|at| *at < self.size);
        let at = inside(row).zip(inside(column)).map(|(row, column)| row * self.size + column);
        at.and_then(|at| self.dark.get(at)).is_some_and(|dark| *dark)
    }
}

/// What it says may be secret.
impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Qr").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Bytes as a zlib stream that is not compressed (RFC 1950 and 1951): a code is small.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or_default();
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_their_documents() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        let long = vec![7; 70_000];
        let stream = stored(&long);
        assert_eq!(stream.len(), 2 + 5 + 65_535 + 5 + 4_465 + 4);
        assert_eq!((stream[2], stream[2 + 5 + 65_535]), (0, 1), "the second block is the last");
    }

    #[test]
    fn a_code_has_its_corners_in_the_terminal_and_in_the_picture() {
        let code = Qr::of("https://example.org/?code=1").unwrap();
        let lines = code.lines(false);
        let rows: Vec<Vec<char>> = lines.lines().map(|line| line.chars().collect()).collect();
        let side = code.size + 2 * EDGE;
        assert_eq!((rows.len(), rows[0].len()), (side.div_ceil(2), side));
        assert!(rows[0].iter().all(|module| *module == '█'), "the edge is light");
        assert_eq!(rows[2][4..12].iter().collect::<String>(), " ▄▄▄▄▄ █", "a corner's top");
        assert_ne!(lines, Qr::of("another").unwrap().lines(false));
        assert!(code.lines(true).starts_with("\x1b[97;40m█"));

        let png = code.png();
        let pixels = side * SCALE;
        assert_eq!(
            png[16..24],
            [pixels.to_be_bytes()[4..].to_vec(), pixels.to_be_bytes()[4..].to_vec()].concat()
        );
        // Behind the head of the file, the first chunk, the head of the second, and that of its only block.
        let row = |at: usize| &png[8 + 25 + 8 + 7 + at * (1 + pixels / 8)..][1..=pixels / 8];
        assert!(row(0).iter().all(|byte| *byte == 0xff));
        assert_eq!(row(EDGE * SCALE)[..13], [255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 255, row(32)[12]]);
    }

    #[test]
    fn what_is_too_long_is_no_code() {
        assert!(Qr::of(&"x".repeat(2_000)).is_some() && Qr::of(&"x".repeat(3_000)).is_none());
    }
}
