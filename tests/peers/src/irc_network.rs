//! IRC as a platform: a network with services, where everybody has an account.

use std::collections::{HashMap, VecDeque};

use crate::{Inspircd, IrcClient, Platform};

/// The network, and who is on it. A text of several lines is read a line at a time, as it comes.
#[derive(Debug)]
pub struct IrcNetwork {
    network: Inspircd,
    people: HashMap<usize, Person>,
}

#[derive(Debug)]
struct Person {
    client: IrcClient,
    unread: VecDeque<String>,
}

impl IrcNetwork {
    /// Starts it, with an account for the bot.
    pub fn start() -> Self {
        let network = Inspircd::start();
        network.register("gatebot", "secret-of-the-gate");
        Self { network, people: HashMap::new() }
    }

    fn person(&mut self, person: usize) -> &mut Person {
        let network = &self.network;
        self.people.entry(person).or_insert_with(|| {
            let nick = nick(person);
            network.register(&nick, "secret-of-a-person");
            let mut client = IrcClient::connect(network.addr);
            assert!(client.authenticate(&nick, "secret-of-a-person"), "{nick} is not logged in");
            client.register(&nick, &nick);
            Person { client, unread: VecDeque::new() }
        })
    }
}

impl Platform for IrcNetwork {
    fn channel(&self) -> &'static str {
        "irc"
    }

    fn settings(&self) -> String {
        format!(
            "host = \"127.0.0.1\"\nport = {}\ntls = false\nnick = \"gate\"\nsasl_user = \"gatebot\"\n\
             sasl_password = \"secret-of-the-gate\"\n",
            self.network.addr.port()
        )
    }

    fn id(&self, person: usize) -> String {
        format!("account:{}", nick(person))
    }

    fn write(&mut self, person: usize, text: &str) {
        self.person(person).client.privmsg("gate", text);
    }

    fn read(&mut self, person: usize) -> String {
        let Person { client, unread } = self.person(person);
        unread.pop_front().unwrap_or_else(|| said(&client.expect(is_said)))
    }

    fn unread(&mut self, person: usize) -> usize {
        let Person { client, unread } = self.person(person);
        let before = client.seen().len();
        client.send("PING :so-far");
        client.expect(|line| line.contains(" PONG ") && line.ends_with("so-far"));
        unread.extend(client.seen().iter().skip(before).filter(|line| is_said(line)).map(|line| said(line)));
        unread.len()
    }
}

fn nick(person: usize) -> String {
    format!("person{person}")
}

fn is_said(line: &str) -> bool {
    line.starts_with(":gate!") && line.contains(" PRIVMSG ")
}

fn said(line: &str) -> String {
    line.split_once(" :").map(|(_, text)| text).unwrap_or_default().to_owned()
}
