//! The gateway's own secret, which everybody shows who has no token of a device yet.

use std::fmt;

use dmgate::device::is_same_secret;

use super::connect::Auth;
use super::refusal::AuthError;

/// A token, a password, or both: either lets one ask. `Debug` does not show them.
#[derive(Clone)]
pub struct Secrets {
    token: Option<String>,
    password: Option<String>,
}

impl Secrets {
    /// What is configured; `None` if nothing is, since then there would be nothing to show.
    #[must_use]
    pub fn new(token: Option<String>, password: Option<String>) -> Option<Self> {
        let some = |secret: Option<String>| secret.filter(|secret| !secret.trim().is_empty());
        let (token, password) = (some(token), some(password));
        (token.is_some() || password.is_some()).then_some(Self { token, password })
    }

    /// Compares what is shown, in a time that says nothing about where it differs.
    pub(super) fn check(&self, auth: &Auth) -> Result<(), AuthError> {
        let pairs = [
            (&self.token, &auth.token, AuthError::TokenMismatch),
            (&self.password, &auth.password, AuthError::PasswordMismatch),
        ];
        let mut error =
            if self.token.is_some() { AuthError::TokenMissing } else { AuthError::PasswordMissing };
        for (held, shown, mismatch) in pairs.into_iter().rev() {
            match (held, Auth::shown(shown.as_ref())) {
                (Some(held), Some(shown)) if is_same_secret(held, shown) => return Ok(()),
                (Some(_), Some(_)) => error = mismatch,
                _ => {}
            }
        }
        Err(error)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_secret_opens() {
        let some = |text: &str| Some(text.to_owned());
        let check = |held: (Option<&str>, Option<&str>), token: Option<&str>, password: Option<&str>| {
            let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
            let auth = Auth { token: owned(token), password: owned(password), ..Auth::default() };
            Secrets::new(owned(held.0), owned(held.1)).unwrap().check(&auth)
        };
        let (both, token, password) = ((Some("t"), Some("p")), (Some("t"), None), (None, Some("p")));
        assert_eq!(check(both, Some("t"), None), Ok(()));
        assert_eq!(check(both, None, Some("p")), Ok(()));
        assert_eq!(check(both, Some("x"), Some("p")), Ok(()));
        assert_eq!(check(both, Some("p"), None), Err(AuthError::TokenMismatch));
        assert_eq!(check(both, None, Some("t")), Err(AuthError::PasswordMismatch));
        assert_eq!(check(both, None, None), Err(AuthError::TokenMissing));
        assert_eq!(check(token, None, Some("t")), Err(AuthError::TokenMissing));
        assert_eq!(check(token, Some(" "), None), Err(AuthError::TokenMissing));
        assert_eq!(check(password, Some("p"), None), Err(AuthError::PasswordMissing));
        assert_eq!(check(password, None, Some("x")), Err(AuthError::PasswordMismatch));
        assert!(Secrets::new(some(""), some(" ")).is_none() && Secrets::new(None, None).is_none());
        assert_eq!(format!("{:?}", Secrets::new(some("t"), None)), "Some(Secrets(…))");
    }
}
