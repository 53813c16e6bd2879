//! Every limit of Tidings, named, with its unit, in one place.

mod client;
mod console;
mod dialects;
mod metrics;
mod operators;
mod stats;

pub use client::*;
pub use console::*;
pub use dialects::*;
pub use metrics::*;
pub use operators::*;
pub use stats::*;

/// Longest body of a request to us, bytes.
pub const REQUEST_BODY_BYTES_MAX: usize = 262_144;
/// Deepest nesting of a JSON document that we accept.
pub const JSON_DEPTH_MAX: usize = 64;
/// Most request headers, and all their bytes together.
pub const REQUEST_HEADERS_MAX: usize = 100;
/// Most bytes of request line and headers together.
pub const REQUEST_HEADER_BYTES_MAX: usize = 16_384;
/// Longest path and query string of a request, bytes.
pub const REQUEST_TARGET_BYTES_MAX: usize = 8_192;
/// Longest target of a request (path and query), bytes.
pub const REQUEST_LINE_BYTES_MAX: usize = 8_192;
/// A connection must have sent its request headers after this time, ms.
pub const REQUEST_HEADER_DEADLINE_MS: u64 = 10_000;
/// A request body must have arrived after this time, ms; of a bulk load, each [`REQUEST_BODY_BYTES_MAX`] of it.
pub const REQUEST_BODY_DEADLINE_MS: u64 = 15_000;
/// A kept-alive connection without a request is closed after this time, ms.
pub const CONNECTION_IDLE_MS: u64 = 75_000;
/// A connection whose client takes nothing of an answer for this time is closed, ms.
pub const RESPONSE_STALL_MS: u64 = 15_000;
/// Requests in progress at shutdown may take this long, ms.
pub const SHUTDOWN_DRAIN_MS: u64 = 30_000;
/// Most connections the listener holds open.
pub const CONNECTIONS_MAX: usize = 4_096;

/// Longest URL that we are given, bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// Most addresses of a name that we look at.
pub const DNS_ANSWERS_MAX: usize = 16;
/// Budget of one name look-up, ms.
pub const DNS_BUDGET_MS: u64 = 5_000;
/// Budget of connecting, including the TLS handshake, ms.
pub const CONNECT_DEADLINE_MS: u64 = 5_000;
/// Total budget of one delivery attempt, response body included, ms.
pub const DELIVERY_DEADLINE_MS: u64 = 15_000;
/// The least that a hook may ask for, ms.
pub const DELIVERY_DEADLINE_MIN_MS: u64 = 1_000;
/// Response bytes that we read from a receiver.
pub const RESPONSE_READ_BYTES_MAX: usize = 65_536;
/// Response body bytes that we store.
pub const RESPONSE_STORE_BYTES_MAX: usize = 16_384;
/// Response header bytes that we accept.
pub const RESPONSE_HEADER_BYTES_MAX: usize = 65_536;
/// An idle connection to a receiver is kept this long, ms; then its address is vetted anew.
pub const RECEIVER_IDLE_MS: u64 = 60_000;
/// Idle connections kept for one receiver.
pub const RECEIVER_IDLE_CONNECTIONS_MAX: usize = 512;
/// Idle connections kept for all receivers together.
pub const IDLE_CONNECTIONS_MAX: usize = 1_024;
/// Response headers that we accept.
pub const RESPONSE_HEADERS_MAX: usize = 100;
/// The answer to a name look-up is used again this long, ms.
pub const DNS_REUSE_MS: u64 = 5_000;
/// Names whose look-ups are remembered.
pub const DNS_NAMES_MAX: usize = 4_096;
/// Name look-ups at the same time; each holds a thread.
pub const DNS_LOOKUPS_MAX: usize = 128;

