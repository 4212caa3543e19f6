//! What an adapter keeps over restarts: where it stands in the platform's stream, and what it needs to answer people.
//!
//! It is one small document per account. Whoever runs the adapter says where it lies ([`Keeper`]): the command line
//! gives a file in its state directory. A document that is lost or damaged costs a resumption, never the channel: the
//! adapter starts anew, says so, and the gate refuses what comes twice or is old. One that can't be read just now is not
//! lost: it stays as it is, nothing is saved, and the next call reads it again.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dmgate::AccountKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest document, in bytes.
pub const KEPT_LIMIT: usize = 1024 * 1024;

/// Where one account's document lies.
#[async_trait]
pub trait Keeper: fmt::Debug + Send + Sync + 'static {
    /// The document, if there is one.
    ///
    /// # Errors
    /// What the operator is told. It is read again when it is needed next, and not replaced before.
    async fn load(&self) -> Result<Option<String>, String>;

    /// Puts a document in the place of the one before: after a crash it is the one or the other, whole.
    ///
    /// # Errors
    /// What the operator is told.
    async fn save(&self, document: &str) -> Result<(), String>;
}

/// Keeps a document as long as the program runs: for tests, and for whoever gives no other place.
#[derive(Default)]
pub struct MemoryKeeper(Mutex<Option<String>>);

/// A value of one account's that outlives the program.
pub(crate) struct Kept<T> {
    account: AccountKey,
    keeper: Arc<dyn Keeper>,
    /// `None` until it is read.
    value: tokio::sync::Mutex<Option<Held<T>>>,
}

/// The value, and whether the document says the same.
struct Held<T> {
    value: T,
    is_saved: bool,
}

impl<T: Clone + Default + PartialEq + Serialize + DeserializeOwned> Kept<T> {
    pub(crate) fn new(account: AccountKey, keeper: Arc<dyn Keeper>) -> Self {
        Self { account, keeper, value: tokio::sync::Mutex::new(None) }
    }

    /// The value, or the default one where there is none.
    pub(crate) async fn get(&self) -> T {
        self.look(T::clone).await
    }

    /// The value; `None` while it can't be read.
    pub(crate) async fn read(&self) -> Option<T> {
        let mut held = self.value.lock().await;
        self.hold(&mut held).await.map(|held| held.value.clone())
    }

    /// Something of the value, or of the default one where there is none.
    pub(crate) async fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        let mut held = self.value.lock().await;
        match self.hold(&mut held).await {
            Some(held) => look(&held.value),
            None => look(&T::default()),
        }
    }

    /// Changes the value; what changed is saved before this returns. Trouble is told, and the next change tries again.
    /// While the value can't be read, nothing is changed.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut T)) {
        let mut held = self.value.lock().await;
        let Some(held) = self.hold(&mut held).await else { return };
        let before = held.value.clone();
        change(&mut held.value);
        held.is_saved &= held.value == before;
        if held.is_saved {
            return;
        }
        match self.save(&held.value).await {
            Ok(()) => held.is_saved = true,
            Err(reason) => {
                let account = &self.account;
                tracing::error!(%account, "what must outlive a restart can't be saved: {reason}");
            }
        }
    }

    /// Changes the value; it is saved with the next [change](Self::change). For what comes again if it was lost: a
    /// reply token of a message that is not confirmed yet.
    pub(crate) async fn note(&self, change: impl FnOnce(&mut T)) {
        let mut held = self.value.lock().await;
        if let Some(held) = self.hold(&mut held).await {
            change(&mut held.value);
            held.is_saved = false;
        }
    }

    /// The value, read if it is not yet.
    async fn hold<'a>(&self, held: &'a mut Option<Held<T>>) -> Option<&'a mut Held<T>> {
        if held.is_none() {
            *held = self.load().await.map(|value| Held { value, is_saved: true });
        }
        held.as_mut()
    }

    async fn load(&self) -> Option<T> {
        let account = &self.account;
        let document = match self.keeper.load().await {
            Ok(None) => return Some(T::default()),
            Ok(Some(document)) => document,
            Err(reason) => {
                tracing::error!(%account, "what was kept of the last run can't be read now: {reason}");
                return None;
            }
        };
        let parsed = if document.len() > KEPT_LIMIT {
            Err("it is too long")
        } else {
            serde_json::from_str(&document).map_err(|_| "it is damaged")
        };
        Some(parsed.unwrap_or_else(|reason| {
            tracing::error!(
                %account,
                "what was kept of the last run can't be used ({reason}); it starts anew: messages that came in while it \
                 was off may be missing"
            );
            T::default()
        }))
    }

    async fn save(&self, value: &T) -> Result<(), String> {
        let document = serde_json::to_string(value).map_err(|error| error.to_string())?;
        if document.len() > KEPT_LIMIT {
            return Err("it is too long".to_owned());
        }
        self.keeper.save(&document).await
    }
}

