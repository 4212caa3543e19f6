//! A device connects: it is let in, asks the owner, or is refused.

use std::collections::btree_map::Entry;
use std::fmt;
use std::time::Duration;

use super::bootstrap::Bootstrap;
use super::identity::DeviceId;
use super::owner::Approver;
use super::paired::{Device, Grant};
use super::request::{Ask, DeviceRequest, DeviceRequestId};
use super::role::{Role, Scopes};
use super::token::Token;
use super::{Devices, MOST_REQUESTS};
use crate::clock::{Entropy, NoEntropy, Timestamp};

/// What a connection shows beside its identity.
#[derive(Clone)]
pub enum Credential {
    /// The gateway's own secret, which the caller has compared.
    Secret,
    /// The token of a device.
    Token(String),
    /// The token of a setup code.
    Bootstrap(String),
}

/// What comes of a connection.
#[derive(Clone, PartialEq, Debug)]
pub enum Connected {
    /// It is in.
    In(Admission),
    /// It has to wait for the owner.
    Pairing {
        /// Why.
        reason: PairingReason,
        /// Its request; none where too many wait already.
        request: Option<Box<DeviceRequest>>,
        /// Whether the request is new, and operators are to be told.
        is_new: bool,
    },
    /// What it showed is not good.
    Refused(Refused),
}

/// A device that is in.
#[derive(Clone, PartialEq, Debug)]
pub struct Admission {
    /// What it may do, for as long as that stands.
    pub session: Session,
    /// What it shows from now on.
    pub token: Token,
    /// With which rights.
    pub scopes: Scopes,
    /// Since when it has that token.
    pub issued_at: Timestamp,
}

/// A live connection of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Whose it is.
    pub device: DeviceId,
    /// As what.
    pub role: Role,
    /// With which rights: those that it asked for, never more than its token has.
    pub scopes: Scopes,
    /// Since when it has this role without a break: after it was revoked or removed, nothing makes this session good again.
    pub granted_at: Timestamp,
}

/// Why a device has to wait for the owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PairingReason {
    /// It is not known.
    NotPaired,
    /// It says that it is another machine now.
    MetadataUpgrade,
    /// It has not this role, or not any more.
    RoleUpgrade,
    /// It asks for more rights than it has.
    ScopeUpgrade,
}

/// Why what a device showed is not good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// The setup code expired, was used, serves another device, or does not serve this.
    #[error("bootstrap token invalid or expired (scan a fresh setup code)")]
    Bootstrap,
    /// The device is not known, or this is not its token, not any more, or not for this.
    #[error("device token mismatch (rotate/reissue device token)")]
    Token,
}

/// Among so many paired devices, the owner is asked about each further one also where a network is trusted: whoever has the
/// gateway's secret there could go on making keys for ever.
pub(super) const MOST_UNASKED: usize = 256;

/// How exact it is when a token was last used: no device makes us write more often.
const LAST_USED: Duration = Duration::from_secs(60);

