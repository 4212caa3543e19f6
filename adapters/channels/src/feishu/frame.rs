//! What is said over Feishu's connection: one message of protocol buffers in each binary frame.
//!
//! ```text
//! 1 SeqID uint64    2 LogID uint64    3 service int32    4 method int32: 0 control, 1 data
//! 5 headers, each { 1 key string, 2 value string }
//! 6 payload_encoding string    7 payload_type string    8 payload bytes    9 LogIDNew string
//! ```

/// How many headers are read.
const HEADERS: usize = 64;

/// One frame. What we don't need of it is kept, since an answer is the frame itself with another payload.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Frame {
    sequence: u64,
    log: u64,
    pub(super) service: u64,
    method: u64,
    headers: Vec<(String, String)>,
    encoding: Vec<u8>,
    kind: Vec<u8>,
    pub(super) payload: Vec<u8>,
    log_new: Vec<u8>,
}

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a kind that we have no use for.
    Other,
}

impl Frame {
    /// A sign of life for a service.
    pub(super) fn ping(service: u64) -> Self {
        let headers = vec![("type".to_owned(), "ping".to_owned())];
        Self { service, headers, ..Self::default() }
    }

    /// Whether it brings something; else it is about the connection.
    pub(super) fn is_data(&self) -> bool {
        self.method == 1
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What is said to it: that it is taken, or else that it shall come again.
    pub(super) fn answer(mut self, is_taken: bool) -> Self {
        let code = if is_taken { 200 } else { 500 };
        // How long it took, in milliseconds: nobody reads it.
        self.headers.push(("biz_rt".to_owned(), "0".to_owned()));
        self.payload = format!("{{\"code\":{code}}}").into_bytes();
        self
    }

    /// The frame in these bytes; `None` if they are none.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut frame = Self::default();
        while !bytes.is_empty() {
            match field(&mut bytes)? {
                (1, Field::Number(number)) => frame.sequence = number,
                (2, Field::Number(number)) => frame.log = number,
                (3, Field::Number(number)) => frame.service = number,
                (4, Field::Number(number)) => frame.method = number,
                (5, Field::Bytes(header)) if frame.headers.len() < HEADERS => {
                    frame.headers.push(pair(header)?);
                }
                (6, Field::Bytes(bytes)) => frame.encoding = bytes.to_vec(),
                (7, Field::Bytes(bytes)) => frame.kind = bytes.to_vec(),
                (8, Field::Bytes(bytes)) => frame.payload = bytes.to_vec(),
                (9, Field::Bytes(bytes)) => frame.log_new = bytes.to_vec(),
                (1..=9, _) => return None,
                _ => {}
            }
        }
        Some(frame)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, value) in [(1, self.sequence), (2, self.log), (3, self.service), (4, self.method)] {
            put_number(&mut bytes, number << 3);
            put_number(&mut bytes, value);
        }
        for (key, value) in &self.headers {
            let mut header = Vec::new();
            put_bytes(&mut header, 1, key.as_bytes());
            put_bytes(&mut header, 2, value.as_bytes());
            put_bytes(&mut bytes, 5, &header);
        }
        for (number, value) in [(6, &self.encoding), (7, &self.kind), (8, &self.payload), (9, &self.log_new)]
        {
            if !value.is_empty() {
                put_bytes(&mut bytes, number, value);
            }
        }
        bytes
    }
}

#[cfg(test)]
impl Frame {
    /// A frame that brings something, as Feishu sends it.
    pub(super) fn data(headers: &[(&str, &str)], payload: &[u8]) -> Self {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(own).collect();
        let log_new = b"log".to_vec();
        Self {
            sequence: 1,
            log: 1 << 40,
            service: 7,
            method: 1,
            headers,
            payload: payload.to_vec(),
            log_new,
            ..Self::default()
        }
    }

    /// A frame about the connection.
    pub(super) fn control(kind: &str, payload: &[u8]) -> Self {
        Self { method: 0, ..Self::data(&[("type", kind)], payload) }
    }
}

fn pair(mut bytes: &[u8]) -> Option<(String, String)> {
    let (mut key, mut value) = (String::new(), String::new());
    while !bytes.is_empty() {
        match field(&mut bytes)? {
            (1, Field::Bytes(bytes)) => key = std::str::from_utf8(bytes).ok()?.to_owned(),
            (2, Field::Bytes(bytes)) => value = std::str::from_utf8(bytes).ok()?.to_owned(),
            _ => {}
        }
    }
    Some((key, value))
}

