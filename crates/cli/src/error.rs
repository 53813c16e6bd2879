//! Why a command ended without success.

use std::fmt::Display;
use std::process::ExitCode;

/// What the exit status of a command means; printed by `tidings help`.
pub(crate) const EXIT_CODES: &str = "\
Exit status:
  0  it worked
  1  it failed
  2  the command line or the configuration is wrong
  3  there is no such thing
  4  the server refused it
  5  the server cannot be reached";

/// A message for the operator, and the exit status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It was understood but did not work. Exit status 1.
    #[error("{0}")]
    Failed(String),
    /// The configuration or the command line is wrong. Exit status 2.
    #[error("{0}")]
    Usage(String),
    /// What was named is not there. Exit status 3.
    #[error("{0}")]
    NotFound(String),
    /// The server understood and said no. Exit status 4.
    #[error("{0}")]
    Refused(String),
    /// There was no answer, or the server cannot answer now. Exit status 5.
    #[error("{0}")]
    Unreachable(String),
}

/// Result of a command.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// For `map_err`: what was tried, and the error that it met.
    pub(crate) fn failed<E: Display>(what: impl Display) -> impl FnOnce(E) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }

    /// The exit status; see [`EXIT_CODES`].
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Refused(_) => 4,
            Self::Unreachable(_) => 5,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status())
    }
}
