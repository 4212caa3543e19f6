//! A form with a file in it (RFC 7578), as platforms take uploads.

use reqwest::RequestBuilder;

/// The parts of a form.
#[derive(Default)]
pub(crate) struct Form(Vec<Part>);

struct Part {
    head: String,
    body: Vec<u8>,
}

impl Form {
    /// With a field; `name` is plain.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        let head = format!("content-disposition: form-data; name=\"{name}\"\r\n\r\n");
        self.0.push(Part { head, body: value.as_bytes().to_vec() });
        self
    }

    /// With a PNG file; both names are plain.
    pub(crate) fn png(mut self, name: &str, file: &str, png: &[u8]) -> Self {
        let head = format!(
            "content-disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\ncontent-type: image/png\r\n\r\n"
        );
        self.0.push(Part { head, body: png.to_vec() });
        self
    }

    /// Puts it into a request.
    pub(crate) fn on(self, request: RequestBuilder) -> RequestBuilder {
        let boundary = self.boundary();
        let mut body = Vec::new();
        for Part { head, body: value } in &self.0 {
            body.extend(format!("--{boundary}\r\n{head}").as_bytes());
            body.extend(value);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        request.header(http::header::CONTENT_TYPE, kind).body(body)
    }

    /// A line that stands in no part.
    fn boundary(&self) -> String {
        let mut number = 0_u64;
        loop {
            let boundary = format!("dmgate-{number:032x}");
            let is_in =
                |part: &Part| part.body.windows(boundary.len()).any(|piece| piece == boundary.as_bytes());
            if !self.0.iter().any(is_in) {
                return boundary;
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_ends_before_its_end() {
        let nasty = format!("--dmgate-{:032x}--", 0);
        let form = Form::default().field("caption", &nasty).png("photo", "qr.png", b"\x89PNG");
        let url = reqwest::Url::parse("http://127.0.0.1").unwrap();
        let client = crate::client::HttpClient::new(&url, None).unwrap();
        let request = form.on(client.request(http::Method::POST, url)).build().unwrap();
        let boundary = format!("dmgate-{:032x}", 1);
        let kind = request.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, format!("multipart/form-data; boundary={boundary}"));
        let expected = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"caption\"\r\n\r\n{nasty}\r\n--{boundary}\r\n\
             content-disposition: form-data; name=\"photo\"; filename=\"qr.png\"\r\ncontent-type: image/png\r\n\r\n"
        );
        let expected =
            [expected.as_bytes(), b"\x89PNG", format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        assert_eq!(request.body().unwrap().as_bytes().unwrap(), expected);
    }
}
