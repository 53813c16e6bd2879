//! Limits of operators, their sessions and the portal.

/// Operators of an installation.
pub const OPERATORS_MAX: usize = 500;
/// Longest e-mail address of an operator, bytes (RFC 5321, section 4.5.3.1.3).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Shortest password of an operator, bytes (ASVS 6.2.1).
pub const OPERATOR_PASSWORD_BYTES_MIN: usize = 8;
/// An operator's session ends when it was not used for this time, ms.
pub const OPERATOR_IDLE_MS: i64 = 30 * 60_000;
/// An operator's session ends after this time whatever its use, ms.
pub const OPERATOR_SESSION_MS: i64 = 12 * 3_600_000;
/// That an operator's session was used is written down at most this often, ms.
pub const OPERATOR_WRITTEN_EVERY_MS: i64 = 60_000;
/// Sessions of one operator at the same time; the oldest one ends when one more begins.
pub const OPERATOR_SESSIONS_MAX: usize = 20;
/// What needs the password to be given anew needs it not longer ago than this, ms.
pub const OPERATOR_AUTHENTICATED_MS: i64 = 10 * 60_000;
/// How long the link that makes the first operator works, ms.
pub const SETUP_LINK_MS: i64 = 24 * 3_600_000;
/// Longest name that a browser may give itself in the list of sessions, bytes; the rest is cut off.
pub const AGENT_BYTES_MAX: usize = 256;
/// Sign-ins that one address may fail in [`SIGN_IN_SPAN_MS`].
pub const SIGN_IN_FAILURES_MAX: u32 = 10;
/// The span for [`SIGN_IN_FAILURES_MAX`], ms.
pub const SIGN_IN_SPAN_MS: i64 = 60_000;
/// Addresses whose failed sign-ins are remembered.
pub const SIGN_IN_ADDRESSES_MAX: usize = 10_000;
/// Life of a portal link when the request does not say, seconds.
pub const PORTAL_S_DEFAULT: u32 = 3_600;
/// Shortest life of a portal link, seconds.
pub const PORTAL_S_MIN: u32 = 60;
/// Longest life of a portal link, seconds.
pub const PORTAL_S_MAX: u32 = 86_400;
/// Hooks that an end user may have when they create one through the portal.
pub const PORTAL_HOOKS_MAX: usize = 20;
/// Lines of the audit log that one reading of a verification takes.
pub const AUDIT_READ_MAX: u32 = 1_000;
