//! Limits of what the dialects keep: records, tokens, people.

/// Most records on a page.
pub const RECORD_PAGE_MAX: u32 = 5_000;
/// Bodies of records on a page, bytes; the record that reaches it is the last one.
pub const RECORD_PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bodies of records written together, bytes: what 100 of the largest have.
pub const RECORD_WRITES_BYTES_MAX: usize = 100 * RECORD_BYTES_MAX;
/// Most records written together, seen at once.
pub const RECORD_WRITES_MAX: usize = 500;
/// Records in one commit of a bulk job; the writer is shared.
pub const RECORD_COMMIT_ROWS: usize = 500;
/// Bytes, about, in one commit of a bulk job.
pub const RECORD_COMMIT_BYTES: usize = 1024 * 1024;
/// Longest key of a record or name of a collection of records, bytes.
pub const RECORD_KEY_BYTES_MAX: usize = 512;
/// Longest line of a bulk load of records, bytes: the largest record and what is around it.
pub const RECORD_LINE_BYTES_MAX: usize = RECORD_BYTES_MAX + 4_096;
/// Largest record, bytes.
pub const RECORD_BYTES_MAX: usize = 262_144;
/// Largest details of a record account, bytes.
pub const RECORD_DETAILS_BYTES_MAX: usize = 16_384;
/// Changes that one write to a record account announces at most.
pub const RECORD_ANNOUNCEMENTS_MAX: usize = 100;

/// Records that one list call of the Sync dialect looks at.
pub const SYNC_SCAN_MAX: u64 = 100_000;
/// Ordinals among which the store itself finds what one such call looks at, by time.
pub const SYNC_ORDINALS_MAX: u64 = 2_000_000;
/// Records that a time finds by the store's index for one such call; where more match, it goes by ordinal.
pub const SYNC_INDEXED_MAX: u32 = 500;
/// By how much the clock may have been set back between a pull of Sync and the data that it brought, ms.
pub const SYNC_CLOCK_SLACK_MS: i64 = 10 * 60_000;
/// Records that the Sync dialect reads at a time, and holds in memory together.
pub const SYNC_STEP: u32 = 250;
/// Bytes of records that one call of the Sync dialect reads: a page of the largest ones, and more.
pub const SYNC_READ_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024;
/// Bytes of items that one answer of the Sync dialect shows.
pub const SYNC_ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Values that a list in a parameter of the Sync dialect has, ids to look up among them.
pub const SYNC_VALUES_MAX: usize = 1_000;
/// Users that a list call of the Sync dialect passes over.
pub const SYNC_USERS_SKIPPED_MAX: u64 = 100_000;
/// Characters of the id of a job that an application makes up itself.
pub const SYNC_ID_JOB_CHARS_MAX: usize = 64;
/// Failed notifications in a row after which a webhook of Sync is disabled; the documented sample has this many.
pub const SYNC_FAILURES_MAX: u64 = 1_001;
/// Credentials that one list call of the Sync dialect reads from when it names none.
pub const SYNC_CREDENTIALS_MAX: usize = 1_000;
/// Jobs and document events that a credential of the Sync dialect remembers, each.
pub const SYNC_JOBS_KEPT: usize = 20;
/// Items on a page that a Sync payload points to; the documented 5,000.
pub const SYNC_PAGE: u64 = 5_000;
/// Documents on a page that a Sync payload points to; the documented 1,000.
pub const SYNC_DOCUMENTS_PAGE: u64 = 1_000;

/// Codes that browsers without a key have traded for accounts at the same time; more are told to come back.
pub const PUBLIC_EXCHANGES_AT_ONCE: usize = 4;

/// Largest scheduled event that more dates, places, invitees, votes or messages are added to, bytes of JSON: what
/// is left of its record is for confirming and cancelling it.
pub const SCHEDULING_EVENT_BYTES_MAX: usize = RECORD_BYTES_MAX - 1_024;
/// Dates proposed for one scheduled event.
pub const SCHEDULING_DATES_MAX: usize = 100;
/// Places proposed for one scheduled event.
pub const SCHEDULING_PLACES_MAX: usize = 50;
/// Messages that a scheduled event is created with.
pub const SCHEDULING_MESSAGES_MAX: usize = 20;
/// Groups that a scheduled event belongs to.
pub const SCHEDULING_GROUPS_MAX: usize = 50;
/// Scheduled events in one list.
pub const SCHEDULING_EVENTS_LISTED_MAX: usize = 1_000;
/// Scheduled events looked at for one list, newest first.
pub const SCHEDULING_EVENTS_READ_MAX: usize = 5_000;
/// Largest compiled pattern of a search for titles, bytes.
pub const SCHEDULING_PATTERN_SIZE_MAX: usize = 256 * 1024;
/// Tries to write a document that others write at the same time.
pub const SCHEDULING_TRIES_MAX: usize = 64;
/// Users in one list.
pub const SCHEDULING_USERS_LISTED_MAX: usize = 5_000;
/// Users created or changed by one request.
pub const SCHEDULING_USERS_BATCH_MAX: usize = 100;

