//! Why a command ends with another code than 0.

use std::process::ExitCode;

use dmgate::device::DeviceError;
use dmgate::pairing::ApproveError;
use dmgate::store::{OperatorError, StoreError};
use dmgate::{Fault, IdError};

use crate::config::ConfigError;

/// How a command ended, if not well.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Refused, or not found.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// Wrong usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// The store could not be used.
    pub(crate) fn store(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// The one line for stderr.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.code.into()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        match error {
            IdError::Collision { .. } => Self::refused(error.to_string()),
            _ => Self::usage(error.to_string()),
        }
    }
}

impl From<dmgate::pairing::CodeError> for Failure {
    fn from(error: dmgate::pairing::CodeError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ApproveError> for Failure {
    fn from(error: ApproveError) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(why) => Self::refused(why),
            StoreError::Fault(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::store(format!("{fault}; `dmgate doctor` says more"))
    }
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Refused(error) => error.into(),
            OperatorError::Store(error) => error.into(),
        }
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Store(error) => error.into(),
            DeviceError::UnknownRequest => Self::refused(format!(
                "{error}: it expired, was decided, or the device asks for something else by now; \
                 `dmgate devices list` shows who asks"
            )),
            DeviceError::UnknownDevice => {
                Self::refused(format!("{error}; `dmgate devices list` shows who is paired"))
            }
            DeviceError::RotationDenied => Self::refused(format!(
                "{error}: the device has no live token in this role, or not with these scopes"
            )),
            DeviceError::UnknownRole | DeviceError::MissingScope(_) => Self::refused(error.to_string()),
        }
    }
}
