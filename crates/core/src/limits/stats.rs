//! Limits of what the console counts and searches.

/// Counts of attempts are written at least this often, ms; a crash loses what is newer from the charts.
pub const STATS_FLUSH_MS: i64 = 10_000;
/// How long counts of attempts are kept, ms.
pub const STATS_KEPT_MS: i64 = 8 * 86_400_000;
/// Minutes of counts written, or removed, in one commit.
pub const STATS_COMMIT_ROWS: usize = 500;
/// Hooks, accounts and deliveries that an overview names, of each at most.
pub const OVERVIEW_NAMED_MAX: u32 = 10;

/// Changes that one search of the journal looks at.
pub const SEARCH_CHANGES_MAX: usize = 10_000;
/// Bytes of data that one search of the journal looks at; the change that reaches it is the last one.
pub const SEARCH_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest text that is searched for, bytes.
pub const SEARCH_TEXT_BYTES_MAX: usize = 256;
