//! A chat platform as its people see it: they write to the bot in private, and read what it answers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex};

use crate::process::PATIENCE;

/// A platform with one bot on it, and people who are 0, 1, 2 and so on.
///
/// Behind it is the real server where one can be had, else a [stand-in](crate::StandIn) that the platform's own client
/// library was shown to work with (`tests/peers/certify.sh`).
pub trait Platform: Send {
    /// The channel's name.
    fn channel(&self) -> &'static str;

    /// What stands under `[channels.NAME]`, in TOML, for the adapter to come here.
    fn settings(&self) -> String;

    /// Where the bot's web hook is, for platforms that are told by hand; others learn it from the adapter.
    fn call_at(&mut self, _url: &str) {}

    /// How a person's id is written in lists.
    fn id(&self, person: usize) -> String;

    /// A person writes to the bot, in private. Where the bot is called, it has answered the call.
    fn write(&mut self, person: usize, text: &str);

    /// The next text of the bot's that reaches a person; it must come within half a minute.
    fn read(&mut self, person: usize) -> String;

    /// How many texts have reached a person beside those that were read.
    fn unread(&mut self, person: usize) -> usize;
}

/// What has reached the people of a platform, by whatever it is addressed to.
#[derive(Debug, Default)]
pub struct Letters {
    boxes: Mutex<HashMap<String, VecDeque<String>>>,
    came: Condvar,
}

impl Letters {
    /// A text reaches somebody.
    pub fn put(&self, to: &str, text: &str) {
        self.boxes.lock().unwrap().entry(to.to_owned()).or_default().push_back(text.to_owned());
        self.came.notify_all();
    }

    /// The next text that reaches somebody; it must come within half a minute.
    pub fn take(&self, to: &str) -> String {
        let boxes = self.boxes.lock().unwrap();
        let is_empty =
            |boxes: &mut HashMap<String, VecDeque<String>>| boxes.get(to).is_none_or(VecDeque::is_empty);
        let (mut boxes, _) = self.came.wait_timeout_while(boxes, PATIENCE, is_empty).unwrap();
        let text = boxes.get_mut(to).and_then(VecDeque::pop_front);
        text.unwrap_or_else(|| panic!("nothing reached {to}; what came to others: {boxes:?}"))
    }

    /// How many texts wait for somebody.
    pub fn count(&self, to: &str) -> usize {
        self.boxes.lock().unwrap().get(to).map_or(0, VecDeque::len)
    }
}
