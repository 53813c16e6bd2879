//! What can go wrong between us and a calendar server, by what must be done about it.

/// Why a provider did not do what was asked. The variants are the reactions, not the causes; the
/// text says in plain words what happened, and holds neither credentials nor calendar content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It may pass: ask again later. Never a reason to call an account inactive.
    #[error("{why}")]
    Retry {
        /// The server's own wish (`Retry-After`), ms. It may only lengthen our backoff.
        after_ms: Option<u64>,
        /// What happened.
        why: String,
    },
    /// Proof that the credentials are no longer good (401): the account becomes inactive.
    #[error("{why}")]
    Reauthorise {
        /// What happened and what the user should do.
        why: String,
    },
    /// The sync token was refused. With a token: ask once with an empty one and compare everything
    /// with the mirror. Without: this server cannot sync; list the entity tags instead.
    #[error("{why}")]
    TokenRefused {
        /// What happened.
        why: String,
    },
    /// What was asked for is not there (404, 410). Confirm a calendar's end by a probe.
    #[error("{why}")]
    Gone {
        /// What happened.
        why: String,
    },
    /// What is there is not what we thought (409, 412): read it again, then decide. Of writes only.
    #[error("{why}")]
    Conflict {
        /// What happened.
        why: String,
    },
    /// What was to be written is not acceptable (400, 422). Of writes only.
    #[error("{why}")]
    Invalid {
        /// What is wrong with it.
        why: String,
    },
    /// This object or calendar is not ours to do that with (a lasting 403); others may be.
    #[error("{why}")]
    Forbidden {
        /// What is missing and what to do.
        why: String,
    },
    /// It will not get better by asking again: wrong address, not a calendar server, no permission.
    #[error("{why}")]
    Permanent {
        /// What happened and what to do.
        why: String,
    },
}

impl ProviderError {
    /// A [`ProviderError::Retry`] without a wish of the server.
    pub fn retry(why: impl Into<String>) -> Self {
        Self::Retry { after_ms: None, why: why.into() }
    }

    /// What happened, without the reaction.
    pub fn why(&self) -> &str {
        match self {
            Self::Retry { why, .. }
            | Self::Reauthorise { why }
            | Self::TokenRefused { why }
            | Self::Gone { why }
            | Self::Conflict { why }
            | Self::Invalid { why }
            | Self::Forbidden { why }
            | Self::Permanent { why } => why,
        }
    }

    /// A [`ProviderError::Permanent`].
    pub fn permanent(why: impl Into<String>) -> Self {
        Self::Permanent { why: why.into() }
    }
}
