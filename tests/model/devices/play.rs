//! A history on the rules or the store and on the model at once; each step says where they differ.

use std::time::Duration;

use dmgate::Clock as _;
use dmgate::device::{
    Approver, Ask, Connected, Credential, Description, DeviceError, DeviceRequestId, Devices, Grant,
    Identity, PublicKey, Refused, Role, Scopes, Session,
};

use super::operation::{Asking, By, Operation, Shown};
use super::rules::{Comes, Model, RIGHTS, Shows, is_within, whole};
use super::subject::{Place, probe};

pub(crate) struct Play {
    place: Place,
    pub(crate) model: Model,
    /// Each token that was ever issued, by its number in the model, and whose it is.
    tokens: Vec<(String, u8, bool)>,
    codes: Vec<String>,
    sessions: Vec<Session>,
    steps: usize,
}

type Outcome = Result<(), String>;

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, model: &T) -> Outcome {
    if is == model { Ok(()) } else { Err(format!("{what}: it is {is:?}, the model says {model:?}")) }
}

fn key(device: u8) -> PublicKey {
    PublicKey::from_bytes([device; 32])
}

fn role(node: bool) -> Role {
    if node { Role::Node } else { Role::Operator }
}

fn scopes(rights: u8) -> Scopes {
    let named = RIGHTS.iter().enumerate().filter(|(at, _)| rights & (1 << at) != 0);
    Scopes::parse(named.map(|(_, name)| *name)).unwrap()
}

/// All that they give.
fn rights(scopes: &Scopes) -> u8 {
    whole(
        RIGHTS
            .iter()
            .enumerate()
            .filter(|(_, name)| scopes.iter().any(|it| it.as_str() == **name))
            .fold(0, |all, (at, _)| all | (1 << at)),
    )
}

fn ask(asking: &Asking) -> Ask {
    let platform = match asking.machine {
        0 => None,
        1 => Some("linux".to_owned()),
        _ => Some("ios".to_owned()),
    };
    let display_name = (asking.name > 0).then(|| "Ann's".to_owned());
    Ask {
        identity: Identity::unproven(key(asking.device)),
        role: role(asking.node),
        scopes: scopes(asking.rights),
        description: Description { platform, display_name, ..Description::default() },
        remote_ip: None,
        is_trusted_network: asking.trusted,
    }
}

fn said<T>(done: &Result<T, DeviceError>) -> Result<(), &'static str> {
    match done {
        Ok(_) => Ok(()),
        Err(DeviceError::UnknownRequest) => Err("request"),
        Err(DeviceError::UnknownDevice) => Err("device"),
        Err(DeviceError::UnknownRole) => Err("role"),
        Err(DeviceError::MissingScope(_)) => Err("scope"),
        Err(DeviceError::RotationDenied) => Err("denied"),
        Err(DeviceError::Store(error)) => panic!("{error}"),
    }
}

impl Play {
    pub(crate) fn begin(is_files: bool) -> Self {
        let place = Place::begin(is_files);
        let (tokens, codes, sessions) = Default::default();
        Self { place, model: Model::default(), tokens, codes, sessions, steps: 0 }
    }

    pub(crate) async fn step(&mut self, operation: &Operation) -> Outcome {
        // Nothing happens in the same millisecond as something else.
        self.place.clock.advance(Duration::from_millis(1));
        self.steps += 1;
        match *operation {
            Operation::Connect { ask, shown } => self.connect(&ask, shown).await?,
            Operation::Crowd => {
                for device in 100..134 {
                    let ask = Asking { device, node: true, rights: 0, machine: 1, name: 0, trusted: false };
                    self.connect(&ask, Shown::Secret).await?;
                }
            }
            Operation::Approve { place, by } => {
                let (device, id) = self.request(place);
                let (approver, by) = self.by(by);
                let done = self.place.approve(id, approver).await;
                same("approve", &said(&done), &self.model.approve(device, by, self.now()))?;
            }
            Operation::Reject { place, by } => {
                let (device, id) = self.request(place);
                let (approver, by) = self.by(by);
                let done = self.place.reject(id, approver).await;
                same("reject", &said(&done), &self.model.reject(device, by, self.now()))?;
            }
            Operation::Remove { device, by } => {
                let (approver, by) = self.by(by);
                let done = self.place.remove(key(device).device_id(), approver).await;
                same("remove", &said(&done), &self.model.remove(device, by))?;
            }
            Operation::Clear { only_requests, by } => {
                let (approver, by) = self.by(by);
                let done = self.place.clear(only_requests, approver).await;
                let counted = said(&done).and(Ok(done.map(|done| (done.devices.len(), done.requests.len()))));
                let counted = counted.map(Result::unwrap_or_default);
                same("clear", &counted, &self.model.clear(only_requests, by, self.now()))?;
            }
            Operation::Rotate { device, node, rights, by } => {
                let (approver, by) = self.by(by);
                let wanted = rights.map(scopes);
                let done = self.place.rotate(key(device).device_id(), role(node), wanted, approver).await;
                same("rotate", &said(&done), &self.model.rotate(device, node, rights, by))?;
            }
            Operation::Revoke { device, node, by } => {
                let (approver, by) = self.by(by);
                let done = self.place.revoke(key(device).device_id(), role(node), approver).await;
                same("revoke", &said(&done), &self.model.revoke(device, node, by))?;
            }
            Operation::Invite => {
                self.codes.push(self.place.invite().await.token.reveal().to_owned());
                self.model.invite(self.now());
            }
            Operation::CancelInvitations => {
                let count = self.place.cancel_invitations().await;
                same("cancel", &count, &self.model.cancel_invitations(self.now()))?;
            }
            Operation::Clock { seconds } => self.place.clock.step(seconds * 1_000),
            Operation::Reopen => self.place.reopen(),
        }
        self.compare()
    }

