//! The service's one error: a closed taxonomy that every surface maps onto its own wire.

use tidings_core::limits;

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// JSON pointer (RFC 6901) of the field in the request body, `/url`; a query parameter is named
    /// alone, `limit`.
    pub pointer: String,
    /// A stable code for programs, `url_scheme`.
    pub code: &'static str,
    /// Plain words: what is wrong and what to give instead.
    pub why: String,
}

impl Field {
    pub(crate) fn new(
        pointer: impl Into<String>,
        code: &'static str,
        why: impl Into<String>,
    ) -> Self {
        Self { pointer: pointer.into(), code, why: why.into() }
    }
}

/// Why a verb did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The thing does not exist, or the caller may not know of it. 404.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The request contradicts what is there. 409.
    #[error("{0}")]
    Conflict(String),
    /// The caller named a version of the thing that is no longer the current one. 412.
    #[error("{why}")]
    Stale {
        /// What happened and what to do.
        why: String,
        /// The entity tag of the version that is current as far as we know.
        current: Option<String>,
    },
    /// The request is well formed but fields of it are not acceptable. 422.
    #[error("{}", summary(.0))]
    Invalid(Vec<Field>),
    /// The request cannot be understood. 400.
    #[error("{0}")]
    Malformed(String),
    /// No, an unknown, a revoked or an expired token: always the same. 401.
    #[error("give a valid key in the authorization header: Bearer and the key")]
    Unauthenticated,
    /// The token is good but lacks a scope. 403.
    #[error("the key needs the scope {0}")]
    Forbidden(&'static str),
    /// The calendar's provider does not do this, or does not let the account do it. 422.
    #[error("{0}")]
    Refused(String),
    /// As many as there may be. 429.
    #[error("limit reached: {limit}")]
    LimitExceeded {
        /// The limit, in words.
        limit: String,
        /// When trying again may help, seconds.
        retry_after_s: Option<u32>,
    },
    /// Larger than accepted. 413.
    #[error("{0}")]
    TooLarge(String),
    /// The journal no longer holds what was asked for. 410.
    #[error("changes before seq {oldest_seq} are no longer kept; continue after {}", oldest_seq.saturating_sub(1))]
    Gone {
        /// The first `seq` that the journal holds.
        oldest_seq: u64,
    },
    /// Too busy or out of order for the moment. 503.
    #[error("temporarily unavailable; try again in {retry_after_s} s")]
    Unavailable {
        /// When to try again, seconds.
        retry_after_s: u32,
    },
    /// The calendar's provider cannot be reached, or asks for patience. 503.
    #[error("{why}; try again in {retry_after_s} s")]
    ProviderUnavailable {
        /// What happened.
        why: String,
        /// When to try again, seconds.
        retry_after_s: u32,
    },
    /// The operator must change the configuration first. 501.
    #[error("{0}")]
    NotConfigured(String),
    /// No room on the disk. 507.
    #[error("the server's disk is full; nothing was written")]
    Full,
    /// Our fault. 500.
    #[error("internal error")]
    Internal,
}

impl Error {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::Stale { .. } => "stale",
            Self::Invalid(_) => "invalid",
            Self::Malformed(_) => "malformed",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::Refused(_) => "refused",
            Self::LimitExceeded { .. } => "limit_exceeded",
            Self::TooLarge(_) => "too_large",
            Self::Gone { .. } => "gone",
            Self::Unavailable { .. } => "unavailable",
            Self::ProviderUnavailable { .. } => "provider_unavailable",
            Self::NotConfigured(_) => "not_configured",
            Self::Full => "full",
            Self::Internal => "internal",
        }
    }

    pub(crate) fn invalid(
        pointer: impl Into<String>,
        code: &'static str,
        why: impl Into<String>,
    ) -> Self {
        Self::Invalid(vec![Field::new(pointer, code, why)])
    }

    pub(crate) fn limit(limit: impl Into<String>) -> Self {
        Self::LimitExceeded { limit: limit.into(), retry_after_s: None }
    }

    pub(crate) fn too_many_changes() -> Self {
        Self::TooLarge(format!("a batch has at most {} changes", limits::PUBLISH_BATCH_MAX))
    }
}

fn summary(fields: &[Field]) -> String {
    let listed: Vec<_> =
        fields.iter().map(|field| format!("{}: {}", field.pointer, field.why)).collect();
    if listed.is_empty() { "the request is not acceptable".into() } else { listed.join("; ") }
}

/// What the store says. A not-found names what the store names.
impl From<tidings_store::Error> for Error {
    fn from(error: tidings_store::Error) -> Self {
        if let Some(oldest_seq) = error.gone_oldest() {
            Self::Gone { oldest_seq }
        } else if let Some(current) = error.stale() {
            let current = current.map(|version| version.to_string());
            Self::Stale { why: error.to_string(), current }
        } else if error.is_not_found() {
            Self::NotFound(error.not_found_what().unwrap_or("object"))
        } else if error.is_key_reused() {
            Self::invalid("", "idempotency_mismatch", error.to_string())
        } else if error.is_conflict() {
            Self::Conflict(error.to_string())
        } else if error.is_full() {
            Self::Full
        } else if error.is_busy() || error.is_unavailable() {
            Self::Unavailable { retry_after_s: 1 }
        } else {
            tracing::error!(error = %error, source = ?std::error::Error::source(&error), "store call failed");
            Self::Internal
        }
    }
}
