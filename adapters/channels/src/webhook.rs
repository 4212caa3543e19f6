//! Calls by a platform: what is checked of every one before its body is looked at.
//!
//! A hook has two questions to answer, in this order. [`dmgate::ChannelAdapter::refuses`] is asked about the head alone,
//! so a function here that takes `Parts` serves both; what needs the body comes after it:
//!
//! - a secret in a header ([`proven_by_header`]), or in our own URL ([`proven_by_query`]): the head decides;
//! - a [`bearer`] token, which `jwt.rs` verifies: the head decides as far as it can without waiting;
//! - a signature: the head must be a POST ([`is_post`]) with the headers of the signature ([`header`]), then
//!   `signature.rs` looks at the raw body;
//! - a secret in a field of the body: [`is_post`], [`whole`], then [`Form::proven`] or the parsed JSON.

use bytes::Bytes;
use dmgate::Webhook;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::Value;

use crate::Secret;

/// The longest body that any platform sends.
const BODY_LIMIT: usize = 1024 * 1024;

/// Names and values of a query or of a body that is a form.
pub(crate) struct Form(Vec<(String, String)>);

/// Whether the head is that of a POST.
pub(crate) fn is_post(head: &Parts) -> Result<(), StatusCode> {
    if head.method == Method::POST { Ok(()) } else { Err(StatusCode::METHOD_NOT_ALLOWED) }
}

/// A header that proves something: there once, and text.
pub(crate) fn header<'a>(head: &'a Parts, name: &str) -> Result<&'a str, StatusCode> {
    let mut given = head.headers.get_all(name).iter();
    match (given.next(), given.next()) {
        (Some(given), None) => given.to_str().map_err(|_| StatusCode::UNAUTHORIZED),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

/// Whether the head is that of a POST that carries `secret` in `header`; the status for anything else.
// INVARIANT I14: a secret that is missing, wrong, given twice, or not configured proves nothing.
pub(crate) fn proven_by_header(
    head: &Parts,
    header: &str,
    secret: Option<&Secret>,
) -> Result<(), StatusCode> {
    is_post(head)?;
    let given = self::header(head, header)?;
    proven(secret.is_some_and(|secret| secret.is(given.as_bytes())))
}

/// Whether the head is that of a POST whose query holds `secret` under exactly one of `names`: for platforms that sign
/// nothing and send no headers, so that the secret is in the URL that we gave them.
pub(crate) fn proven_by_query(
    head: &Parts,
    names: &[&str],
    secret: Option<&Secret>,
) -> Result<(), StatusCode> {
    is_post(head)?;
    let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
    proven(secret.is_some_and(|secret| query.is(names, secret)))
}

/// What follows `Authorization: Bearer`: a secret, or a token that has to be verified.
pub(crate) fn bearer(head: &Parts) -> Result<&str, StatusCode> {
    let (scheme, token) = header(head, "authorization")?.split_once(' ').ok_or(StatusCode::UNAUTHORIZED)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(StatusCode::UNAUTHORIZED) }
}

/// A body that is not too long.
pub(crate) fn whole(body: Bytes) -> Result<Bytes, StatusCode> {
    if body.len() > BODY_LIMIT { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(body) }
}

/// The body of a request that is [proven](proven_by_header), or the status for anything else.
pub(crate) fn verified_by_header(
    request: http::Request<Bytes>,
    header: &str,
    secret: Option<&Secret>,
) -> Result<Bytes, StatusCode> {
    let (head, body) = request.into_parts();
    proven_by_header(&head, header, secret)?;
    whole(body)
}

/// A body that is JSON.
pub(crate) fn json(body: &[u8]) -> Result<Value, StatusCode> {
    serde_json::from_slice(body).map_err(|_| StatusCode::BAD_REQUEST)
}

/// An answer of plain text, as platforms want their challenges back.
pub(crate) fn text_answer(text: String) -> Webhook {
    answer("text/plain; charset=utf-8", text)
}

/// An answer of JSON.
pub(crate) fn json_answer(value: &Value) -> Webhook {
    answer("application/json", value.to_string())
}

fn answer(media_type: &'static str, body: String) -> Webhook {
    let mut answer = Webhook::status(StatusCode::OK);
    let headers = answer.response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    *answer.response.body_mut() = body.into();
    answer
}

