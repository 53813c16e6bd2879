//! Hooks on the wire.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_core::clock::Timestamp;
use tidings_core::hook::{Consent, HookStatus, Ordering, Providers};
use tidings_core::id::{AccountId, CollectionId, HookId, UserId};
use tidings_core::sign::Scheme;
use tidings_service::{CreatedHook, Hook, HookChanges, HookFrom, NewHook, Serving};
use utoipa::ToSchema;

use super::access::{AccessAnswer, AccessInput, VerifyInput, reach};
use super::selecting::{NamedBody, document, text};
use super::serving::{CoalesceBody, DisableBody, OnExhaustedBody, OrderingBody, RateBody};
use crate::answers::nullable;

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
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Free text.
    #[schema(max_length = 256)]
    description: Option<String>,
    /// Its wire format; `native@1` when absent.
    format: Option<String>,
    /// What it asks for, in the words of the format: for `native@1` types, `prefix.*` or `*`.
    #[serde(default = "everything")]
    #[schema(min_items = 1, max_items = 100)]
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
    /// Whether it also takes the echoes of events that were written through this API; `false` when absent, so
    /// that two-way sync does not answer its own writes.
    echoes: Option<bool>,
    /// Only changes whose content is like this: rules `{"path", …}` with `eq`, `in`, `prefix`, `exists`,
    /// `gt`, `gte`, `lt`, `lte`, combined by `and`, `or`, `not`. Paths are JSON pointers into the change:
    /// `/type`, `/data/…`. At most 8192 bytes and 200 rules, 8 levels deep. Applies to the app's next changes.
    #[schema(value_type = Option<Object>, example = json!({"and": [
        {"path": "/data/status", "eq": "paid"}, {"path": "/data/amount", "gte": 100}]}))]
    filter: Option<Box<RawValue>>,
    /// Only changes whose content is like at least one of these, unless there are none. For formats that tell
    /// the names.
    #[serde(default)]
    #[schema(max_items = 50)]
    named: Vec<NamedBody>,
    /// No changes of these calendars.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 200)]
    except_calendars: Vec<CollectionId>,
    /// A script (Rhai) that reshapes `body` and adds to `headers` before they are signed; see
    /// `POST /transform/preview`. When it fails, the delivery is parked with the reason.
    #[schema(max_length = 16384)]
    transform: Option<String>,
    /// Its id in its dialect.
    #[schema(max_length = 256)]
    external_id: Option<String>,
    /// Seconds to wait before each attempt, at most 8 days in all; the first is 0.
    #[schema(min_items = 1, max_items = 50)]
    retry: Option<Vec<u32>>,
    /// Deliveries in flight at once.
    #[schema(minimum = 1, maximum = 256)]
    concurrency: Option<u32>,
    /// Total budget of an attempt, ms.
    #[schema(minimum = 1000, maximum = 15000)]
    timeout_ms: Option<u64>,
    /// Attempts in a span, at most; `null`: as many as may be.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<RateBody>)]
    rate: Option<Option<RateBody>>,
    /// Which deliveries wait for one another.
    ordering: Option<OrderingBody>,
    /// With `ordering: "key"`, where the key comes from: `account`, `item`, `order_key` or a JSON pointer into
    /// the data. A change without it is not ordered; the key of a coalescing hook is its group.
    #[schema(max_length = 256)]
    order_key: Option<String>,
    /// What an ordered hook does when a delivery is given up.
    on_exhausted: Option<OnExhaustedBody>,
    /// How changes share a request; `null`: not at all.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<CoalesceBody>)]
    coalesce: Option<Option<CoalesceBody>>,
    /// When failures disable it.
    disable: Option<DisableBody>,
    /// Whether a receiver that is down costs a probe now and then rather than its schedule.
    breaker: Option<bool>,
    /// Whether the waits of `retry` are lengthened by up to a fifth, by chance.
    jitter: Option<bool>,
    /// Whether a retry takes in what came after the delivery that failed, under a new id; needs `ordering:
    /// "hook"` and `coalesce`.
    merges: Option<bool>,
    /// What its deliveries are signed with: `["v1"]` (HMAC with its secret, the default), `["v1a"]` (Ed25519
    /// with the app's key) or both.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 2)]
    signing: Option<Vec<Scheme>>,
    /// Headers, credentials and a client certificate for its requests; `null`: none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<AccessInput>)]
    access: Option<Option<AccessInput>>,
    /// `options`: the receiver has to agree first, by the handshake of CloudEvents, again whenever the URL
    /// changes; the hook is disabled until then. `none`: it is not asked.
    verify: Option<VerifyInput>,
    /// Its signing secret, `whsec_…`; made when absent.
    secret: Option<String>,
    /// When it ends by itself: a time to come.
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
            echoes: input.echoes,
            filter: input.filter.map(text),
            named: input.named.into_iter().map(Into::into).collect(),
            except_calendars: input.except_calendars,
            transform: input.transform,
            external_id: input.external_id,
            serving: Serving {
                retry: input.retry,
                concurrency: input.concurrency,
                timeout_ms: input.timeout_ms,
                rate: input.rate.map(|rate| rate.map(Into::into)),
                ordering: input.ordering.map(Into::into),
                order_key: input.order_key,
                on_exhausted: input.on_exhausted.map(Into::into),
                coalesce: input.coalesce.map(|rule| rule.map(Into::into)),
                disable: input.disable.map(Into::into),
                breaker: input.breaker,
                jitter: input.jitter,
                merges: input.merges,
            },
            reach: reach(input.signing, input.access, input.verify),
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
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// New free text.
    #[schema(max_length = 256)]
    description: Option<String>,
    /// New triggers, from the app's next change on.
    #[schema(min_items = 1, max_items = 100)]
    triggers: Option<Vec<String>>,
    /// `documented` or `all`, from the app's next change on.
    #[schema(value_type = Option<String>)]
    providers: Option<Providers>,
    /// Whether it also takes the echoes of events that were written through this API, from the app's next
    /// change on.
    echoes: Option<bool>,
    /// A new filter, from the app's next change on; `null` takes it away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    filter: Option<Option<Box<RawValue>>>,
    /// New named filters, all of them, from the app's next change on.
    #[schema(max_items = 50)]
    named: Option<Vec<NamedBody>>,
    /// The calendars left out, all of them, from the app's next change on.
    #[schema(value_type = Option<Vec<String>>, max_items = 200)]
    except_calendars: Option<Vec<CollectionId>>,
    /// A new transform, also for parked deliveries; `null` takes it away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 16384)]
    transform: Option<Option<String>>,
    /// Seconds to wait before each attempt, at most 8 days in all; the first is 0.
    #[schema(min_items = 1, max_items = 50)]
    retry: Option<Vec<u32>>,
    /// Deliveries in flight at once.
    #[schema(minimum = 1, maximum = 256)]
    concurrency: Option<u32>,
    /// Total budget of an attempt, ms.
    #[schema(minimum = 1000, maximum = 15000)]
    timeout_ms: Option<u64>,
    /// Attempts in a span, at most; `null`: as many as may be.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<RateBody>)]
    rate: Option<Option<RateBody>>,
    /// Which deliveries wait for one another.
    ordering: Option<OrderingBody>,
    /// With `ordering: "key"`, where the key comes from: `account`, `item`, `order_key` or a JSON pointer into
    /// the data. A change without it is not ordered; the key of a coalescing hook is its group.
    #[schema(max_length = 256)]
    order_key: Option<String>,
    /// What an ordered hook does when a delivery is given up.
    on_exhausted: Option<OnExhaustedBody>,
    /// How changes share a request; `null`: not at all.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<CoalesceBody>)]
    coalesce: Option<Option<CoalesceBody>>,
    /// When failures disable it.
    disable: Option<DisableBody>,
    /// Whether a receiver that is down costs a probe now and then rather than its schedule.
    breaker: Option<bool>,
    /// Whether the waits of `retry` are lengthened by up to a fifth, by chance.
    jitter: Option<bool>,
    /// Whether a retry takes in what came after the delivery that failed, under a new id; needs `ordering:
    /// "hook"` and `coalesce`.
    merges: Option<bool>,
    /// What its deliveries are signed with: `["v1"]` (HMAC with its secret, the default), `["v1a"]` (Ed25519
    /// with the app's key) or both.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 2)]
    signing: Option<Vec<Scheme>>,
    /// Headers, credentials and a client certificate for its requests; `null`: none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<AccessInput>)]
    access: Option<Option<AccessInput>>,
    /// `options`: the receiver has to agree first, by the handshake of CloudEvents, again whenever the URL
    /// changes; the hook is disabled until then. `none`: it is not asked.
    verify: Option<VerifyInput>,
}

