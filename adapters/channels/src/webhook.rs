//! Calls by a platform: what is checked of every one before its body is looked at.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};

use crate::Secret;

/// The longest body that any platform sends.
const BODY_LIMIT: usize = 1024 * 1024;

/// Whether the head is that of a POST that carries `secret` in `header`; the status for anything else.
// INVARIANT I14: a secret that is missing, wrong, given twice, or not configured proves nothing.
pub(crate) fn proven_by_header(
    head: &Parts,
    header: &str,
    secret: Option<&Secret>,
) -> Result<(), StatusCode> {
    if head.method != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let mut given = head.headers.get_all(header).iter();
    let proven = match (secret, given.next(), given.next()) {
        (Some(secret), Some(given), None) => secret.is(given.as_bytes()),
        _ => false,
    };
    if proven { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
}

/// The body of a request that is [proven](proven_by_header), or the status for anything else.
pub(crate) fn verified_by_header(
    request: http::Request<Bytes>,
    header: &str,
    secret: Option<&Secret>,
) -> Result<Bytes, StatusCode> {
    let (head, body) = request.into_parts();
    proven_by_header(&head, header, secret)?;
    if body.len() > BODY_LIMIT { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(body) }
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
    }
}