/// Largest answer of a calendar server, bytes.
pub const PROVIDER_RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Meetings on one page of Zoom's listing; more is refused there.
pub const ZOOM_PAGE: u32 = 300;
/// A push of Zoom that was signed longer ago than this, or as far in the future, is refused, ms.
pub const ZOOM_PUSH_AGE_MAX_MS: u64 = 300_000;
/// Most occurrences of one series at Zoom.
pub const ZOOM_SERIES_TIMES_MAX: u32 = 60;
/// Longest meeting that Zoom takes, minutes (24 h).
pub const ZOOM_MEETING_MAX_MIN: i64 = 1_440;
/// Total budget of one request to a calendar server, ms.
pub const PROVIDER_DEADLINE_MS: u64 = 30_000;
/// Most XML nodes in one answer of a calendar server.
pub const PROVIDER_XML_NODES_MAX: u32 = 2_000_000;
/// Largest single iCalendar object, bytes.
pub const PROVIDER_ITEM_BYTES_MAX: usize = 1024 * 1024;
/// Items in one CalDAV resource: a master and its exceptions.
pub const RESOURCE_ITEMS_MAX: usize = 5_000;
/// Observances (changes of clock) evaluated in the time zones that one object defines itself.
pub const ICALENDAR_OBSERVANCES_MAX: usize = 50;
/// Objects asked for in one `calendar-multiget`.
pub const CALDAV_MULTIGET_CHUNK: usize = 50;
/// Objects that we ask Microsoft Graph for in one page.
pub const GRAPH_PAGE_ITEMS: usize = 50;
/// How far back a Microsoft calendar is mirrored, days.
pub const GRAPH_WINDOW_PAST_DAYS: i64 = 31;
/// How far ahead a Microsoft calendar is mirrored, days.
pub const GRAPH_WINDOW_FUTURE_DAYS: i64 = 400;
/// A window that reaches less far ahead than this is rolled, days.
pub const GRAPH_WINDOW_LEFT_MIN_DAYS: i64 = 365;
/// Series of one Microsoft calendar that are compared in one look, without a hint which has changed.
pub const GRAPH_SERIES_COMPARED_MAX: usize = 25;
/// How far around a moment an occurrence of a series is searched for that begins at it, ms.
pub const GRAPH_INSTANCE_REACH_MS: i64 = 36 * 3_600_000;
/// A push of Microsoft Graph may come before its delta shows the change: for so long after one an empty
/// delta is not believed, ms.
pub const GRAPH_REPLICATION_MS: i64 = 10_000;
/// Until then the delta is asked again after this, ms.
pub const GRAPH_REPLICATION_AGAIN_MS: i64 = 3_000;
/// How long a Graph subscription is asked for, ms: Outlook's 7 days less an hour.
pub const GRAPH_SUBSCRIPTION_MS: i64 = (7 * 24 - 1) * 3_600_000;
/// The same where Outlook allows the older 4,230 minutes only, ms.
pub const GRAPH_SUBSCRIPTION_SHORT_MS: i64 = 4_230 * 60_000;
/// Notifications read from one push of Microsoft Graph; what is beyond is found by polling.
pub const GRAPH_PUSH_ITEMS_MAX: usize = 1_000;
/// Longest validation token that is sent back to Microsoft Graph, bytes.
pub const GRAPH_VALIDATION_BYTES_MAX: usize = 4_096;
/// Redirects followed while discovering a CalDAV server.
pub const CALDAV_REDIRECTS_MAX: usize = 5;
/// Calendars of one account that are watched.
pub const ACCOUNT_COLLECTIONS_MAX: usize = 1_000;
/// Longest title, location or name in an event written through us, bytes.
pub const EVENT_TITLE_BYTES_MAX: usize = 1_024;
/// Longest description of an event written through us, bytes (Google's own limit).
pub const EVENT_TEXT_BYTES_MAX: usize = 8_192;
/// Most attendees of an event written through us.
pub const EVENT_ATTENDEES_MAX: usize = 200;
/// Most custom properties of an event written through us.
pub const EVENT_PROPERTIES_MAX: usize = 50;
/// Longest name of a custom property, bytes (Google's own limit).
pub const EVENT_PROPERTY_NAME_BYTES_MAX: usize = 44;
/// Longest value of a custom property, bytes (Google's own limit).
pub const EVENT_PROPERTY_BYTES_MAX: usize = 1_024;
/// Longest recurrence rule, bytes.
pub const RECURRENCE_BYTES_MAX: usize = 1_000;
/// Most events that Google puts on a page.
pub const GOOGLE_PAGE_EVENTS_MAX: u16 = 2_500;
/// Longest header of a push of Google's that is looked at, bytes (Google's own limit of a token).
pub const GOOGLE_PUSH_HEADER_BYTES_MAX: usize = 256;
/// Occurrences of one series that are computed at most.
pub const OCCURRENCES_MAX: usize = 10_000;
/// Items of one calendar that are mirrored.
pub const COLLECTION_ITEMS_MAX: usize = 100_000;
/// Accounts that are looked at at the same time.
pub const SYNC_PASSES_MAX: usize = 16;
/// Total budget of one pass over an account, ms; what is left is done by the next one.
pub const SYNC_PASS_DEADLINE_MS: u64 = 300_000;
/// Pages of one `sync-collection` answer that are followed.
pub const SYNC_PAGES_MAX: usize = 1_000;
/// Calendars of one account that may fail in a pass before the rest is left to the next one.
pub const SYNC_TROUBLE_MAX: usize = 3;
/// Rows, about, in one commit of the sync; the writer is shared.
pub const SYNC_COMMIT_ROWS: usize = 600;
/// Bytes, about, in one commit of the sync.
pub const SYNC_COMMIT_BYTES: usize = 2 * 1024 * 1024;
/// An OAuth flow must come back within this time, ms.
pub const OAUTH_STATE_TTL_MS: i64 = 10 * 60_000;
/// A version that our own write replaced is remembered this long, ms: a stale delta may still show it.
pub const SUPERSEDED_TTL_MS: i64 = 10 * 60_000;
/// A subscription that is being registered and not answered for is looked at again after this time, ms.
pub const SUBSCRIPTION_ANSWER_MS: i64 = 60_000;
/// Subscriptions that have ended are kept to be looked at for this long, ms (7 days).
pub const SUBSCRIPTION_ENDED_KEPT_MS: i64 = 7 * 24 * 3600 * 1000;
/// A subscription that ends within this time does not count as working, ms.
pub const SUBSCRIPTION_EXPIRY_MARGIN_MS: i64 = 10 * 60_000;
/// A subscription that was not heard of for this long does not count as working, ms (one day).
pub const SUBSCRIPTION_SILENCE_MS: i64 = 24 * 3600 * 1000;
/// A subscription this young may be unheard of, ms (one hour).
pub const SUBSCRIPTION_NEW_MS: i64 = 3_600_000;
/// How long a channel of Google's is asked for, ms (7 days).
pub const GOOGLE_CHANNEL_MS: i64 = 7 * 24 * 3_600_000;
/// A write waits no longer for its calendar, which is read or written to by another, ms.
pub const ERRAND_TURN_MS: u64 = 10_000;
/// Errands that run at the same time.
pub const ERRANDS_AT_ONCE: usize = 16;
/// Calls of hooks beside their deliveries that run at the same time, at most one for each app.
pub const ERRAND_CALLS_AT_ONCE: usize = 8;
/// Subscriptions that are made, renewed or stopped in one step.
pub const SUBSCRIPTIONS_STEP: usize = 32;
/// How many of them at the same time.
pub const SUBSCRIPTIONS_AT_ONCE: usize = 8;
/// Steps begin at least this far apart, ms.
pub const SUBSCRIPTIONS_TICK_MS: u64 = 1_000;
/// The first pause after a subscription failed, ms; each is twice as long as the one before.
pub const SUBSCRIPTION_RETRY_MS: i64 = 60_000;
/// The longest such pause, ms (6 hours).
pub const SUBSCRIPTION_RETRY_MAX_MS: i64 = 6 * 3_600_000;
/// What the provider refuses to push, or our configuration does not let it, is tried again after this time,
/// ms (one hour).
pub const SUBSCRIPTION_REFUSED_MS: i64 = 3_600_000;
/// What the provider cannot push is tried again after this time, ms (7 days).
pub const SUBSCRIPTION_UNSUPPORTED_MS: i64 = 7 * 24 * 3_600_000;
/// Rows that one sweep of each kind removes.
pub const SWEEP_ROWS: usize = 400;
/// Items of a pull that are compared with the mirror in one go.
pub const SYNC_APPLY_CHUNK: usize = 200;
/// How often a refused refresh token is looked for a newer one that somebody else stored.
pub const CREDENTIAL_ADOPT_TRIES: u32 = 4;
/// The pause between two such looks, ms.
pub const CREDENTIAL_ADOPT_PAUSE_MS: u64 = 250;
/// How often the store is asked to take a refreshed credential before the pass fails.
pub const CREDENTIAL_STORE_TRIES: u32 = 6;
/// The first pause between two such tries, ms; each is twice as long as the one before.
pub const CREDENTIAL_STORE_PAUSE_MS: u64 = 50;
/// The sync looks for due accounts at least this often, ms.
pub const SYNC_LOOK_MS: u64 = 30_000;