/// A session of a dialect ends when it was not used for this time, ms.
pub const SESSION_IDLE_MS: i64 = 5 * 60_000;
/// That a session was used is written down at most this often, ms.
pub const SESSION_WRITTEN_EVERY_MS: i64 = 30_000;
/// Codes, refresh tokens and sessions that ended are kept this long, so that their reuse is noticed, ms.
pub const ENDED_TOKENS_KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// Tokens that one commit ends, of a user or of whatever made them.
pub const GRANTS_ENDED_AT_ONCE: usize = 1_000;
/// Hooks that one commit deletes with their user or token.
pub const HOOKS_ENDED_AT_ONCE: usize = 50;
/// Longest token that a client sends or chooses, bytes.
pub const TOKEN_BYTES_MAX: usize = 4_096;
/// Shortest token that a client may choose, bytes.
pub const TOKEN_BYTES_MIN: usize = 4;
/// Tokens that one listing shows.
pub const TOKENS_LISTED_MAX: usize = 10_000;
/// Largest JSON object that a dialect keeps with a token, user or account, bytes.
pub const DETAILS_BYTES_MAX: usize = 16 * 1024;
/// Most addresses that an app lets people be sent back to.
pub const APP_REDIRECT_URIS_MAX: usize = 32;
/// Shortest password that a person may choose, characters.
pub const PASSWORD_CHARS_MIN: usize = 6;
/// Memory of argon2id for one password, KiB (OWASP Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane).
pub const PASSWORD_MEMORY_KIB: u32 = 19 * 1024;
/// Passes of argon2id over that memory.
pub const PASSWORD_PASSES: u32 = 2;
/// Lanes of argon2id.
pub const PASSWORD_LANES: u32 = 1;
/// Passwords hashed at the same time; each holds a thread and [`PASSWORD_MEMORY_KIB`].
pub const PASSWORDS_AT_ONCE: usize = 2;
/// Requests that may wait to have a password hashed; more are told to come back.
pub const PASSWORDS_WAITING_MAX: usize = 64;
/// Wrong passwords for one name that are answered at once.
pub const PASSWORD_FAILURES_FREE: u32 = 4;
/// The wait after one more wrong password, ms; it doubles with each.
pub const PASSWORD_WAIT_MS: i64 = 1_000;
/// The longest such wait, ms.
pub const PASSWORD_WAIT_MAX_MS: i64 = 5 * 60_000;
/// Names whose wrong passwords are remembered.
pub const PASSWORD_NAMES_MAX: usize = 10_000;
/// Shortest name of a person, characters.
pub const USERNAME_CHARS_MIN: usize = 5;
/// Longest name of a person, characters.
pub const USERNAME_CHARS_MAX: usize = 60;

/// How long an authorization code of Connect works, ms (documented).
pub const CONNECT_CODE_MS: i64 = 10 * 60 * 1000;
/// How long an access token of Connect works, ms (documented).
pub const CONNECT_ACCESS_MS: i64 = 60 * 60 * 1000;
/// How long a refresh token of Connect is known after it was used, ms.
pub const CONNECT_REFRESH_USED_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// How long a person may take to connect accounts, ms (documented as the age of the cookie).
pub const CONNECT_AUTHORIZATION_MS: i64 = 2 * 60 * 60 * 1000;
/// Longest `state` of an authorization, bytes: it travels in a cookie.
pub const CONNECT_STATE_BYTES_MAX: usize = 1_024;
/// Accounts connected in one authorization.
pub const CONNECT_AUTHORIZATION_ACCOUNTS_MAX: usize = 10;

/// Most events in one answer of Pryv's `events.get`; asking for more is refused.
pub const PRYV_EVENTS_MAX: u32 = 10_000;
/// Calls in one batch of Pryv, at most; the vendor's client sends up to 1,000.
pub const PRYV_BATCH_CALLS_MAX: usize = 1_000;
/// Calendars that leave Connect's automatic subscription of one app, at most.
pub const CONNECT_LEFT_MAX: usize = 5_000;
/// Bytes of the events in one answer of Pryv, and of the answers to one batch; more are refused.
pub const PRYV_ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Shortest `minIntervalMs` of Pryv webhooks that an operator may set, ms.
pub const PRYV_INTERVAL_MS_MIN: u64 = 100;
/// Longest such interval, ms.
pub const PRYV_INTERVAL_MS_MAX: u64 = 30 * 60 * 1000;
/// Most tries again (`maxRetries`) that an operator may set for Pryv webhooks.
pub const PRYV_RETRIES_MAX: u32 = 20;
/// Streams of one Pryv account, at most.
pub const PRYV_STREAMS_MAX: usize = 5_000;
/// Streams from one at the root to the deepest below it, both counted, at most: in a batch's answer that is JSON
/// 124 levels deep, and many readers stop at 128.
pub const PRYV_STREAM_DEPTH_MAX: usize = 60;
/// Shortest time that an access to a Pryv account is made for, ms.
pub const PRYV_ACCESS_MS_MIN: i64 = 1_000;
/// Events on a page of Connect's `GET /events` (documented); who asks for more gets these.
pub const CONNECT_EVENTS_MAX: usize = 1_000;
/// Longest `nextPageToken` of Connect that is looked at, bytes.
pub const CONNECT_PAGE_TOKEN_BYTES_MAX: usize = 16_384;
/// Least time between two calls of a Pryv webhook, ms, unless the platform says otherwise.
pub const PRYV_INTERVAL_MS: u64 = 5_000;
/// How often a failed call of a Pryv webhook is tried again before it becomes inactive, unless the platform
/// says otherwise.
pub const PRYV_RETRIES: u32 = 5;