    fn now(&self) -> i64 {
        self.place.clock.now().as_millis()
    }

    /// The request at a place of the file, or one that there is not.
    fn request(&self, place: usize) -> (Option<u8>, DeviceRequestId) {
        let pending = self.place.devices().pending;
        let Some(request) = pending.get(place % pending.len().max(1)) else {
            return (None, DeviceRequestId::typed("none"));
        };
        let whose = |waiting: &&super::rules::Waiting| key(waiting.ask.device) == request.public_key;
        (self.model.waiting.iter().find(whose).map(|waiting| waiting.ask.device), request.id.clone())
    }

    fn by(&self, by: By) -> (Approver, By) {
        match by {
            By::Session(number) if !self.sessions.is_empty() => {
                // The later ones are the likelier to be live; and half of the time it is one that may decide.
                let number = self.sessions.len() - 1 - number % self.sessions.len();
                let may = |live: &super::rules::Live| !live.node && live.rights & super::rules::PAIRING != 0;
                let number = self
                    .model
                    .sessions
                    .iter()
                    .rposition(may)
                    .filter(|_| number.is_multiple_of(2))
                    .unwrap_or(number);
                (Approver::Device(self.sessions[number].clone()), By::Session(number))
            }
            _ => (Approver::Owner, By::Owner),
        }
    }

    async fn connect(&mut self, asking: &Asking, shown: Shown) -> Outcome {
        let (credential, shows) = match shown {
            Shown::Secret => (Credential::Secret, Shows::Secret),
            Shown::Token(number) if !self.tokens.is_empty() => {
                let number = number % self.tokens.len();
                (Credential::Token(self.tokens[number].0.clone()), Shows::Token(Some(number)))
            }
            Shown::OwnToken => {
                let is_own =
                    |(_, device, node): &(String, u8, bool)| (*device, *node) == (asking.device, asking.node);
                let number = self.tokens.iter().rposition(is_own);
                let text = number.map_or("none", |number| &self.tokens[number].0);
                (Credential::Token(text.to_owned()), Shows::Token(number))
            }
            Shown::Code(number) if !self.codes.is_empty() => {
                let number = self.codes.len() - 1 - number % self.codes.len();
                (Credential::Bootstrap(self.codes[number].clone()), Shows::Code(number))
            }
            Shown::Token(_) => (Credential::Token("none".into()), Shows::Token(None)),
            Shown::Code(_) => (Credential::Bootstrap("none".into()), Shows::Code(usize::MAX)),
        };
        let connected = self.place.connect(ask(asking), credential).await;
        let model = self.model.connect(asking, shows, self.now());
        self.note_tokens()?;
        let comes = match connected {
            Connected::In(admission) => {
                let number = self.tokens.iter().position(|(text, ..)| text == admission.token.reveal());
                self.sessions.push(admission.session);
                Comes::In(number.unwrap_or(usize::MAX), rights(&admission.scopes))
            }
            Connected::Pairing { reason, request: Some(_), is_new } => Comes::Asks(reason.as_str(), is_new),
            Connected::Pairing { reason, request: None, .. } => Comes::Full(reason.as_str()),
            Connected::Refused(Refused::Token) => Comes::Refused("token"),
            Connected::Refused(Refused::Bootstrap) => Comes::Refused("code"),
        };
        same("connect", &comes, &model)
    }

    /// Every token that there is now gets the number that the model has for it.
    fn note_tokens(&mut self) -> Outcome {
        let devices = self.place.devices();
        for (number, known) in &self.model.devices {
            for (node, held) in &known.roles {
                let grant = grant_of(&devices, *number, *node);
                let Some(grant) = grant else { return Err(format!("no token of {number}")) };
                if held.token == self.tokens.len() {
                    self.tokens.push((grant.token.reveal().to_owned(), *number, *node));
                }
                same("token", &grant.token.reveal(), &self.tokens[held.token].0.as_str())?;
            }
        }
        Ok(())
    }