impl From<HookPatch> for HookChanges {
    fn from(patch: HookPatch) -> Self {
        Self {
            url: patch.url,
            description: patch.description,
            triggers: patch.triggers,
            providers: patch.providers,
            echoes: patch.echoes,
            filter: patch.filter.map(|filter| filter.map(text)),
            named: patch.named.map(|named| named.into_iter().map(Into::into).collect()),
            except_calendars: patch.except_calendars,
            transform: patch.transform,
            serving: Serving {
                retry: patch.retry,
                concurrency: patch.concurrency,
                timeout_ms: patch.timeout_ms,
                rate: patch.rate.map(|rate| rate.map(Into::into)),
                ordering: patch.ordering.map(Into::into),
                order_key: patch.order_key,
                on_exhausted: patch.on_exhausted.map(Into::into),
                coalesce: patch.coalesce.map(|rule| rule.map(Into::into)),
                disable: patch.disable.map(Into::into),
                breaker: patch.breaker,
                jitter: patch.jitter,
                merges: patch.merges,
            },
            reach: reach(patch.signing, patch.access, patch.verify),
        }
    }
}

/// A hook, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "hook_01k4qzv6s8t2m9r3n5b0", "url": "https://example.com/webhooks",
    "description": "", "format": "native@1", "triggers": ["event.*"], "providers": "documented",
    "user": null, "account": null, "calendar": null, "echoes": false, "filter": null, "named": [],
    "except_calendars": [], "transform": null,
    "external_id": null,
    "retry": [0, 5, 30, 120, 600], "concurrency": 16, "timeout_ms": 15000, "rate": null,
    "ordering": "none", "order_key": null, "on_exhausted": "continue", "coalesce": null,
    "disable": {"failing_ms": 432000000, "failures": null}, "breaker": true, "jitter": true,
    "merges": false, "signing": ["v1"],
    "access": {"headers": [], "auth": null, "client_certificate": false}, "consent": null, "status": "active",
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
    /// Whether it also takes the echoes of events that were written through this API.
    echoes: bool,
    /// Only changes whose content is like this.
    #[schema(value_type = Option<Object>)]
    filter: Option<Box<RawValue>>,
    /// Only changes whose content is like at least one of these, unless there are none.
    named: Vec<NamedBody>,
    /// No changes of these calendars.
    #[schema(value_type = Vec<String>)]
    except_calendars: Vec<CollectionId>,
    /// The script that reshapes its requests.
    transform: Option<String>,
    /// Its id in its dialect.
    external_id: Option<String>,
    /// Seconds to wait before each attempt.
    retry: Vec<u32>,
    /// Deliveries in flight at once.
    concurrency: u32,
    /// Total budget of an attempt, ms.
    timeout_ms: u64,
    /// Attempts in a span, at most.
    rate: Option<RateBody>,
    /// Which deliveries wait for one another.
    ordering: OrderingBody,
    /// Where the key comes from, with `ordering: "key"`.
    order_key: Option<String>,
    /// What an ordered hook does when a delivery is given up.
    on_exhausted: OnExhaustedBody,
    /// How changes share a request.
    coalesce: Option<CoalesceBody>,
    /// When failures disable it.
    disable: DisableBody,
    /// Whether a receiver that is down costs a probe now and then rather than its schedule.
    breaker: bool,
    /// Whether the waits of `retry` are lengthened by chance.
    jitter: bool,
    /// Whether a retry takes later changes in.
    merges: bool,
    /// What its deliveries are signed with.
    #[schema(value_type = Vec<String>)]
    signing: Vec<Scheme>,
    /// What is set of its way in at the receiver; values are not shown.
    access: AccessAnswer,
    /// Whether its receiver agreed: `asked`, `given` or `refused`; `null`: it is not asked.
    #[schema(value_type = Option<String>)]
    consent: Option<Consent>,
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
            echoes: hook.echoes,
            filter: hook.filter.and_then(document),
            named: hook.named.into_iter().filter_map(NamedBody::of).collect(),
            except_calendars: hook.except_calendars,
            transform: hook.transform,
            external_id: hook.external_id,
            retry: hook.retry,
            concurrency: hook.concurrency,
            timeout_ms: hook.timeout_ms,
            rate: hook.rate.map(Into::into),
            ordering: (&hook.ordering).into(),
            order_key: match &hook.ordering {
                Ordering::Key(source) => Some(source.as_str().to_owned()),
                Ordering::None | Ordering::Hook => None,
            },
            on_exhausted: hook.on_exhausted.into(),
            coalesce: hook.coalesce.map(Into::into),
            disable: hook.disable.into(),
            breaker: hook.breaker,
            jitter: hook.jitter,
            merges: hook.merges,
            signing: hook.signing.schemes(),
            access: hook.access.into(),
            consent: hook.consent,
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
    "user": null, "account": null, "calendar": null, "echoes": false, "filter": null, "named": [],
    "except_calendars": [], "transform": null,
    "external_id": null,
    "retry": [0, 5, 30, 120, 600], "concurrency": 16, "timeout_ms": 15000, "rate": null,
    "ordering": "none", "order_key": null, "on_exhausted": "continue", "coalesce": null,
    "disable": {"failing_ms": 432000000, "failures": null}, "breaker": true, "jitter": true,
    "merges": false, "signing": ["v1"],
    "access": {"headers": [], "auth": null, "client_certificate": false}, "consent": null, "status": "active",
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