/// Deliveries in flight in the whole process.
pub const IN_FLIGHT_MAX: usize = 1_024;
/// Deliveries in flight of one hook when it does not say, counted until their settle is durable.
pub const HOOK_CONCURRENCY_DEFAULT: u32 = 16;
/// The most that a hook may ask for.
pub const HOOK_CONCURRENCY_MAX: u32 = 256;
/// Changes in one request of a coalescing hook, when it does not say and at most.
pub const BATCH_CHANGES_MAX: u32 = 100;
/// Bytes of data in one request of a coalescing hook, when it does not say and at most.
pub const BATCH_BYTES_MAX: u64 = 1024 * 1024;
/// The longest delay, window, wait or interval of a coalescing hook, ms (one day).
pub const COALESCE_WAIT_MAX_MS: u64 = 24 * 3600 * 1000;
/// A hook with nothing but failures for this long is disabled when it does not say, ms (5 days).
pub const HOOK_FAILING_MS_DEFAULT: i64 = 5 * 24 * 3600 * 1000;
/// Deliveries of an ordered hook that wait behind their keys; beyond, its cursor stands still.
pub const HOOK_BLOCKED_MAX: usize = 10_000;
/// Deliveries in flight of one app.
pub const APP_IN_FLIGHT_MAX: usize = 512;
/// Changes that a lane works within; what is unsettled beyond is parked.
pub const LANE_SPAN: u64 = 1_024;
/// Matched changes that a lane keeps in memory before it falls behind.
pub const LANE_WAITING_MAX: usize = 128;
/// The same for the lane of a coalescing hook, whose open windows are made of them.
pub const LANE_COALESCING_MAX: usize = 1_024;
/// Bytes of data of the changes that a lane keeps in memory; one change is always kept.
pub const LANE_WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest range of the journal that one delivery of a coalescing hook stands for, changes: a retry
/// reads it again.
pub const GROUP_SPAN: u64 = 16_384;
/// The highest count of a rate.
pub const RATE_COUNT_MAX: u32 = 100_000;
/// Longest JSON pointer, bytes.
pub const POINTER_BYTES_MAX: usize = 256;
/// The shortest time of nothing but failures after which a hook may ask to be disabled, ms.
pub const HOOK_FAILING_MS_MIN: i64 = 60_000;
/// The longest time of nothing but failures after which a hook may ask to be disabled, ms (30 days).
pub const HOOK_FAILING_MS_MAX: i64 = 30 * 24 * 3600 * 1000;
/// The highest number of failures in a row after which a hook may ask to be disabled.
pub const HOOK_FAILURES_MAX: u64 = 1_000_000;
/// Types remembered for an app by the matcher: publishers that invent a new type each time must not
/// fill the memory.
pub const APP_TYPES_REMEMBERED_MAX: usize = 10_000;
/// Changes read from the journal in one go.
pub const JOURNAL_PAGE: usize = 512;
/// Bodies of changes read from the journal in one go, bytes; one change is always read.
pub const JOURNAL_PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Rows in one commit.
pub const COMMIT_ROWS_MAX: usize = 2_000;
/// Jobs that may wait for the writer; beyond, callers are told to come back.
pub const WRITER_QUEUE_MAX: usize = 4_096;
/// A write-ahead log of this many pages is begun anew as soon as all of it is copied: under a load that
/// never pauses it would grow without end, and writing over it is quicker than growing it.
pub const WAL_PAGES_MAX: i64 = 4_096;

