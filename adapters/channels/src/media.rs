//! What came with an admitted message: fetched from the platform's hosts piece by piece, up to a limit.

use std::time::Duration;

use dmgate::{Attachment, FetchError};
use http::Method;
use reqwest::{RequestBuilder, Url};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::Secret;
use crate::client::{CallError, Endless, HttpClient, endless};
use crate::hosts::{Hosts, is_same_host};

/// How long the next piece of a file may take.
const PIECE: Duration = Duration::from_secs(30);

/// How often a platform may send us to another of its hosts.
const REDIRECTS: usize = 4;

/// Where pieces are written to.
pub(crate) type File<'a> = &'a mut (dyn AsyncWrite + Send + Unpin);

/// Something that is wholly in its reference, with nothing to fetch.
pub(crate) fn in_words(kind: &str, name: Option<String>, reference: String) -> Attachment {
    Attachment { kind: kind.to_owned(), media_type: None, name, size: None, reference }
}

/// Fetches `address` into `file`, at most `limit` bytes; how many it was. Every host on the way must be one of `hosts`,
/// and `token` is shown to the first one only.
pub(crate) async fn fetch(
    http: &HttpClient,
    address: &str,
    token: Option<&Secret>,
    hosts: &Hosts,
    limit: u64,
    file: File<'_>,
) -> Result<u64, FetchError> {
    let failed = |reason: &str| FetchError::Failed(reason.to_owned());
    let elsewhere = || failed("it is said to be at a host that is not the platform's");
    let first = hosts.allow(address).ok_or_else(elsewhere)?;
    let mut url = first.clone();
    for _ in 0..=REDIRECTS {
        let mut request = http.request(Method::GET, url.clone());
        if let Some(token) = token.filter(|_| is_same_host(&first, &url)) {
            request = request.bearer_auth(token.reveal());
        }
        let answer = endless(request, PIECE).await.map_err(told)?;
        let status = answer.status();
        if status.is_success() {
            return pour(answer, limit, file).await;
        }
        let next = answer.headers().get(http::header::LOCATION).filter(|_| status.is_redirection());
        let Some(next) = next else {
            return Err(FetchError::Failed(format!("the platform answers {}", status.as_u16())));
        };
        let next = next.to_str().ok().and_then(|next| Url::options().base_url(Some(&url)).parse(next).ok());
        url = next.filter(|next| hosts.allows(next)).ok_or_else(elsewhere)?;
    }
    Err(failed("the platform sends us from host to host"))
}

/// Fetches the answer to `request` into `file`, where the caller has made sure of the host.
pub(crate) async fn fetch_answer(
    request: RequestBuilder,
    limit: u64,
    file: File<'_>,
) -> Result<u64, FetchError> {
    let answer = endless(request, PIECE).await.map_err(told)?;
    if !answer.status().is_success() {
        return Err(FetchError::Failed(format!("the platform answers {}", answer.status().as_u16())));
    }
    pour(answer, limit, file).await
}

/// Writes an answer as it comes; no more than `limit`, whatever its head promises.
async fn pour(mut answer: Endless, limit: u64, file: File<'_>) -> Result<u64, FetchError> {
    if answer.length().is_some_and(|length| length > limit) {
        return Err(FetchError::TooLarge(limit));
    }
    let mut written = 0_u64;
    loop {
        let silent = |_| FetchError::Failed("the platform gave the file up half-way".to_owned());
        let Some(piece) = timeout(PIECE, answer.chunk()).await.map_err(silent)?.map_err(told)? else { break };
        written = written.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if written > limit {
            return Err(FetchError::TooLarge(limit));
        }
        file.write_all(&piece).await.map_err(|error| unwritten(&error))?;
    }
    file.flush().await.map_err(|error| unwritten(&error))?;
    Ok(written)
}

fn told(error: CallError) -> FetchError {
    match error {
        CallError::NotSent(reason) | CallError::Lost(reason) => FetchError::Failed(reason),
        CallError::TooLarge => FetchError::Failed("it is too large".to_owned()),
    }
}

fn unwritten(error: &std::io::Error) -> FetchError {
    FetchError::Failed(format!("what came can't be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_server::FakeServer;

    struct Place {
        server: FakeServer,
        http: HttpClient,
    }

    async fn place() -> Place {
        let server = FakeServer::start().await;
        let http = HttpClient::new(&server.base().parse().unwrap(), None).unwrap();
        Place { server, http }
    }

    async fn get(place: &Place, hosts: &Hosts) -> Result<usize, FetchError> {
        let address = format!("{}/a", place.server.base());
        let mut file = Vec::new();
        let got = fetch(&place.http, &address, Some(&Secret::new("t0ken")), hosts, 10, &mut file).await;
        got.map(|length| {
            assert_eq!(file.len() as u64, length);
            file.len()
        })
    }

    #[tokio::test]
    async fn a_file_is_fetched_up_to_the_limit() {
        let place = place().await;
        let hosts = Hosts::new(&[], [place.server.base().as_str()]);
        for (bytes, expected) in [(10, Some(10)), (11, None)] {
            let (got, ()) = tokio::join!(get(&place, &hosts), async {
                let call = place.server.call().await;
                assert_eq!(call.header("authorization"), Some("Bearer t0ken"));
                call.answer(200, vec![1; bytes]).await;
            });
            assert_eq!(got.ok(), expected);
        }
        let (got, ()) = tokio::join!(get(&place, &hosts), async {
            place.server.call().await.raw("HTTP/1.1 200 X\r\nconnection: close\r\n\r\n", [1; 11]).await;
        });
        assert!(matches!(got, Err(FetchError::TooLarge(10))), "no length is said: {got:?}");
    }

    #[tokio::test]
    async fn redirects_lead_only_to_known_hosts_and_the_token_stays_with_the_first() {
        let (place, other) = (place().await, FakeServer::start().await);
        let both = Hosts::new(&[], [place.server.base().as_str(), other.base().as_str()]);
        let away = format!("HTTP/1.1 302 X\r\nlocation: {}/b\r\ncontent-length: 0\r\n\r\n", other.base());
        let (got, ()) = tokio::join!(get(&place, &both), async {
            place.server.call().await.raw(&away, "").await;
            let call = other.call().await;
            assert_eq!((call.line.as_str(), call.header("authorization")), ("GET /b", None));
            call.answer(200, [1; 3]).await;
        });
        assert_eq!(got.unwrap(), 3);

        let one = Hosts::new(&[], [place.server.base().as_str()]);
        let got = tokio::select! {
            got = get(&place, &one) => got,
            () = async {
                place.server.call().await.raw(&away, "").await;
                other.call().await;
            } => panic!("a host that is not known was called"),
        };
        assert!(matches!(got, Err(FetchError::Failed(_))), "{got:?}");

        let round = "HTTP/1.1 302 X\r\nlocation: /a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let (got, ()) = tokio::join!(get(&place, &one), async {
            for _ in 0..=REDIRECTS {
                place.server.call().await.raw(round, "").await;
            }
        });
        assert!(matches!(got, Err(FetchError::Failed(_))), "{got:?}");
        let mut file = Vec::new();
        let nowhere = fetch(&place.http, "http://169.254.169.254/", None, &one, 10, &mut file).await;
        assert!(matches!(nowhere, Err(FetchError::Failed(_))), "{nowhere:?}");
    }
}