/// The next field and its number.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = number(bytes)?;
    let field = match tag & 7 {
        0 => Field::Number(number(bytes)?),
        1 => skip(bytes, 8)?,
        2 => {
            let length = usize::try_from(number(bytes)?).ok()?;
            let (field, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Field::Bytes(field)
        }
        5 => skip(bytes, 4)?,
        _ => return None,
    };
    Some((tag >> 3, field))
}

fn skip<'a>(bytes: &mut &'a [u8], length: usize) -> Option<Field<'a>> {
    *bytes = bytes.get(length..)?;
    Some(Field::Other)
}

/// A number of up to 64 bits, seven in each byte.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        // Of the tenth byte only one bit has room.
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
}

fn put_bytes(bytes: &mut Vec<u8>, number: u64, value: &[u8]) {
    put_number(bytes, number << 3 | 2);
    put_number(bytes, u64::try_from(value.len()).unwrap_or_default());
    bytes.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As @larksuiteoapi/node-sdk 1.74.0 writes them: a sign of life, and an answer.
    const PING: &str = "0800100018f681801020002a0c0a0474797065120470696e67";
    const ANSWER: &str = "080110808080808020180720012a0d0a047479706512056576656e742a100a0a6d6573736167655f696412026d31\
                          420c7b22636f6465223a3230307d4a036c6f67";

    #[test]
    fn frames_are_written_as_feishus_own_library_writes_them() {
        let ping = Frame::ping(33_554_678);
        assert_eq!(hex::encode(ping.encode()), PING);
        assert_eq!(Frame::decode(&hex::decode(PING).unwrap()), Some(ping));
        let answer = Frame::data(&[("type", "event"), ("message_id", "m1")], br#"{"code":200}"#);
        assert_eq!(hex::encode(answer.encode()), ANSWER);
        assert_eq!(Frame::decode(&hex::decode(ANSWER).unwrap()), Some(answer));
    }

    #[test]
    fn an_answer_is_the_frame_with_another_payload() {
        let frame = Frame::data(&[("type", "event"), ("message_id", "m1")], br#"{"schema":"2.0"}"#);
        let read = Frame::decode(&frame.encode()).unwrap();
        assert_eq!(read, frame);
        assert!(read.is_data() && read.header("message_id") == Some("m1") && read.header("sum").is_none());
        let answer = Frame::decode(&read.clone().answer(true).encode()).unwrap();
        assert_eq!(
            (answer.payload.as_slice(), answer.header("biz_rt")),
            (&br#"{"code":200}"#[..], Some("0"))
        );
        assert_eq!((answer.log, answer.log_new, answer.service), (1 << 40, b"log".to_vec(), 7));
        assert_eq!(read.answer(false).payload, br#"{"code":500}"#);
    }

    #[test]
    fn what_is_no_frame_is_none() {
        let frame = Frame::data(&[("type", "event")], b"payload").encode();
        for cut in 1..frame.len() {
            // A frame may end after any whole field.
            if let Some(read) = Frame::decode(&frame[..cut]) {
                assert!(read.payload.is_empty() || read.log_new.is_empty(), "{cut}");
            }
        }
        for wrong in [
            "0a",
            "0aff",
            "08",
            "08ffffffffffffffffffff01",
            "08ffffffffffffffffff02",
            "0b",
            "0f",
            "2a03ffffff",
            "2a050a03ff",
            "2a040a02c328",
            "4001",
        ] {
            assert_eq!(Frame::decode(&hex::decode(wrong).unwrap()), None, "{wrong}");
        }
        // A field that is not known yet, of each kind.
        for known in ["a00601", "a1060000000000000000", "a20600", "a50600000000", ""] {
            assert_eq!(Frame::decode(&hex::decode(known).unwrap()), Some(Frame::default()), "{known}");
        }
        let many: Vec<u8> = [0x2a, 0].repeat(100);
        assert_eq!(Frame::decode(&many), None, "more headers than any frame has");
        let most = "08ffffffffffffffffff01";
        assert_eq!(Frame::decode(&hex::decode(most).unwrap()).unwrap().sequence, u64::MAX);
    }
}
