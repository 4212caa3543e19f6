//! Why a client is not let in: what it is told, and how its socket is closed.

use dmgate::device::{IdentityError, PairingReason};
use serde_json::{Map, json};

use super::connect::BadConnect;
use super::frame::{Code, Failure};
use super::listing::{put, put_some};

/// An answer to `connect` that lets nobody in.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    pub(crate) close: u16,
}

/// Why what a client showed is not good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AuthError {
    TokenMissing,
    TokenMismatch,
    PasswordMissing,
    PasswordMismatch,
    Bootstrap,
    DeviceToken,
    Locked,
}

/// Policy violation (RFC 6455 §7.4.1): the code of nearly every refusal.
pub(crate) const POLICY: u16 = 1008;
const PROTOCOL_ERROR: u16 = 1002;
const TRY_AGAIN: u16 = 1013;

impl Refusal {
    fn new(failure: Failure) -> Self {
        Self { failure, close: POLICY }
    }

    pub(crate) fn no_connect() -> Self {
        Self::new(Failure::invalid("invalid handshake: first request must be connect"))
    }

    pub(crate) fn params(bad: BadConnect) -> Self {
        Self::new(Failure::invalid(bad.to_string()))
    }

    pub(crate) fn protocol() -> Self {
        let failure =
            Failure::invalid("protocol mismatch").with(json!({ "expectedProtocol": super::PROTOCOL }));
        Self { failure, close: PROTOCOL_ERROR }
    }

    pub(crate) fn role() -> Self {
        Self::new(Failure::invalid("invalid role"))
    }

    pub(crate) fn scopes() -> Self {
        Self::new(Failure::invalid("invalid connect params: at /scopes: no scopes that could be granted"))
    }

    pub(crate) fn origin(is_missing: bool) -> Self {
        let reason = if is_missing { "origin missing or invalid" } else { "origin not allowed" };
        let message =
            "origin not allowed (open the page at the gateway's own address, or set public_url in [gateway])";
        Self::new(
            Failure::invalid(message)
                .with(json!({ "code": "CONTROL_UI_ORIGIN_NOT_ALLOWED", "reason": reason })),
        )
    }

    pub(crate) fn no_device() -> Self {
        let (message, details) =
            ("device identity required".to_owned(), json!({ "code": "DEVICE_IDENTITY_REQUIRED" }));
        Self::new(Failure { code: Code::NotPaired, message, details: Some(details) })
    }

    pub(crate) fn identity(error: IdentityError) -> Self {
        let (code, reason) = match error {
            IdentityError::DeviceIdMismatch => ("DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"),
            IdentityError::SignatureExpired => ("DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale"),
            IdentityError::NonceRequired => ("DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing"),
            IdentityError::NonceMismatch => ("DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch"),
            IdentityError::SignatureInvalid => ("DEVICE_AUTH_SIGNATURE_INVALID", "device-signature"),
        };
        Self::new(Failure::invalid(error.to_string()).with(json!({ "code": code, "reason": reason })))
    }

    /// `can_retry`: it may have a device token that is good.
    pub(crate) fn auth(error: AuthError, can_retry: bool) -> Self {
        let next = match error {
            AuthError::TokenMismatch if can_retry => "retry_with_device_token",
            AuthError::TokenMissing | AuthError::PasswordMissing => "update_auth_configuration",
            AuthError::TokenMismatch | AuthError::PasswordMismatch | AuthError::DeviceToken => {
                "update_auth_credentials"
            }
            AuthError::Locked => "wait_then_retry",
            AuthError::Bootstrap => "review_auth_configuration",
        };
        let (code, reason, message) = error.said();
        let details = json!({
            "code": code,
            "authReason": reason,
            "canRetryWithDeviceToken": can_retry && error == AuthError::TokenMismatch,
            "recommendedNextStep": next,
        });
        Self::new(Failure::invalid(format!("unauthorized: {message}")).with(details))
    }

    pub(crate) fn pairing(request_id: Option<&str>, reason: PairingReason) -> Self {
        let mut details = Map::new();
        put(&mut details, "code", "PAIRING_REQUIRED");
        put_some(&mut details, "requestId", request_id);
        put(&mut details, "reason", reason.as_str());
        let (code, message) = (Code::NotPaired, "pairing required".to_owned());
        Self::new(Failure { code, message, details: Some(details.into()) })
    }

    pub(crate) fn unavailable() -> Self {
        Self {
            failure: Failure::unavailable("the gateway can't look it up now; try again"),
            close: TRY_AGAIN,
        }
    }

    pub(crate) fn full() -> Self {
        Self { failure: Failure::unavailable("too many connections; try again later"), close: TRY_AGAIN }
    }
}

impl AuthError {
    /// Its code, its reason, its message.
    fn said(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::TokenMissing => {
                ("AUTH_TOKEN_MISSING", "token_missing", "gateway token missing (provide gateway auth token)")
            }
            Self::TokenMismatch => (
                "AUTH_TOKEN_MISMATCH",
                "token_mismatch",
                "gateway token mismatch (provide gateway auth token)",
            ),
            Self::PasswordMissing => (
                "AUTH_PASSWORD_MISSING",
                "password_missing",
                "gateway password missing (provide gateway auth password)",
            ),
            Self::PasswordMismatch => (
                "AUTH_PASSWORD_MISMATCH",
                "password_mismatch",
                "gateway password mismatch (provide gateway auth password)",
            ),
            Self::Bootstrap => (
                "AUTH_BOOTSTRAP_TOKEN_INVALID",
                "bootstrap_token_invalid",
                "bootstrap token invalid or expired (scan a fresh setup code)",
            ),
            Self::DeviceToken => (
                "AUTH_DEVICE_TOKEN_MISMATCH",
                "device_token_mismatch",
                "device token mismatch (rotate/reissue device token)",
            ),
            Self::Locked => {
                ("AUTH_RATE_LIMITED", "rate_limited", "too many failed authentication attempts (retry later)")
            }
        }
    }
}
