//! Reading requests' bodies: never too much, never too slowly.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::Limits;

/// What most bodies are not larger than. As much for each connection is no burden.
pub(crate) const SMALL: usize = 16 * 1_024;

/// The bodies that are read, and room for some that are large.
pub(crate) struct Bodies {
    within: Duration,
    large: Arc<Semaphore>,
}

/// A whole body. While it is kept, so is its room.
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let large = Arc::new(Semaphore::new(limits.large_bodies.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { within: limits.body_within, large })
    }

    /// The whole body, or the status of the refusal.
    pub(crate) async fn read(&self, body: Body, limit: usize) -> Result<Whole, StatusCode> {
        // What says that it is too large is not read at all.
        if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let whole = tokio::time::timeout(self.within, self.whole(body, limit)).await;
        whole.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
    }

    async fn whole(&self, mut body: Body, limit: usize) -> Result<Whole, StatusCode> {
        let (mut bytes, mut room) = (BytesMut::new(), None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
            let Ok(data) = frame.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > limit {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            if length > SMALL && room.is_none() {
                // The rest waits with its sender until there is room.
                let large = Arc::clone(&self.large).acquire_owned().await;
                room = Some(large.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Whole { bytes: bytes.freeze(), room })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream::{self, StreamExt as _};
    use tokio::time::Instant;

    use super::*;

    const LIMIT: usize = 4 * SMALL;

    fn of(bytes: usize) -> Body {
        Body::from(vec![b'x'; bytes])
    }

    /// One that breaks off without an end.
    fn stalled(bytes: usize) -> Body {
        let begun = stream::iter([Ok::<_, Infallible>(vec![b'x'; bytes])]);
        Body::from_stream(begun.chain(stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_up_to_its_limit() {
        let bodies = Bodies::new(&Limits::default());
        for (bytes, has_room) in [(0, false), (SMALL, false), (SMALL + 1, true), (LIMIT, true)] {
            let whole = bodies.read(of(bytes), LIMIT).await.unwrap_or_else(|status| panic!("{status}"));
            assert_eq!((whole.bytes.len(), whole.room.is_some()), (bytes, has_room));
        }
        for body in [of(LIMIT + 1), stalled(LIMIT + 1)] {
            assert_eq!(bodies.read(body, LIMIT).await.err(), Some(StatusCode::PAYLOAD_TOO_LARGE));
        }
        assert_eq!(bodies.read(stalled(1), LIMIT).await.err(), Some(StatusCode::REQUEST_TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_for_room_and_small_ones_do_not() {
        let bodies = Bodies::new(&Limits { large_bodies: 1, ..Limits::default() });
        let begin = Instant::now();
        let slow = bodies.read(stalled(SMALL + 1), LIMIT);
        let others = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let small = bodies.read(of(SMALL), LIMIT).await.map(|whole| (whole.bytes.len(), begin.elapsed()));
            assert_eq!(small, Ok((SMALL, Duration::from_secs(1))));
            let large = bodies.read(of(LIMIT), LIMIT).await.map(|whole| (whole.bytes.len(), begin.elapsed()));
            assert_eq!(large, Ok((LIMIT, Duration::from_secs(15))), "when the slow one is given up");
        };
        let (slow, ()) = tokio::join!(slow, others);
        assert_eq!(slow.err(), Some(StatusCode::REQUEST_TIMEOUT));
    }
}
