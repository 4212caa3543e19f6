//! Tokens that a platform gives for a while, in exchange for a secret that stays.

use std::time::Duration;

use dmgate::{Timestamp, World};
use tokio::sync::Mutex;

use crate::Secret;

/// How long before its end a token is replaced, so that none expires on its way.
const EARLY: Duration = Duration::from_secs(120);

/// The token of one account. While one is asked for, everyone who needs it waits for that one.
pub(crate) struct TokenCache {
    world: World,
    held: Mutex<Option<Token>>,
}

/// A token and when it ends.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    pub(crate) until: Timestamp,
}

impl Token {
    /// A token that lasts for `seconds` from now, as most platforms say it.
    pub(crate) fn lasting(world: &World, secret: Secret, seconds: u64) -> Self {
        Self { secret, until: world.clock.now().plus(Duration::from_secs(seconds)) }
    }
}

impl TokenCache {
    pub(crate) fn new(world: World) -> Self {
        Self { world, held: Mutex::new(None) }
    }

    /// The token that is held, or the one that `ask` brings. An error is not kept: the next one asks again.
    pub(crate) async fn get<E, F>(&self, ask: impl FnOnce() -> F) -> Result<Secret, E>
    where
        F: Future<Output = Result<Token, E>>,
    {
        let mut held = self.held.lock().await;
        let now = self.world.clock.now();
        if let Some(token) = held.as_ref().filter(|token| now.plus(EARLY) < token.until) {
            return Ok(token.secret.clone());
        }
        // A token that lasts for less than `EARLY` is asked for each time, which is right if slow.
        let token = ask().await?;
        let secret = token.secret.clone();
        *held = Some(token);
        Ok(secret)
    }

    /// Forgets a token that the platform no longer takes; one that came in its place meanwhile is kept.
    pub(crate) async fn forget(&self, refused: &Secret) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|token| token.secret == *refused) {
            *held = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use dmgate::testing::ManualClock;
    use tokio::sync::Semaphore;

    use super::*;

    struct Office {
        clock: ManualClock,
        cache: TokenCache,
        asked: AtomicU32,
        open: Semaphore,
    }

    impl Office {
        fn new() -> Self {
            let clock = ManualClock::at(1_000_000);
            let cache = TokenCache::new(clock.world());
            Self { clock, cache, asked: AtomicU32::new(0), open: Semaphore::new(100) }
        }

        async fn get(&self) -> Result<String, &'static str> {
            let ask = || async {
                let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
                self.open.acquire().await.unwrap().forget();
                if number == 3 {
                    return Err("no");
                }
                let secret = Secret::new(format!("token {number}"));
                Ok(Token::lasting(&self.clock.world(), secret, 3_600))
            };
            self.cache.get(ask).await.map(|secret| secret.reveal().to_owned())
        }
    }

    #[tokio::test]
    async fn a_token_is_replaced_before_it_ends_and_an_error_is_not_kept() {
        let office = Office::new();
        assert_eq!(office.get().await.unwrap(), "token 1");
        office.clock.advance(Duration::from_secs(3_479));
        assert_eq!(office.get().await.unwrap(), "token 1");
        office.clock.advance(Duration::from_secs(1));
        assert_eq!(office.get().await.unwrap(), "token 2");
        office.clock.advance(Duration::from_secs(3_600));
        assert_eq!(office.get().await, Err("no"));
        assert_eq!(office.get().await.unwrap(), "token 4");
    }

    #[tokio::test]
    async fn who_comes_while_one_asks_gets_the_same() {
        let office = Office::new();
        office.open.forget_permits(100);
        let (one, other, ()) = tokio::join!(office.get(), office.get(), async { office.open.add_permits(1) });
        assert_eq!((one.unwrap(), other.unwrap()), ("token 1".to_owned(), "token 1".to_owned()));
        assert_eq!(office.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn only_the_token_that_was_refused_is_forgotten() {
        let office = Office::new();
        office.get().await.unwrap();
        office.cache.forget(&Secret::new("token 0")).await;
        assert_eq!(office.get().await.unwrap(), "token 1", "somebody else's old one");
        office.cache.forget(&Secret::new("token 1")).await;
        assert_eq!(office.get().await.unwrap(), "token 2");
    }
}
