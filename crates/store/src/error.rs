//! The store's one error.

use std::fmt;

/// Why a store call failed. Opaque; ask it with the `is_…` predicates.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotFound(&'static str),
    Conflict(&'static str),
    Stale { current: Option<u64> },
    KeyReused,
    Gone { oldest: u64 },
    Busy,
    Full,
    Unavailable,
    Schema,
    Corrupt(&'static str),
    Failed,
}

impl Error {
    /// The named thing does not exist.
    pub fn not_found(what: &'static str) -> Self {
        Self { kind: Kind::NotFound(what), source: None }
    }

    /// The write contradicts what is stored.
    pub fn conflict(why: &'static str) -> Self {
        Self { kind: Kind::Conflict(why), source: None }
    }

    pub(crate) fn stale_at(current: Option<u64>) -> Self {
        Self { kind: Kind::Stale { current }, source: None }
    }

    pub(crate) fn key_reused() -> Self {
        Self { kind: Kind::KeyReused, source: None }
    }

    /// The journal no longer holds what was asked for; `oldest` is the first `seq` it holds.
    pub fn gone(oldest: u64) -> Self {
        Self { kind: Kind::Gone { oldest }, source: None }
    }

    pub(crate) fn full() -> Self {
        Self { kind: Kind::Full, source: None }
    }

    pub(crate) fn busy() -> Self {
        Self { kind: Kind::Busy, source: None }
    }

    pub(crate) fn unavailable() -> Self {
        Self { kind: Kind::Unavailable, source: None }
    }

    pub(crate) fn corrupt(what: &'static str) -> Self {
        Self { kind: Kind::Corrupt(what), source: None }
    }

    pub(crate) fn failed() -> Self {
        Self { kind: Kind::Failed, source: None }
    }

    pub(crate) fn schema(why: impl Into<String>) -> Self {
        Self { kind: Kind::Schema, source: Some(why.into().into()) }
    }

    pub(crate) fn directory(error: std::io::Error) -> Self {
        Self { kind: Kind::Unavailable, source: Some(Box::new(error)) }
    }

    /// Whether the named thing does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, Kind::NotFound(_))
    }

    /// What does not exist: `hook`, `account`, …
    pub fn not_found_what(&self) -> Option<&'static str> {
        if let Kind::NotFound(what) = self.kind { Some(what) } else { None }
    }

    /// Whether the write contradicts what is stored.
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind, Kind::Conflict(_))
    }

    /// The version that a record has, when the write expected another one; the inner one is absent when
    /// there is no such record.
    pub fn stale(&self) -> Option<Option<u64>> {
        if let Kind::Stale { current } = self.kind { Some(current) } else { None }
    }

    /// Whether an idempotency key was used for another request before.
    pub fn is_key_reused(&self) -> bool {
        self.kind == Kind::KeyReused
    }

    /// The first `seq` that the journal holds, when the one asked for is older.
    pub fn gone_oldest(&self) -> Option<u64> {
        if let Kind::Gone { oldest } = self.kind { Some(oldest) } else { None }
    }

    /// Whether the writer has too much to do; trying again later helps.
    pub fn is_busy(&self) -> bool {
        self.kind == Kind::Busy
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        self.kind == Kind::Full
    }

    /// Whether the store cannot be used at the moment.
    pub fn is_unavailable(&self) -> bool {
        self.kind == Kind::Unavailable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::NotFound(what) => write!(f, "{what} not found"),
            Kind::Conflict(why) => f.write_str(why),
            Kind::Stale { .. } => f.write_str("record was changed meanwhile; read it again"),
            Kind::KeyReused => f.write_str("idempotency key was used for another request"),
            Kind::Gone { oldest } => write!(f, "no longer kept; the oldest seq is {oldest}"),
            Kind::Busy => f.write_str("store is busy; try again in a moment"),
            Kind::Full => f.write_str("disk is full; free some space"),
            Kind::Unavailable => f.write_str("store is unavailable"),
            Kind::Schema => match &self.source {
                Some(why) => why.fmt(f),
                None => f.write_str("store has an unexpected schema"),
            },
            Kind::Corrupt(what) => write!(f, "stored {what} cannot be read"),
            Kind::Failed => f.write_str("store call failed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // What is wrong with the schema is the message itself.
        let source = self.source.as_deref().filter(|_| self.kind != Kind::Schema);
        source.map(|source| source as _)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => {
                Kind::Conflict("already exists or still in use")
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Kind::Busy,
            Some(ErrorCode::DiskFull) => Kind::Full,
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
                Kind::Unavailable
            }
            _ => Kind::Failed,
        };
        Self { kind, source: Some(Box::new(error)) }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            let kind = if is_connection_lost(&error) { Kind::Unavailable } else { Kind::Failed };
            return Self { kind, source: Some(Box::new(error)) };
        };
        let code = answer.code().code();
        // Its detail and hint are left out: they may quote the row, with what is in it.
        let source = Some(format!("{} ({code})", answer.message()).into());
        Self { kind: kind_of_sqlstate(code), source }
    }
}

/// What a class or code of PostgreSQL's "Appendix A. Error Codes" means to us.
fn kind_of_sqlstate(code: &str) -> Kind {
    match (code.get(..2).unwrap_or_default(), code) {
        ("23", _) => Kind::Conflict("already exists or still in use"),
        // Serialization failure, deadlock; lock timeout; statement timeout.
        ("40", _) | (_, "55P03" | "57014") => Kind::Busy,
        (_, "53100") => Kind::Full,
        // Connection lost, too many connections, shutting down, cut off while idle; a read-only standby.
        ("08" | "53" | "57", _) | (_, "25P03" | "25006") => Kind::Unavailable,
        _ => Kind::Failed,
    }
}

/// Whether the server was not reached, or no longer; else the statement and we do not fit each other.
fn is_connection_lost(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error);
    error.is_closed() || matches!(cause, Some(cause) if cause.is::<std::io::Error>())
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self { kind: Kind::Corrupt("JSON"), source: Some(Box::new(error)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_postgresql_says_what_helps() {
        for (code, expected) in [
            ("23505", Kind::Conflict("already exists or still in use")),
            ("40001", Kind::Busy),
            ("40P01", Kind::Busy),
            ("55P03", Kind::Busy),
            ("57014", Kind::Busy),
            ("53100", Kind::Full),
            ("53300", Kind::Unavailable),
            ("57P01", Kind::Unavailable),
            ("08006", Kind::Unavailable),
            ("25006", Kind::Unavailable),
            ("42601", Kind::Failed),
            ("", Kind::Failed),
        ] {
            assert_eq!(kind_of_sqlstate(code), expected, "{code}");
        }
    }
}