/// The newest value for each of so many keys, as a reply token for each sender: the one that was used longest ago is
/// forgotten for a new one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(
    from = "Vec<(K, V)>",
    into = "Vec<(K, V)>",
    bound(
        deserialize = "K: Clone + Eq + Hash + Deserialize<'de>, V: Deserialize<'de>",
        serialize = "K: Clone + Serialize, V: Clone + Serialize"
    )
)]
pub(crate) struct Latest<K: Eq + Hash, V, const LIMIT: usize> {
    values: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V, const LIMIT: usize> Latest<K, V, LIMIT> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.values.insert(key.clone(), value).is_some() {
            self.order.retain(|known| *known != key);
        }
        self.order.push_back(key);
        if self.order.len() > LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
    }
}

impl<K: Eq + Hash, V, const LIMIT: usize> Default for Latest<K, V, LIMIT> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, V, const LIMIT: usize> From<Vec<(K, V)>> for Latest<K, V, LIMIT> {
    fn from(pairs: Vec<(K, V)>) -> Self {
        let mut latest = Self::default();
        pairs.into_iter().for_each(|(key, value)| latest.put(key, value));
        latest
    }
}

impl<K: Clone + Eq + Hash, V, const LIMIT: usize> From<Latest<K, V, LIMIT>> for Vec<(K, V)> {
    fn from(latest: Latest<K, V, LIMIT>) -> Self {
        let Latest { mut values, order } = latest;
        order.into_iter().filter_map(|key| values.remove(&key).map(|value| (key, value))).collect()
    }
}

#[async_trait]
impl Keeper for MemoryKeeper {
    async fn load(&self) -> Result<Option<String>, String> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn save(&self, document: &str) -> Result<(), String> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(document.to_owned());
        Ok(())
    }
}

