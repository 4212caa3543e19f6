//! The checks on who connects that need no store, in the order of the protocol. Pure.

use std::net::IpAddr;

use dmgate::Timestamp;
use dmgate::device::{Ask, Credential, Role, Scopes, prove};

use super::connect::{Auth, Connect};
use super::frame::Request;
use super::lockout::Lock;
use super::refusal::{AuthError, Refusal};
use super::secrets::Secrets;

/// What is known of a socket before it says anything.
pub(crate) struct Circumstances<'a> {
    /// The challenge that it was given.
    pub(crate) challenge: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) secrets: &'a Secrets,
    /// The page that it comes from, if it comes from one.
    pub(crate) origin: Origin,
    /// The address of the socket itself.
    pub(crate) from: IpAddr,
    /// Whether the owner said that nodes from there need no word of theirs.
    pub(crate) is_trusted_network: bool,
    /// What is not looked at, since too much was wrong.
    pub(crate) is_closed: &'a (dyn Fn(Lock) -> bool + Sync),
}

/// Where a browser's page is from, which it can't choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// No page.
    None,
    /// A page of ours.
    Ours,
    /// Another one.
    Foreign,
}

/// Who may go on.
pub(crate) enum Checked {
    /// An operator with the gateway's secret and without a device: it may do nothing.
    Unbound,
    /// A device that proved who it is. What it shows is tried in this order; if nothing is good, it is refused so.
    Device { ask: Box<Ask>, shown: Vec<Shown>, otherwise: Verdict },
}

/// A credential, and what to say if it is wrong.
pub(crate) struct Shown {
    pub(crate) credential: Credential,
    pub(crate) otherwise: Option<AuthError>,
    /// What a wrong one counts against.
    pub(crate) lock: Option<Lock>,
}

/// Why authentication failed, and what was wrong about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub(crate) error: AuthError,
    pub(crate) can_retry: bool,
    /// Whether the gateway's secret was tried and wrong.
    pub(crate) is_guess: bool,
}

/// The first frame, as the parameters of `connect`.
pub(crate) fn connect(request: Request) -> Result<Connect, Refusal> {
    if request.method != "connect" {
        return Err(Refusal::no_connect());
    }
    Connect::parse(request.params).map_err(Refusal::params)
}

/// Everything that is checked before the store is asked.
///
/// # Errors
/// Why it is refused; a wrong secret of the gateway is to be counted ([`Verdict::is_guess`]) where it comes with one.
pub(crate) fn check(connect: &Connect, at: &Circumstances<'_>) -> Result<Checked, (Refusal, Option<Lock>)> {
    let refuse = |refusal| Err((refusal, None));
    if !(connect.min_protocol..=connect.max_protocol).contains(&super::PROTOCOL) {
        return refuse(Refusal::protocol());
    }
    let Some(role) = Role::parse(connect.role.as_deref().unwrap_or("operator")) else {
        return refuse(Refusal::role());
    };
    match at.origin {
        Origin::Foreign => return refuse(Refusal::origin(false)),
        Origin::None if connect.is_page() => return refuse(Refusal::origin(true)),
        Origin::None | Origin::Ours => {}
    }
    let Some(device) = &connect.device else { return without_device(role, &connect.auth, at) };
    let identity = match prove(&device.claim(), &connect.signed(role.as_str()), at.challenge, at.now) {
        Ok(identity) => identity,
        Err(error) => return refuse(Refusal::identity(error)),
    };
    let Ok(scopes) = Scopes::parse(connect.scopes.iter().map(String::as_str)) else {
        return refuse(Refusal::scopes());
    };
    let remote_ip = (!at.from.to_canonical().is_loopback()).then(|| at.from.to_canonical().to_string());
    let (description, is_trusted_network) = (connect.description(), at.is_trusted_network);
    let ask = Box::new(Ask { identity, role, scopes, description, remote_ip, is_trusted_network });
    let (shown, otherwise) = shown(&connect.auth, at);
    Ok(Checked::Device { ask, shown, otherwise })
}

/// Without a device one may only be an operator who has the gateway's secret, and who may do nothing with it.
// INVARIANT I17: rights are a device's; the gateway's secret alone gives none.
fn without_device(
    role: Role,
    auth: &Auth,
    at: &Circumstances<'_>,
) -> Result<Checked, (Refusal, Option<Lock>)> {
    if Auth::shown(auth.token.as_ref()).or(Auth::shown(auth.password.as_ref())).is_none() {
        return Err((Refusal::no_device(), None));
    }
    let verdict = secret(auth, at);
    match verdict {
        Ok(()) if role == Role::Operator => Ok(Checked::Unbound),
        Ok(()) => Err((Refusal::no_device(), None)),
        Err(Verdict { error, is_guess, .. }) => {
            Err((Refusal::auth(error, false), is_guess.then_some(Lock::Secret)))
        }
    }
}

/// Whether the gateway's secret is shown.
fn secret(auth: &Auth, at: &Circumstances<'_>) -> Result<(), Verdict> {
    // Nothing is compared: who guesses learns nothing, not even that the guess was right.
    if (at.is_closed)(Lock::Secret) {
        return Err(Verdict { error: AuthError::Locked, can_retry: false, is_guess: false });
    }
    at.secrets.check(auth).map_err(|error| {
        let is_token_only = auth.token.is_some() && auth.password.is_none() && auth.device_token.is_none();
        let is_guess = matches!(error, AuthError::TokenMismatch | AuthError::PasswordMismatch);
        Verdict { error, can_retry: is_guess && is_token_only, is_guess }
    })
}

/// What a device shows, in the order in which it is tried: the gateway's secret, the token of a setup code, its own token,
/// which some programs show in the place of the gateway's.
fn shown(auth: &Auth, at: &Circumstances<'_>) -> (Vec<Shown>, Verdict) {
    let mut verdict = match secret(auth, at) {
        Ok(()) => {
            let right = Shown { credential: Credential::Secret, otherwise: None, lock: None };
            let verdict = Verdict { error: AuthError::DeviceToken, can_retry: false, is_guess: false };
            return (vec![right], verdict);
        }
        Err(verdict) => verdict,
    };
    let mut shown = Vec::new();
    let own = [
        (&auth.bootstrap_token, Credential::Bootstrap as fn(String) -> Credential, AuthError::Bootstrap),
        (&auth.device_token, Credential::Token, AuthError::DeviceToken),
    ];
    for (text, credential, error) in own {
        let Some(text) = Auth::shown(text.as_ref()) else { continue };
        if (at.is_closed)(Lock::Device) {
            verdict.error = AuthError::Locked;
            continue;
        }
        let credential = credential(text.trim().to_owned());
        shown.push(Shown { credential, otherwise: Some(error), lock: Some(Lock::Device) });
    }
    let is_in_place = auth.device_token.is_none() && verdict.error != AuthError::Locked;
    if let Some(text) = Auth::shown(auth.token.as_ref()).filter(|_| is_in_place) {
        // Wrong, it was a guess at the gateway's token, if there is one, and is counted as such.
        let lock = (!verdict.is_guess).then_some(Lock::Device);
        if lock.is_some_and(at.is_closed) {
            verdict.error = AuthError::Locked;
        } else {
            let credential = Credential::Token(text.trim().to_owned());
            shown.push(Shown { credential, otherwise: None, lock });
        }
    }
    (shown, verdict)
}
