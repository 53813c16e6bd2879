//! Limits of the console and the portal.

/// Longest form that a browser posts to us, bytes: a pasted body of 256 KiB, escaped, has room.
pub const CONSOLE_FORM_BYTES_MAX: usize = 1024 * 1024;
/// Live streams of all operators' browsers together.
pub const CONSOLE_STREAMS_MAX: usize = 64;
/// Live streams of all end users' browsers together.
pub const PORTAL_STREAMS_MAX: usize = 64;
/// A live stream looks for news no more often than this, ms.
pub const CONSOLE_LOOK_MS: u64 = 500;
/// A live stream looks also without having heard of a commit after this time, ms: another node may have
/// committed.
pub const CONSOLE_LOOK_ANYWAY_MS: u64 = 2_000;
/// A live stream says something at least this often, ms, so that nobody between takes it for dead.
pub const CONSOLE_HEARTBEAT_MS: u64 = 15_000;
/// A live stream ends after this time, ms; the browser opens it again, which checks the session.
pub const CONSOLE_STREAM_MS: u64 = 5 * 60 * 1000;
/// Items on a page of a list.
pub const CONSOLE_PAGE: u32 = 50;
/// Longest path that a sign-in leads back to, bytes.
pub const CONSOLE_NEXT_BYTES_MAX: usize = 1_024;
/// A choice of the theme is kept by the browser for this long, seconds (a year).
pub const CONSOLE_THEME_S: u32 = 365 * 24 * 3600;
/// A hashed asset is kept by browsers for this long, seconds (a year).
pub const CONSOLE_ASSET_S: u32 = 365 * 24 * 3600;
/// Browsers remember for this long that only https leads here, seconds (two years).
pub const CONSOLE_HSTS_S: u32 = 2 * 365 * 24 * 3600;
/// A notice that no page showed is forgotten after this time, seconds.
pub const CONSOLE_NOTICE_S: u32 = 60;
/// Longer documents are shown as they are, and none is indented beyond twice this, bytes.
pub const CONSOLE_INDENTED_BYTES_MAX: usize = 512 * 1024;