/// Changes in one publish request.
pub const PUBLISH_BATCH_MAX: usize = 1_000;
/// Longest type of a change, bytes.
pub const TYPE_BYTES_MAX: usize = 128;
/// Longest `Idempotency-Key`, bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// An idempotency key is remembered this long, ms.
pub const IDEMPOTENCY_TTL_MS: i64 = 24 * 3600 * 1000;
/// Extra headers of one hook's requests.
pub const ACCESS_HEADERS_MAX: usize = 20;
/// Names and values of a hook's extra headers together, bytes.
pub const ACCESS_HEADER_BYTES_MAX: usize = 8_192;
/// Longest user name, password, token or other credential for a receiver, bytes.
pub const ACCESS_VALUE_BYTES_MAX: usize = 4_096;
/// Longest certificate chain or private key for a receiver, PEM, bytes.
pub const ACCESS_PEM_BYTES_MAX: usize = 32_768;
/// Longest head of a proxy's answer to `CONNECT`, bytes.
pub const PROXY_ANSWER_BYTES_MAX: usize = 8_192;
/// Total budget of fetching an OAuth 2 token for a receiver, ms.
pub const TOKEN_DEADLINE_MS: u64 = 10_000;
/// Longest answer of a token endpoint, bytes.
pub const TOKEN_RESPONSE_BYTES_MAX: usize = 65_536;
/// A token is fetched anew this long before it expires, or at nine tenths of its life, ms.
pub const TOKEN_EARLY_MS: i64 = 30_000;
/// A token that does not say how long it lives is used for this long, ms.
pub const TOKEN_LIFE_DEFAULT_MS: i64 = 300_000;
/// The longest that a token is used, ms (one day).
pub const TOKEN_LIFE_MAX_MS: i64 = 24 * 3600 * 1000;
/// After a token could not be fetched, it is not tried again for this long, ms.
pub const TOKEN_FAILURE_MS: i64 = 5_000;
/// How long a rotated signing key goes on signing and is published when the request does not say, ms.
pub const SIGNING_KEY_OVERLAP_DEFAULT_MS: i64 = 24 * 3600 * 1000;
/// Signing keys of one app that sign at the same time during a rotation.
pub const APP_SIGNING_KEYS_MAX: usize = 5;
/// Longest name, external id or description, bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Rows on one page when the request does not say, and at most.
pub const PAGE_DEFAULT: u32 = 50;
/// The most rows on one page.
pub const PAGE_MAX: u32 = 1_000;
/// Triggers of one hook.
pub const HOOK_TRIGGERS_MAX: usize = 100;
/// Longest filter of a hook, bytes.
pub const FILTER_BYTES_MAX: usize = 8_192;
/// Rules of a filter within one another.
pub const FILTER_DEPTH_MAX: usize = 8;
/// Rules, words and listed values of a filter together.
pub const FILTER_PARTS_MAX: usize = 200;
/// Longest transform of a hook, bytes.
pub const TRANSFORM_BYTES_MAX: usize = 16_384;
/// Nesting of statements and expressions in a transform.
pub const TRANSFORM_DEPTH_MAX: usize = 32;
/// Steps that a transform may take.
pub const TRANSFORM_STEPS_MAX: u64 = 100_000;
/// CPU time that a transform may take, ms.
pub const TRANSFORM_CPU_MS: u64 = 25;
/// Variables of a transform.
pub const TRANSFORM_VARIABLES_MAX: usize = 32;
/// Largest body that a transform may be given or make, and all strings of one value in it, bytes.
pub const TRANSFORM_BODY_BYTES_MAX: usize = 512 * 1024;
/// Elements of all arrays, and fields of all objects, of one value in a transform.
pub const TRANSFORM_VALUES_MAX: usize = 10_000;
/// Transforms that run at the same time, each on a thread of its own.
pub const TRANSFORM_THREADS: usize = 2;
/// Stack of such a thread, bytes: enough for values nested as deep as they may have elements.
pub const TRANSFORM_STACK_BYTES: usize = 64 * 1024 * 1024;
/// Headers that a transform may add.
pub const TRANSFORM_HEADERS_MAX: usize = 20;
/// Longest value of such a header, bytes.
pub const TRANSFORM_HEADER_BYTES_MAX: usize = 1_024;
/// Named filters of one hook.
pub const HOOK_NAMED_MAX: usize = 50;
/// Calendars that one hook leaves out.
pub const HOOK_EXCEPT_MAX: usize = 200;
/// Apps that are told in one commit that Tidings was started.
pub const STARTS_AT_ONCE: usize = 100;
/// Runs of one hook that are listed, newest first.
pub const HOOK_RUNS_MAX: u32 = 50;
/// Longest message of a transform that failed, bytes.
pub const TRANSFORM_ERROR_BYTES_MAX: usize = 300;
/// Hooks of one app.
pub const APP_HOOKS_MAX: u32 = 10_000;
/// Accounts of one app.
pub const APP_ACCOUNTS_MAX: u32 = 100_000;
/// Secrets of one hook that sign at the same time during a rotation.
pub const HOOK_SECRETS_MAX: usize = 10;
/// How long a rotated secret goes on signing when the request does not say, ms.
pub const SECRET_OVERLAP_DEFAULT_MS: i64 = 24 * 3600 * 1000;
/// The longest that a rotated secret may go on signing, ms (7 days).
pub const SECRET_OVERLAP_MAX_MS: i64 = 7 * 24 * 3600 * 1000;
/// How far in the future a published change may say that it happened, ms.
pub const OCCURRED_AHEAD_MAX_MS: i64 = 24 * 3600 * 1000;
/// Longest password of an account, bytes.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// The longest span of a retry schedule, ms (8 days).
pub const RETRY_SPAN_MAX_MS: i64 = 8 * 24 * 3600 * 1000;
/// The most tries in a retry schedule.
pub const RETRY_TRIES_MAX: usize = 50;
/// The longest `Retry-After` that we honour, ms.
pub const RETRY_AFTER_MAX_MS: i64 = 24 * 3600 * 1000;

