//! The frames of Feishu's long connection, as its libraries' `pbbp2.proto` has them.

use crate::Frame as SocketFrame;

/// One frame, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Frame {
    /// By number: SeqID, LogID, service, method.
    numbers: [u64; 4],
    headers: Vec<(String, String)>,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// A part of an event.
    pub(super) fn event(service: &str, number: usize, sum: usize, at: usize, payload: &[u8]) -> Self {
        let headers = [
            ("type", "event".to_owned()),
            ("message_id", format!("m-{number}")),
            ("trace_id", format!("t-{number}")),
            ("sum", sum.to_string()),
            ("seq", at.to_string()),
        ];
        let log = 1 << 40;
        Self {
            numbers: [number as u64, log, service.parse().unwrap(), 1],
            headers: own(&headers),
            payload: payload.to_vec(),
        }
    }

    pub(super) fn pong(service: &str, payload: &[u8]) -> Self {
        let headers = own(&[("type", "pong".to_owned())]);
        Self { numbers: [0, 0, service.parse().unwrap(), 0], headers, payload: payload.to_vec() }
    }

    /// The frame that the bot sent; it must be one.
    pub(super) fn of(frame: &SocketFrame) -> Self {
        match frame {
            SocketFrame::Binary(bytes) => Self::decode(bytes),
            SocketFrame::Text(text) => panic!("the bot sends a text: {text}"),
        }
    }

    pub(super) fn is_ping(&self, service: &str) -> bool {
        self.numbers[3] == 0 && self.numbers[2].to_string() == service && self.header("type") == "ping"
    }

    pub(super) fn is_answer_to(&self, number: usize) -> bool {
        self.numbers[3] == 1
            && self.header("message_id") == format!("m-{number}")
            && !self.header("biz_rt").is_empty()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, number) in self.numbers.iter().enumerate() {
            bytes.push(u8::try_from((at + 1) << 3).unwrap());
            varint(&mut bytes, *number);
        }
        for (key, value) in &self.headers {
            let mut header = Vec::new();
            block(&mut header, 1, key.as_bytes());
            block(&mut header, 2, value.as_bytes());
            block(&mut bytes, 5, &header);
        }
        block(&mut bytes, 8, &self.payload);
        bytes
    }

    fn decode(mut bytes: &[u8]) -> Self {
        let mut frame = Self::default();
        while let Some((number, kind)) = tag(&mut bytes) {
            let value = read(&mut bytes);
            if kind == 0 {
                frame.numbers[number - 1] = value;
                continue;
            }
            assert_eq!(kind, 2, "a kind of field that no frame has");
            let (block, rest) = bytes.split_at(usize::try_from(value).unwrap());
            bytes = rest;
            match number {
                5 => frame.headers.push(header(block)),
                8 => frame.payload = block.to_vec(),
                _ => {}
            }
        }
        frame
    }
}

fn own(headers: &[(&str, String)]) -> Vec<(String, String)> {
    headers.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn header(mut bytes: &[u8]) -> (String, String) {
    let mut pair = [String::new(), String::new()];
    while let Some((number, _)) = tag(&mut bytes) {
        let length = usize::try_from(read(&mut bytes)).unwrap();
        let (text, rest) = bytes.split_at(length);
        pair[number - 1] = String::from_utf8(text.to_vec()).unwrap();
        bytes = rest;
    }
    pair.into()
}

/// The number and the kind of the next field.
fn tag(bytes: &mut &[u8]) -> Option<(usize, u64)> {
    let tag = (!bytes.is_empty()).then(|| read(bytes))?;
    Some((usize::try_from(tag >> 3).unwrap(), tag & 7))
}

fn read(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return number;
        }
    }
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
}

fn block(bytes: &mut Vec<u8>, number: u8, value: &[u8]) {
    bytes.push(number << 3 | 2);
    varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}
