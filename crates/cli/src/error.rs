//! Why a command ended without success.

use std::fmt::Display;
use std::process::ExitCode;

/// A message for the operator, and the exit status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The configuration or the command line is wrong. Exit status 2.
    #[error("{0}")]
    Usage(String),
    /// It was understood but did not work. Exit status 1.
    #[error("{0}")]
    Failed(String),
}

/// Result of a command.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// For `map_err`: what was tried, and the error that it met.
    pub(crate) fn failed<E: Display>(what: impl Display) -> impl FnOnce(E) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
        }
    }
}