/// Callers that are let in without asking the store again for a second.
pub const CALLERS_KNOWN_MAX: usize = 10_000;

/// Streams (server-sent events) open at once in the process.
pub const STREAMS_MAX: usize = 512;
/// A stream without changes sends a comment this often, ms.
pub const STREAM_HEARTBEAT_MS: u64 = 15_000;
/// Inboxes held in memory.
pub const INBOXES_MAX: usize = 1_000;
/// Requests that one inbox remembers.
pub const INBOX_REQUESTS_MAX: usize = 100;
/// Bytes that one inbox remembers; a single request is remembered whole.
pub const INBOX_BYTES_MAX: usize = 262_144;
/// Inboxes of one app.
pub const APP_INBOXES_MAX: usize = 20;
/// Replays of one hook that run at the same time.
pub const HOOK_REPLAYS_MAX: usize = 10;
/// Replays of one hook that are kept to be looked at, running ones included.
pub const HOOK_REPLAYS_KEPT: usize = 100;
/// Requests that a replay may ask to begin in a second.
pub const REPLAY_RATE_MAX: u32 = 10_000;
/// Types of change, and states, that a replay may be narrowed down to.
pub const REPLAY_TYPES_MAX: usize = 50;
/// Changes that are looked at to count a ledger or a replay; a longer range is not counted in one go.
pub const LEDGER_COUNT_MAX: u64 = 1_000_000;
/// Changes that are looked at for one page of a ledger of which only some states are wanted.
pub const LEDGER_LOOK_MAX: u64 = 20_000;
/// After so many failed attempts in a row the owner of a hook is told that it fails.
pub const HOOK_FAILING_AFTER: u64 = 5;

