//! Hooks on the wire.

use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::hook::{HookStatus, Providers};
use tidings_core::id::{AccountId, CollectionId, HookId, UserId};
use tidings_service::{CreatedHook, Hook, HookChanges, HookFrom, NewHook};
use utoipa::ToSchema;

/// Which changes a new hook receives first: `"now"`, or `{"seq": n}`.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FromInput {
    /// Those published after it was created.
    #[default]
    Now,
    /// Those from this `seq` on.
    Seq(u64),
}

impl From<FromInput> for HookFrom {
    fn from(input: FromInput) -> Self {
        match input {
            FromInput::Now => Self::Now,
            FromInput::Seq(seq) => Self::Seq(seq),
        }
    }
}

/// A hook to create. What is absent has a default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"url": "https://example.com/webhooks", "triggers": ["event.*"]}))]
pub(crate) struct HookInput {
    /// Where it delivers; the app's `webhook_url` when absent.
    url: Option<String>,
    /// Free text.
    description: Option<String>,
    /// Its wire format; `native@1` when absent.
    format: Option<String>,
    /// What it asks for, in the words of the format: for `native@1` types, `prefix.*` or `*`.
    #[serde(default = "everything")]
    triggers: Vec<String>,
    /// `documented` (default) or `all`: whether it takes calendar changes of every provider.
    #[schema(value_type = Option<String>)]
    providers: Option<Providers>,
    /// Only changes of this end user.
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    /// Only changes of this account.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only changes of this calendar.
    #[schema(value_type = Option<String>)]
    calendar: Option<CollectionId>,
    /// Its id in its dialect.
    external_id: Option<String>,
    /// Seconds to wait before each attempt; the first is 0.
    retry: Option<Vec<u32>>,
    /// Deliveries in flight at once.
    #[schema(minimum = 1, maximum = 256)]
    concurrency: Option<u32>,
    /// Total budget of an attempt, ms.
    #[schema(minimum = 1000, maximum = 15000)]
    timeout_ms: Option<u64>,
    /// Its signing secret, `whsec_…`; made when absent.
    secret: Option<String>,
    /// When it ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Which changes it receives first.
    #[serde(default)]
    from: FromInput,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

impl From<HookInput> for NewHook {
    fn from(input: HookInput) -> Self {
        Self {
            url: input.url,
            description: input.description,
            format: input.format,
            triggers: input.triggers,
            providers: input.providers,
            user: input.user,
            account: input.account,
            calendar: input.calendar,
            external_id: input.external_id,
            retry: input.retry,
            concurrency: input.concurrency,
            timeout_ms: input.timeout_ms,
            secret: input.secret,
            expires_at: input.expires_at,
            from: input.from.into(),
        }
    }
}

/// What to change; absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"triggers": ["event.created", "invoice.*"]}))]
pub(crate) struct HookPatch {
    /// A new URL; applies to parked deliveries too.
    url: Option<String>,
    /// New free text.
    description: Option<String>,
    /// New triggers, from the app's next change on.
    triggers: Option<Vec<String>>,
    /// `documented` or `all`, from the app's next change on.
    #[schema(value_type = Option<String>)]
    providers: Option<Providers>,
    /// Seconds to wait before each attempt; the first is 0.
    retry: Option<Vec<u32>>,
    /// Deliveries in flight at once.
    #[schema(minimum = 1, maximum = 256)]
    concurrency: Option<u32>,
    /// Total budget of an attempt, ms.
    #[schema(minimum = 1000, maximum = 15000)]
    timeout_ms: Option<u64>,
}

impl From<HookPatch> for HookChanges {
    fn from(patch: HookPatch) -> Self {
        let HookPatch { url, description, triggers, providers, retry, concurrency, timeout_ms } =
            patch;
        Self { url, description, triggers, providers, retry, concurrency, timeout_ms }
    }
}

/// A hook, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "hook_01k4qzv6s8t2m9r3n5b0", "url": "https://example.com/webhooks",
    "description": "", "format": "native@1", "triggers": ["event.*"], "providers": "documented",
    "user": null, "account": null, "calendar": null, "external_id": null,
    "retry": [0, 5, 30, 120, 600], "concurrency": 16, "timeout_ms": 15000, "status": "active",
    "status_reason": null, "expires_at": null, "runs": 0, "failures": 0, "consecutive_failures": 0,
    "failing_since": null, "created_at": "2026-03-12T09:01:12.000Z",
    "updated_at": "2026-03-12T09:01:12.000Z"}))]
pub(crate) struct HookAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: HookId,
    /// Where it delivers; `null`: the app's `webhook_url`.
    url: Option<String>,
    /// Free text.
    description: String,
    /// Its wire format.
    format: String,
    /// What it asks for, in the words of the format.
    triggers: Vec<String>,
    /// `documented` or `all`.
    #[schema(value_type = String)]
    providers: Providers,
    /// Only changes of this end user.
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    /// Only changes of this account.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only changes of this calendar.
    #[schema(value_type = Option<String>)]
    calendar: Option<CollectionId>,
    /// Its id in its dialect.
    external_id: Option<String>,
    /// Seconds to wait before each attempt.
    retry: Vec<u32>,
    /// Deliveries in flight at once.
    concurrency: u32,
    /// Total budget of an attempt, ms.
    timeout_ms: u64,
    /// `active`, `paused` or `disabled`.
    #[schema(value_type = String)]
    status: HookStatus,
    /// Why it does not deliver, in plain words.
    status_reason: Option<String>,
    /// When it ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Attempts made.
    runs: u64,
    /// Attempts that failed.
    failures: u64,
    /// Failed attempts since the last success.
    consecutive_failures: u64,
    /// Since when there were nothing but failures.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Hook> for HookAnswer {
    fn from(hook: Hook) -> Self {
        Self {
            id: hook.id,
            url: hook.url,
            description: hook.description,
            format: hook.format,
            triggers: hook.triggers,
            providers: hook.providers,
            user: hook.user,
            account: hook.account,
            calendar: hook.calendar,
            external_id: hook.external_id,
            retry: hook.retry,
            concurrency: hook.concurrency,
            timeout_ms: hook.timeout_ms,
            status: hook.status,
            status_reason: hook.status_reason,
            expires_at: hook.expires_at,
            runs: hook.runs,
            failures: hook.failures,
            consecutive_failures: hook.consecutive_failures,
            failing_since: hook.failing_since,
            created_at: hook.created_at,
            updated_at: hook.updated_at,
        }
    }
}

/// A new hook with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "hook": {"id": "hook_01k4qzv6s8t2m9r3n5b0", "url": "https://example.com/webhooks",
    "description": "", "format": "native@1", "triggers": ["event.*"], "providers": "documented",
    "user": null, "account": null, "calendar": null, "external_id": null,
    "retry": [0, 5, 30, 120, 600], "concurrency": 16, "timeout_ms": 15000, "status": "active",
    "status_reason": null, "expires_at": null, "runs": 0, "failures": 0, "consecutive_failures": 0,
    "failing_since": null, "created_at": "2026-03-12T09:01:12.000Z",
    "updated_at": "2026-03-12T09:01:12.000Z"}}))]
pub(crate) struct CreatedHookAnswer {
    /// What it signs with. It is not shown again.
    secret: String,
    /// The hook.
    hook: HookAnswer,
}

impl From<CreatedHook> for CreatedHookAnswer {
    fn from(created: CreatedHook) -> Self {
        Self { secret: created.secret.reveal(), hook: created.hook.into() }
    }
}