impl Devices {
    /// A device connects, after [`prove`](super::prove) and, for [`Credential::Secret`], after the secret was compared.
    ///
    /// What changed is to be durable before the answer is given.
    ///
    /// # Errors
    /// [`NoEntropy`] if an id or a token would have to be drawn and can't be.
    // INVARIANT I17: nothing is granted here that was not approved; a bootstrap token serves one key.
    pub fn connect(
        &mut self,
        ask: &Ask,
        credential: &Credential,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Connected, NoEntropy> {
        self.upkeep(now);
        let ask = &Ask { description: ask.description.clone().cut(), ..ask.clone() };
        match credential {
            Credential::Secret => {}
            Credential::Token(shown) => {
                if !self.is_token_of(ask, shown) {
                    return Ok(Connected::Refused(Refused::Token));
                }
            }
            Credential::Bootstrap(shown) => match self.bootstrap_for(ask, shown) {
                Some(bootstrap) => bootstrap.bind(ask),
                None => return Ok(Connected::Refused(Refused::Bootstrap)),
            },
        }
        let is_unasked =
            ask.is_trusted_network && ask.asks_for_no_rights() && self.paired.len() < MOST_UNASKED;
        let connected = match self.reason_to_ask(ask) {
            Some(PairingReason::NotPaired) if is_unasked => self.admit_unasked(ask, now, entropy)?,
            Some(reason) => self.request(ask, reason, now, entropy)?,
            None => {
                self.admission(ask, now, entropy)?.map_or(Connected::Refused(Refused::Token), Connected::In)
            }
        };
        // A setup code whose device is in has done what it was made for.
        if let (Connected::In(_), Credential::Bootstrap(shown)) = (&connected, credential) {
            self.bootstrap.retain(|one| !one.token.matches(shown));
        }
        Ok(connected)
    }

    /// Whether a live connection still stands: nobody removed its device, or revoked what it came in with.
    // INVARIANT I17: revoking ends the live session, also if the device is approved again before anybody looks.
    #[must_use]
    pub fn stands(&self, session: &Session) -> bool {
        let role = session.role;
        let device = self.device(&session.device).filter(|device| device.may_be(role));
        device.is_some_and(|device| {
            device.grant(role).is_some_and(|grant| grant.created_at == session.granted_at)
                && device.held(role).is_some_and(|held| held.cover(&session.scopes))
        })
    }

    fn is_token_of(&self, ask: &Ask, shown: &str) -> bool {
        let device = self.device(&ask.identity.id()).filter(|device| device.may_be(ask.role));
        device.is_some_and(|device| {
            device.grant(ask.role).is_some_and(|grant| grant.token.matches(shown))
                && device.held(ask.role).is_some_and(|held| held.cover(&ask.scopes))
        })
    }

    /// All are compared, whichever it is.
    fn bootstrap_for(&mut self, ask: &Ask, shown: &str) -> Option<&mut Bootstrap> {
        let meant = self.bootstrap.iter_mut().filter(|one| one.token.matches(shown)).last();
        meant.filter(|one| one.serves(ask))
    }

    /// Why the owner is to be asked, if so.
    fn reason_to_ask(&self, ask: &Ask) -> Option<PairingReason> {
        let Some(device) = self.device(&ask.identity.id()) else { return Some(PairingReason::NotPaired) };
        if ask.description.is_another_machine(&device.description) {
            return Some(PairingReason::MetadataUpgrade);
        }
        if !device.may_be(ask.role) {
            return Some(PairingReason::RoleUpgrade);
        }
        let held = device.held(ask.role).unwrap_or_else(|| device.approved());
        (!held.cover(&ask.scopes)).then_some(PairingReason::ScopeUpgrade)
    }

    /// The device may be what it asks for.
    fn admission(
        &mut self,
        ask: &Ask,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Option<Admission>, NoEntropy> {
        let Some(device) = self.device_mut(&ask.identity.id()) else { return Ok(None) };
        // Approved by a program that gave it no token in this role.
        if let Entry::Vacant(place) = device.tokens.entry(ask.role) {
            place.insert(Grant::new(Token::draw(entropy)?, ask.role, ask.scopes.clone(), now));
        }
        device.remote_ip.clone_from(&ask.remote_ip);
        let noted = &mut device.description;
        noted.display_name.clone_from(&ask.description.display_name);
        noted.client_id.clone_from(&ask.description.client_id);
        noted.client_mode.clone_from(&ask.description.client_mode);
        let Some(scopes) = device.held(ask.role) else { return Ok(None) };
        let Some(grant) = device.tokens.get_mut(&ask.role) else { return Ok(None) };
        if grant.last_used_at.is_none_or(|last| last > now || last.age_at(now) >= LAST_USED) {
            grant.last_used_at = Some(now);
        }
        let granted_at = grant.created_at;
        let session =
            Session { device: ask.identity.id(), role: ask.role, scopes: ask.scopes.clone(), granted_at };
        let issued_at = grant.rotated_at.unwrap_or(granted_at);
        Ok(Some(Admission { session, token: grant.token.clone(), scopes, issued_at }))
    }

    /// The owner said once that such a device needs no word of theirs.
    fn admit_unasked(
        &mut self,
        ask: &Ask,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Connected, NoEntropy> {
        let asked = self.request(ask, PairingReason::NotPaired, now, entropy)?;
        let Connected::Pairing { request: Some(request), .. } = &asked else { return Ok(asked) };
        if self.approve(&request.id, &Approver::Owner, now, entropy).is_err() {
            return Ok(asked);
        }
        Ok(self.admission(ask, now, entropy)?.map_or(asked, Connected::In))
    }

    /// The device waits: once, with what it asks for now.
    // INVARIANT I17: who asks for something else gets another request, which says what is asked then and nothing else:
    // what the owner has seen is what the owner approves.
    fn request(
        &mut self,
        ask: &Ask,
        reason: PairingReason,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Connected, NoEntropy> {
        let id = ask.identity.id();
        let is_repair = self.device(&id).is_some();
        let mine = self.pending.iter().filter(|request| request.device_id == id).count();
        let again = self.pending.iter_mut().find(|request| request.device_id == id && request.is_again(ask));
        if let (Some(request), 1) = (again, mine) {
            request.asked_at = now;
            request.is_repair |= is_repair;
            return Ok(Connected::Pairing {
                reason,
                request: Some(Box::new(request.clone())),
                is_new: false,
            });
        }
        let others = self.pending.len().saturating_sub(mine);
        if others >= MOST_REQUESTS {
            return Ok(Connected::Pairing { reason, request: None, is_new: false });
        }
        let request = DeviceRequest {
            id: DeviceRequestId::draw(entropy)?,
            device_id: id,
            public_key: ask.identity.key(),
            description: ask.description.clone(),
            role: ask.role,
            roles: vec![ask.role],
            scopes: ask.scopes.clone(),
            remote_ip: ask.remote_ip.clone(),
            silent: false,
            is_repair,
            asked_at: now,
            extra: serde_json::Map::new(),
        };
        self.pending.retain(|request| request.device_id != id);
        self.pending.push(request.clone());
        Ok(Connected::Pairing { reason, request: Some(Box::new(request)), is_new: true })
    }
}

impl Ask {
    fn asks_for_no_rights(&self) -> bool {
        self.role == Role::Node && self.scopes.is_empty()
    }
}

impl Grant {
    pub(super) fn new(token: Token, role: Role, scopes: Scopes, now: Timestamp) -> Self {
        let (rotated_at, revoked_at, last_used_at, extra) = Default::default();
        Self { token, role, scopes, created_at: now, rotated_at, revoked_at, last_used_at, extra }
    }

    /// The same grant with another token. After it was revoked it begins anew.
    pub(super) fn renewed(&self, token: Token, scopes: Scopes, now: Timestamp) -> Self {
        let extra = self.extra.clone();
        let created_at = if self.revoked_at.is_some() { now } else { self.created_at };
        Self { created_at, rotated_at: Some(now), extra, ..Self::new(token, self.role, scopes, now) }
    }
}

impl Device {
    pub(super) fn of(request: &DeviceRequest, now: Timestamp) -> Self {
        Self {
            device_id: request.device_id,
            public_key: request.public_key,
            description: request.description.clone(),
            role: request.role,
            roles: Vec::new(),
            scopes: None,
            approved_scopes: None,
            remote_ip: request.remote_ip.clone(),
            tokens: std::collections::BTreeMap::new(),
            created_at: now,
            approved_at: now,
            extra: serde_json::Map::new(),
        }
    }
}

impl PairingReason {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotPaired => "not-paired",
            Self::MetadataUpgrade => "metadata-upgrade",
            Self::RoleUpgrade => "role-upgrade",
            Self::ScopeUpgrade => "scope-upgrade",
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "Secret",
            Self::Token(_) => "Token(…)",
            Self::Bootstrap(_) => "Bootstrap(…)",
        })
    }
}