/// The shortest time that changes are kept, days: the longest span of retries and one day more.
pub const JOURNAL_DAYS_MIN: u32 = 9;
/// The longest time that anything is kept, days (ten years).
pub const RETENTION_DAYS_MAX: u32 = 3_650;
/// The smallest size to which a journal can be limited, bytes.
pub const JOURNAL_BYTES_MIN: u64 = 1024 * 1024;
/// What a change weighs in the journal beside its body, about, bytes.
pub const CHANGE_BYTES: u64 = 256;
/// Retention begins when this much is due, ms of age: a hook that stands still is told of a gap once for all
/// of it.
pub const RETENTION_SLACK_MS: i64 = 3_600_000;
/// Changes, or attempts, that one commit of the retention removes.
pub const RETENTION_COMMIT_CHANGES: usize = 500;
/// Bytes, about, that one commit of the retention removes.
pub const RETENTION_COMMIT_BYTES: u64 = 2 * 1024 * 1024;
/// Deliveries that one commit of the retention gives up or removes, about.
pub const RETENTION_COMMIT_PARKED: usize = 1_000;
/// Changes that are weighed in one go when a journal is too large.
pub const RETENTION_WEIGHED_MAX: usize = 100_000;
/// Hooks that are judged in one go before changes are removed.
pub const RETENTION_HOOKS_PAGE: u32 = 100;
/// The retention looks for what is old this often, ms.
pub const RETENTION_LOOK_MS: u64 = 60_000;
/// The free space of the disk is looked at this often, ms.
pub const DISK_LOOK_MS: u64 = 5_000;

