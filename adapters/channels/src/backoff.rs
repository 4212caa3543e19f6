//! When to try again: later each time, and not all at once.

use std::time::Duration;

use dmgate::World;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The waits before tries: each twice the one before, up to a longest one, and each shortened at random by up to half,
/// so that many programs that lost the same server don't come back in step.
pub(crate) struct Backoff {
    world: World,
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(world: World, first: Duration, longest: Duration) -> Self {
        Self { world, first, longest, next: first }
    }

    /// It worked: the next wait is the first one again.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// How long to wait before the next try.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        let mut random = [0; 4];
        // Without random bytes everyone waits the whole time, which is safe.
        let _ = self.world.entropy.fill(&mut random);
        wait - (wait / 2).mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
    }
}

/// How often [`insist`] asks.
const TRIES: u32 = 5;

/// Asks, a few times if there is no answer: for what came in a web hook of a platform that never repeats one. Whoever
/// hangs up meanwhile, [`dmgate::Pipeline::webhook`] goes on.
pub(crate) async fn insist<T, E, F: Future<Output = Result<T, E>>>(
    world: &World,
    (first, longest): (Duration, Duration),
    ask: impl Fn() -> F,
) -> Result<T, E> {
    let mut backoff = Backoff::new(world.clone(), first, longest);
    for _ in 1..TRIES {
        if let Ok(answer) = ask().await {
            return Ok(answer);
        }
        tokio::time::sleep(backoff.next()).await;
    }
    ask().await
}

/// Waits; `false` if the wait was cut short by a shutdown.
pub(crate) async fn wait(duration: Duration, shutdown: &CancellationToken) -> bool {
    tokio::select! {
        () = shutdown.cancelled() => false,
        () = tokio::time::sleep(duration) => true,
    }
}

/// Waits until this moment; for ever where there is none.
pub(crate) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dmgate::{Entropy, NoEntropy};

    use super::*;

    struct Always(u8);

    impl Entropy for Always {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
            buffer.fill(self.0);
            Ok(())
        }
    }

    fn waits(random: u8) -> Vec<u64> {
        let world = World { entropy: Arc::new(Always(random)), ..World::default() };
        let mut backoff = Backoff::new(world, Duration::from_secs(1), Duration::from_secs(60));
        let waits = (0..8).map(|_| backoff.next().as_millis().try_into().unwrap()).collect();
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(1));
        waits
    }

    #[test]
    fn waits_double_up_to_the_longest_and_chance_at_most_halves_them() {
        assert_eq!(waits(0), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(waits(0xff), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_cuts_a_wait_short() {
        let shutdown = CancellationToken::new();
        assert!(wait(Duration::from_secs(60), &shutdown).await);
        shutdown.cancel();
        let before = tokio::time::Instant::now();
        assert!(!wait(Duration::from_secs(60), &shutdown).await);
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