/// Shows nothing of the document: reply tokens are in it.
impl fmt::Debug for MemoryKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryKeeper")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
    #[serde(default)]
    struct Place {
        cursor: String,
        tokens: Latest<String, u32, 2>,
    }

    fn kept(keeper: &Arc<MemoryKeeper>) -> Kept<Place> {
        let account = AccountKey::parse("telegram", "default").unwrap();
        Kept::new(account, Arc::clone(keeper) as Arc<dyn Keeper>)
    }

    #[tokio::test]
    async fn what_was_changed_is_there_in_the_next_run() {
        let keeper = Arc::new(MemoryKeeper::default());
        let first = kept(&keeper);
        assert_eq!(first.get().await, Place::default());
        first.change(|place| place.cursor = "s1".to_owned()).await;
        first.change(|place| place.tokens.put("ann".to_owned(), 1)).await;
        drop(first);
        let second = kept(&keeper);
        second.change(|place| place.tokens.put("bob".to_owned(), 2)).await;
        let place = kept(&keeper).get().await;
        assert_eq!((place.cursor.as_str(), place.tokens.get(&"ann".to_owned())), ("s1", Some(&1)));
        assert_eq!(place.tokens.get(&"bob".to_owned()), Some(&2));
    }

    #[tokio::test]
    async fn what_was_noted_is_saved_with_the_next_change() {
        let keeper = Arc::new(MemoryKeeper::default());
        let kept = kept(&keeper);
        kept.note(|place| place.tokens.put("ann".to_owned(), 1)).await;
        assert_eq!(kept.get().await.tokens.get(&"ann".to_owned()), Some(&1));
        assert_eq!(keeper.load().await.unwrap(), None);
        kept.change(|_| ()).await;
        assert_eq!(self::kept(&keeper).get().await.tokens.get(&"ann".to_owned()), Some(&1));
    }

    #[tokio::test]
    async fn a_damaged_document_costs_what_was_in_it_and_nothing_else() {
        for damaged in ["", "null", "[]", r#"{"cursor":5}"#, r#"{"cursor":"s1""#, &"x".repeat(KEPT_LIMIT + 1)]
        {
            let keeper = Arc::new(MemoryKeeper(Mutex::new(Some(damaged.to_owned()))));
            let kept = kept(&keeper);
            assert_eq!(kept.get().await, Place::default());
            kept.change(|place| place.cursor = "s2".to_owned()).await;
            assert_eq!(self::kept(&keeper).get().await.cursor, "s2");
        }
        let newer = Arc::new(MemoryKeeper(Mutex::new(Some(r#"{"cursor":"s1","later":1}"#.to_owned()))));
        assert_eq!(kept(&newer).get().await.cursor, "s1", "a field that is not known yet is no damage");
    }

    /// Gives what it holds, once it can.
    #[derive(Debug)]
    struct Ailing(MemoryKeeper, std::sync::atomic::AtomicBool);

    #[async_trait]
    impl Keeper for Ailing {
        async fn load(&self) -> Result<Option<String>, String> {
            let is_well = self.1.load(std::sync::atomic::Ordering::Relaxed);
            if is_well { self.0.load().await } else { Err("too many open files".to_owned()) }
        }

        async fn save(&self, document: &str) -> Result<(), String> {
            self.0.save(document).await
        }
    }

    #[tokio::test]
    async fn what_can_not_be_read_now_is_not_lost() {
        let keeper = Arc::new(Ailing(MemoryKeeper::default(), false.into()));
        keeper.save(r#"{"cursor":"s1"}"#).await.unwrap();
        let account = AccountKey::parse("telegram", "default").unwrap();
        let kept = Kept::<Place>::new(account, Arc::clone(&keeper) as Arc<dyn Keeper>);
        assert_eq!((kept.get().await, kept.read().await), (Place::default(), None));
        kept.note(|place| place.cursor = "s2".to_owned()).await;
        kept.change(|place| place.tokens.put("ann".to_owned(), 1)).await;
        assert_eq!(keeper.0.load().await.unwrap().unwrap(), r#"{"cursor":"s1"}"#, "nothing took its place");
        keeper.1.store(true, std::sync::atomic::Ordering::Relaxed);
        kept.change(|place| place.tokens.put("ann".to_owned(), 2)).await;
        let place = kept.get().await;
        assert_eq!((place.cursor.as_str(), place.tokens.get(&"ann".to_owned())), ("s1", Some(&2)));
    }

    #[tokio::test]
    async fn what_is_too_long_is_not_saved_and_does_not_end_the_channel() {
        let keeper = Arc::new(MemoryKeeper::default());
        let kept = kept(&keeper);
        kept.change(|place| place.cursor = "x".repeat(KEPT_LIMIT)).await;
        assert_eq!(keeper.load().await.unwrap(), None);
        assert_eq!(kept.get().await.cursor.len(), KEPT_LIMIT, "this run goes on with it");
    }

    #[test]
    fn the_one_used_longest_ago_is_forgotten() {
        let mut latest = Latest::<&str, u32, 2>::default();
        latest.put("ann", 1);
        latest.put("bob", 2);
        latest.put("ann", 3);
        latest.put("cay", 4);
        assert_eq!((latest.get(&"ann"), latest.get(&"bob"), latest.get(&"cay")), (Some(&3), None, Some(&4)));
        let text = serde_json::to_string(&latest).unwrap();
        assert_eq!(text, r#"[["ann",3],["cay",4]]"#);
        assert!(serde_json::from_str::<Latest<&str, u32, 2>>(&text).unwrap() == latest);
    }
}