/// A connection to a PostgreSQL database is made, or given up, within this time, ms.
pub const DATABASE_CONNECT_DEADLINE_MS: u64 = 5_000;
/// A connection to the database on which nothing is acknowledged ends after this time, ms.
pub const DATABASE_SILENCE_MAX_MS: u64 = 8_000;
/// An answer of the database takes no longer, or the connection is given up, ms. Its own limit for a
/// statement (8 s) comes first.
pub const DATABASE_ANSWER_DEADLINE_MS: u64 = 10_000;
/// A caller waits no longer for the fate of a commit in the database, ms; then it may come again.
pub const DATABASE_COMMIT_DEADLINE_MS: u64 = 10_000;
/// Longest pause between two tries to reach the database, ms.
pub const DATABASE_PAUSE_MAX_MS: u64 = 1_000;

/// Event types in one app's catalogue.
pub const APP_EVENT_TYPES_MAX: u32 = 1_000;
/// Longest JSON Schema of an event type, bytes.
pub const SCHEMA_BYTES_MAX: usize = 16_384;
/// Schemas within a schema, each counted as often as it is referred to.
pub const SCHEMA_PARTS_MAX: u64 = 2_000;
/// Longest pattern in a schema, bytes.
pub const SCHEMA_PATTERN_BYTES_MAX: usize = 512;
/// Largest compiled pattern of a schema, bytes.
pub const SCHEMA_PATTERN_SIZE_MAX: usize = 256 * 1024;
/// Parts of a schema times bytes of the data that it may be asked to judge.
pub const SCHEMA_WORK_MAX: u64 = 50_000_000;
/// Faults of one change that are told of.
pub const SCHEMA_FAULTS_MAX: usize = 10;
/// Compiled schemas kept in memory.
pub const SCHEMAS_KEPT_MAX: usize = 2_048;
/// Longest description or example of an event type, bytes.
pub const EVENT_TYPE_TEXT_BYTES_MAX: usize = 16_384;
/// How deep a schema is followed for an example that it does not give itself.
pub const EXAMPLE_DEPTH_MAX: usize = 16;

/// A provider must have sent a person back to us after this time, ms (10 minutes).
pub const CONNECTING_MAX_MS: i64 = 10 * 60 * 1000;
/// Longest `state`, code or error that a provider sends a person back with, bytes.
pub const CALLBACK_VALUE_BYTES_MAX: usize = 4_096;
/// Errands to providers that wait for their turn; beyond, callers are told to come back.
pub const ERRANDS_WAITING_MAX: usize = 64;
/// A caller waits no longer for a provider, ms.
pub const ERRAND_DEADLINE_MS: u64 = 45_000;
/// The deletion of an account waits no longer for its provider, ms.
pub const REVOKE_DEADLINE_MS: u64 = 15_000;
/// Accounts of an app that is deleted whose tokens are given back at the same time.
pub const REVOKES_AT_ONCE: usize = 4;
/// Largest notification of a provider, bytes.
pub const PUSH_BODY_BYTES_MAX: usize = 262_144;
/// Pushes to channels that nobody knows, and pushes that were seen already, that are remembered.
pub const PUSHES_REMEMBERED_MAX: usize = 10_000;
/// A channel that nobody knows is not looked up again for this long, ms.
pub const PUSH_UNKNOWN_MS: i64 = 60_000;
/// A push that was seen already is known for this long, ms.
pub const PUSH_SEEN_MS: i64 = 10 * 60 * 1000;
/// The longest range whose series are expanded into occurrences, days.
pub const EXPAND_DAYS_MAX: i64 = 366;
/// Pages that one request of Pyas reads of the mirror or the journal, looking for events that fit.
pub const PYAS_LOOKS_MAX: usize = 20;
/// Events that a request of Pyas puts into an order, at most.
pub const PYAS_ORDERED_MAX: usize = 2_500;
/// Longest id of an event in a path, bytes.
pub const ITEM_KEY_BYTES_MAX: usize = 2_048;
