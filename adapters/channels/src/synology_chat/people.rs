//! Who is who on the NAS.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::api::ChatApi;
use crate::api::ApiError;

/// How long the list stays as it is, whoever is not on it.
const AGAIN: Duration = Duration::from_secs(10);

/// The names of the NAS's users, by their numbers, as last heard.
#[derive(Default)]
pub(super) struct People(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    names: HashMap<u64, Vec<String>>,
    at: Option<Instant>,
}

impl People {
    /// Asks for the list.
    pub(super) async fn ask(&self, api: &ChatApi) -> Result<(), ApiError> {
        let names = api.users().await?;
        *self.0.lock().await = Heard { names, at: Some(Instant::now()) };
        Ok(())
    }

    /// Whether this number is that of a user of this name. Who is new, or has a new name, is asked about once in a while;
    /// while one call asks, the others wait for it.
    pub(super) async fn is(&self, api: &ChatApi, number: u64, name: &str) -> Result<bool, ApiError> {
        let mut heard = self.0.lock().await;
        if !heard.is(number, name) && heard.at.is_none_or(|at| at.elapsed() >= AGAIN) {
            // Where there is no answer, whoever insists asks again.
            let names = api.users().await?;
            *heard = Heard { names, at: Some(Instant::now()) };
        }
        Ok(heard.is(number, name))
    }
}

impl Heard {
    fn is(&self, number: u64, name: &str) -> bool {
        self.names.get(&number).is_some_and(|names| names.iter().any(|known| known == name))
    }
}