    /// Everything that was ever given is worth what it should be worth now.
    fn compare(&mut self) -> Outcome {
        self.note_tokens()?;
        let devices = self.place.devices();
        if !self.place.is_kept() {
            return Err("what others wrote is gone".into());
        }
        self.compare_what_is_there(&devices)?;
        for (session, live) in self.sessions.iter().zip(&self.model.sessions) {
            same(&format!("{session:?} stands"), &devices.stands(session), &self.model.stands(live))?;
        }
        for number in 0..self.tokens.len() {
            self.try_token(&devices, number)?;
        }
        for number in 0..self.codes.len() {
            for device in 0..4 {
                self.try_code(&devices, number, device)?;
            }
        }
        Ok(())
    }

    fn compare_what_is_there(&self, devices: &Devices) -> Outcome {
        same("paired", &devices.paired.len(), &self.model.devices.len())?;
        for (number, known) in &self.model.devices {
            let device = devices.device(&key(*number).device_id()).ok_or("a device is gone")?;
            same("approved", &rights(&device.approved()), &known.approved)?;
            same("tokens", &device.tokens.len(), &known.roles.len())?;
            for (node, held) in &known.roles {
                let grant = &device.tokens[&role(*node)];
                same("rights", &rights(&grant.scopes), &held.rights)?;
                same("revoked", &grant.revoked_at.is_some(), &held.revoked)?;
                let is_bounded = is_within(held.rights, held.deal);
                if !is_bounded || !(held.revoked || is_within(held.rights, known.approved)) {
                    return Err(format!("more than was approved: {known:?}"));
                }
            }
        }
        let mut waiting: Vec<_> = devices.pending.iter().map(|request| request.device_id).collect();
        waiting.sort();
        let mut model: Vec<_> =
            self.model.waiting.iter().map(|waiting| key(waiting.ask.device).device_id()).collect();
        model.sort();
        same("waiting", &waiting, &model)?;
        waiting.dedup();
        let is_bounded = waiting.len() == model.len() && model.len() <= 32 && devices.bootstrap.len() <= 32;
        if is_bounded { Ok(()) } else { Err("more than there may be".into()) }
    }

    /// A token lets in its device, in its role, with its rights and no more, as long as it was not replaced or revoked.
    fn try_token(&self, devices: &Devices, number: usize) -> Outcome {
        let (text, device, node) = &self.tokens[number];
        let known = self.model.devices.get(device);
        let held = known.and_then(|known| known.roles.get(node));
        let held = held.filter(|held| held.token == number && !held.revoked);
        let machine = known.map_or(1, |known| known.machine);
        let most = held.map_or(0, |held| held.rights);
        let shown = Credential::Token(text.clone());
        let asks = |device, node, rights| {
            let asking = Asking { device, node, rights, machine, name: 0, trusted: true };
            probe(devices, &self.place, &ask(&asking), &shown)
        };
        for rights in [0, most] {
            let is_in = asks(*device, *node, rights).is_some();
            same(&format!("token {number} for {rights:05b}"), &is_in, &held.is_some())?;
        }
        let other = (device + 1) % 4;
        // One right more, the other role, another device.
        let more = (0..5).map(|bit| 1 << bit).find(|right| most & right == 0 && self.steps.is_multiple_of(2));
        let beyond = more.and_then(|right| asks(*device, *node, most | right));
        if beyond.or_else(|| asks(*device, !node, 0)).or_else(|| asks(other, *node, 0)).is_some() {
            return Err(format!("token {number} lets in what it was not made for"));
        }
        Ok(())
    }

    /// A code serves one key, and none when it is dead.
    fn try_code(&self, devices: &Devices, number: usize, device: u8) -> Outcome {
        let (mut devices, code) = (devices.clone(), &self.model.codes[number]);
        let asking = Asking { device, node: true, rights: 0, machine: 1, name: 0, trusted: false };
        let shown = Credential::Bootstrap(self.codes[number].clone());
        let entropy = &*self.place.world.entropy;
        let connected = devices.connect(&ask(&asking), &shown, self.place.clock.now(), entropy).unwrap();
        let serves = code.works(self.now()) && code.serves.is_none_or(|whose| whose == device);
        same(
            &format!("code {number} for {device}"),
            &(connected != Connected::Refused(Refused::Bootstrap)),
            &serves,
        )
    }
}

fn grant_of(devices: &Devices, number: u8, node: bool) -> Option<&Grant> {
    devices.device(&key(number).device_id())?.tokens.get(&role(node))
}