fn proven(is_proven: bool) -> Result<(), StatusCode> {
    if is_proven { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
}

impl Form {
    /// What a query or a body of `application/x-www-form-urlencoded` holds.
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// What a body holds in which the secret stands under `name`, once; nothing of another body is kept.
    pub(crate) fn proven(body: &[u8], name: &str, secret: &Secret) -> Result<Self, StatusCode> {
        let mut given = form_urlencoded::parse(body).filter(|(key, _)| key == name);
        match (given.next(), given.next()) {
            (Some((_, given)), None) if secret.is(given.as_bytes()) => Ok(Self::parse(body)),
            _ => Err(StatusCode::UNAUTHORIZED),
        }
    }

    /// A value that is there once.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key == name);
        found.next().filter(|_| found.next().is_none()).map(|(_, value)| value.as_str())
    }

    /// Whether one of the values under a name is so.
    pub(crate) fn has(&self, name: &str, is: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|(key, value)| key == name && is(value))
    }

    /// Whether exactly one value stands under one of `names`, and it is the secret.
    pub(crate) fn is(&self, names: &[&str], secret: &Secret) -> bool {
        let mut found = self.0.iter().filter(|(key, _)| names.contains(&key.as_str()));
        matches!((found.next(), found.next()), (Some((_, given)), None) if secret.is(given.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn answer(method: Method, secrets: &[&str], body: usize, secret: &str) -> u16 {
        let mut request = Request::builder().method(method);
        for secret in secrets {
            request = request.header("x-secret", *secret);
        }
        let request = request.body(Bytes::from(vec![b'x'; body])).unwrap();
        match verified_by_header(request, "X-Secret", Some(&Secret::new(secret))) {
            Ok(whole) => {
                assert_eq!(whole.len(), body);
                200
            }
            Err(refused) => refused.as_u16(),
        }
    }

    fn head(request: http::request::Builder) -> Parts {
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn i14_only_the_secret_opens_the_body() {
        let post = Method::POST;
        assert_eq!(answer(post.clone(), &["s3cret"], 10, "s3cret"), 200);
        assert_eq!(answer(post.clone(), &["s3cret"], BODY_LIMIT, "s3cret"), 200);
        for wrong in [&[][..], &[""], &["s3cre"], &["s3cretx"], &["s3cret", "s3cret"], &["x", "s3cret"]] {
            assert_eq!(answer(post.clone(), wrong, BODY_LIMIT + 1, "s3cret"), 401, "{wrong:?}");
        }
        assert_eq!(answer(post.clone(), &[""], 10, ""), 401, "an empty secret is none");
        assert_eq!(answer(post, &["s3cret"], BODY_LIMIT + 1, "s3cret"), 413);
        assert_eq!(answer(Method::GET, &["s3cret"], 10, "s3cret"), 405);
    }

    #[test]
    fn i14_nothing_is_proven_where_no_secret_is_configured() {
        let request = Request::post("/").header("x-secret", "").body(Bytes::new()).unwrap();
        let refused = verified_by_header(request, "x-secret", None);
        assert_eq!(refused, Err(StatusCode::UNAUTHORIZED));
        let post = head(Request::post("/?password="));
        assert_eq!(proven_by_query(&post, &["password"], None), Err(StatusCode::UNAUTHORIZED));
        let empty = Some(&Secret::new(""));
        assert_eq!(proven_by_query(&post, &["password"], empty), Err(StatusCode::UNAUTHORIZED));
    }

    #[test]
    fn a_bearer_is_what_follows_that_word() {
        let given = |given: &str| {
            let head = head(Request::post("/").header("authorization", given));
            bearer(&head).map(str::to_owned)
        };
        assert_eq!((given("Bearer a.b.c"), given("bearer a.b.c")), (Ok("a.b.c".into()), Ok("a.b.c".into())));
        for wrong in ["a.b.c", "Basic a.b.c", "Bearer", ""] {
            assert_eq!(given(wrong), Err(StatusCode::UNAUTHORIZED), "{wrong}");
        }
        assert_eq!(bearer(&head(Request::post("/"))), Err(StatusCode::UNAUTHORIZED));
        let twice =
            Request::post("/").header("authorization", "Bearer a").header("authorization", "Bearer b");
        assert_eq!(bearer(&head(twice)), Err(StatusCode::UNAUTHORIZED));
    }

    #[test]
    fn i14_a_secret_in_the_query_stands_there_once() {
        let secret = Secret::new("s3 cret");
        let status = |uri: &str| {
            let head = head(Request::post(uri));
            proven_by_query(&head, &["password", "guid"], Some(&secret)).err().map_or(200, |it| it.as_u16())
        };
        assert_eq!(status("/hook?guid=s3%20cret&x=1"), 200);
        assert_eq!(status("/hook?password=s3+cret"), 200);
        for wrong in
            ["/hook", "/hook?", "/hook?guid=", "/hook?token=s3+cret", "/hook?guid=s3+cret&password=x"]
        {
            assert_eq!(status(wrong), 401, "{wrong}");
        }
    }

    #[test]
    fn a_form_has_each_name_once() {
        let form = Form::parse(b"token=s3cret&text=a+b%26c&user_id=4&user_id=5");
        assert_eq!(form.get("text"), Some("a b&c"));
        assert_eq!(form.get("user_id"), None, "which of the two?");
        assert!(form.has("user_id", |id| id == "5") && !form.has("text", str::is_empty));
        assert!(form.is(&["token"], &Secret::new("s3cret")) && !form.is(&["text"], &Secret::new("s3cret")));
    }

    #[test]
    fn i14_a_form_that_does_not_hold_the_secret_once_is_none() {
        let secret = Secret::new("s3 cret");
        let status = |body: &str| Form::proven(body.as_bytes(), "token", &secret).err().map(|it| it.as_u16());
        assert_eq!((status("a=b&token=s3+cret"), status("t%6fken=s3%20cret&a&a&")), (None, None));
        for wrong in
            ["", "token", "token=", "a=s3+cret", "token=s3+cret&token=s3+cret", "token=&token=s3+cret"]
        {
            assert_eq!(status(wrong), Some(401), "{wrong}");
        }
    }

    #[test]
    fn answers_say_what_they_are() {
        let media_type = |hook: &Webhook| hook.response.headers()[http::header::CONTENT_TYPE].clone();
        let text = text_answer("42".to_owned());
        assert_eq!(
            (media_type(&text), &text.response.body()[..]),
            ("text/plain; charset=utf-8".parse().unwrap(), &b"42"[..])
        );
        let json = json_answer(&serde_json::json!({ "challenge": "42" }));
        assert_eq!(
            (media_type(&json), &json.response.body()[..]),
            ("application/json".parse().unwrap(), &br#"{"challenge":"42"}"#[..])
        );
    }
}
