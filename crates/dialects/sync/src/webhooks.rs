//! `/v1/webhooks`: the webhooks of an API key, format `sync@1`.

use std::fmt::Display;

use serde::Serialize;
use tidings_core::access::Hidden;
use tidings_core::clock::Timestamp;
use tidings_core::hook::HookStatus;
use tidings_core::id::{HookId, UserId};
use tidings_service::{
    AccessChanges, Caller, Coalescing, EnableFrom, Hook, HookChanges, HookMatch, NewHook, Reach,
    Serving,
};

use crate::Desk;
use crate::answer::Answer;
use crate::call::{Call, Verb};
use crate::params::Params;
use crate::refusal::Refusal;
use crate::route::nothing_here;
use crate::wire::{bits, iso};

/// The format that these webhooks pin.
const FORMAT: &str = "sync@1";

/// A webhook, as the answers of POST and GET differ in it: when it was made is a number for one and a text
/// for the other, which alone tells whether it works.
#[derive(Serialize)]
struct Webhook<T: Serialize> {
    id_webhook: String,
    id_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_disabled: Option<u8>,
    events: Vec<String>,
    url: Option<String>,
    delay: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ct_failed: Option<u64>,
    dt_created: T,
    dt_modified: Option<T>,
}

impl<T: Serialize> Webhook<T> {
    fn of(hook: Hook, time: impl Fn(Timestamp) -> T) -> Self {
        let modified = (hook.updated_at != hook.created_at).then_some(hook.updated_at);
        Self {
            id_webhook: hook.id.0.to_hex24(),
            id_user: hook.user.map(|user| user.0.to_hex24()),
            is_disabled: None,
            events: hook.triggers,
            url: hook.url,
            delay: hook.coalesce.map_or(0, |coalesce| coalesce.delay_ms / 1000),
            ct_failed: None,
            dt_created: time(hook.created_at),
            dt_modified: modified.map(time),
        }
    }
}

pub(crate) async fn answer(desk: &Desk, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let caller = call.presented.key_holder(&desk.service).await?;
    match (call.method, rest) {
        (Verb::Get, []) => list(desk, &caller).await,
        (Verb::Post, []) => upsert(desk, &caller, call).await,
        (Verb::Put, [id]) => update(desk, &caller, id, &call.params).await,
        (Verb::Delete, [id]) => {
            let hook = find(desk, &caller, id, FORMAT).await?;
            desk.service.delete_hook(&caller, hook.id).await?;
            Answer::done()
        }
        _ => Err(nothing_here()),
    }
}

async fn list(desk: &Desk, caller: &Caller) -> Result<Answer, Refusal> {
    let wanted = HookMatch { format: Some(FORMAT.into()), ..HookMatch::default() };
    let hooks = desk.service.hooks_like(caller, wanted).await?;
    let listed: Vec<_> = hooks
        .into_iter()
        .map(|hook| Webhook {
            is_disabled: Some(u8::from(hook.status != HookStatus::Active)),
            ct_failed: Some(hook.consecutive_failures),
            ..Webhook::of(hook, iso)
        })
        .collect();
    Answer::of(&listed)
}

/// Makes a webhook, or changes the one with this URL and user. The request describes all of it: what it
/// does not say is as in a new one.
async fn upsert(desk: &Desk, caller: &Caller, call: &Call) -> Result<Answer, Refusal> {
    let params = &call.params;
    let url = params.text("url")?;
    let user = user(call)?;
    let wish = Wish {
        events: Some(required_events(params)?),
        delay_ms: Some(delay_ms(params)?.unwrap_or(0)),
        headers: Some(headers(params)?.unwrap_or_default()),
    };
    let turn = desk.upserting.lock().await;
    let wanted =
        HookMatch { format: Some(FORMAT.into()), url: Some(url.clone()), ..HookMatch::default() };
    let mut known = desk.service.hooks_like(caller, wanted).await?.into_iter();
    let hook = match known.find(|hook| hook.user == user) {
        Some(hook) => change(desk, caller, hook.id, None, wish).await?,
        None => {
            let new = NewHook {
                url: Some(url),
                user,
                format: Some(FORMAT.into()),
                triggers: wish.events.unwrap_or_default(),
                serving: serving(wish.delay_ms),
                reach: reach(wish.headers),
                ..NewHook::default()
            };
            desk.service.create_hook(caller, new).await?.hook
        }
    };
    drop(turn);
    Answer::of(&Webhook::of(hook, Timestamp::unix_seconds))
}

/// Changes what the request names of a webhook. Documented in 2017, later only POST was.
async fn update(
    desk: &Desk,
    caller: &Caller,
    id: &str,
    params: &Params,
) -> Result<Answer, Refusal> {
    let url = params.optional_text("url")?;
    let wish = Wish {
        events: params.get("events").map(|_| required_events(params)).transpose()?,
        delay_ms: delay_ms(params)?,
        headers: headers(params)?,
    };
    let hook = find(desk, caller, id, FORMAT).await?;
    let hook = change(desk, caller, hook.id, url, wish).await?;
    Answer::of(&Webhook::of(hook, Timestamp::unix_seconds))
}

/// What a request wants of a webhook; what is absent stays.
struct Wish {
    events: Option<Vec<String>>,
    delay_ms: Option<u64>,
    headers: Option<Vec<(String, Hidden)>>,
}

/// Whoever describes a disabled webhook anew wants it to work: it goes on where it stood.
async fn change(
    desk: &Desk,
    caller: &Caller,
    id: HookId,
    url: Option<String>,
    wish: Wish,
) -> Result<Hook, Refusal> {
    let changes = HookChanges {
        url,
        triggers: wish.events,
        serving: serving(wish.delay_ms),
        reach: reach(wish.headers),
        ..HookChanges::default()
    };
    let hook = desk.service.update_hook(caller, id, changes).await?;
    if hook.status == HookStatus::Active {
        return Ok(hook);
    }
    Ok(desk.service.enable_hook(caller, id, EnableFrom::Backlog).await?)
}

/// A webhook of this format by its id.
pub(crate) async fn find(
    desk: &Desk,
    caller: &Caller,
    id: &str,
    format: &str,
) -> Result<Hook, Refusal> {
    let id = HookId(bits(id, "webhook")?);
    let hook = desk.service.hook(caller, id).await?;
    if hook.format == format { Ok(hook) } else { Err(Refusal::not_found("webhook")) }
}

/// The user that the request names, also as nobody, else the one that the API key acts as.
fn user(call: &Call) -> Result<Option<UserId>, Refusal> {
    let id = if call.params.0.contains_key("id_user") {
        call.params.optional_text("id_user")?
    } else {
        call.presented.id_user().map(str::to_owned)
    };
    id.map(|id| bits(&id, "user").map(UserId)).transpose()
}

/// The events, each once; at least one.
fn required_events(params: &Params) -> Result<Vec<String>, Refusal> {
    let events = params.list("events")?;
    if events.is_empty() {
        let known = crate::format::V1_EVENTS.map(|(event, _)| event).join(", ");
        return Err(Refusal::field("events", format!("must name at least one of {known}")));
    }
    Ok(events)
}

fn delay_ms(params: &Params) -> Result<Option<u64>, Refusal> {
    Ok(params.number("delay")?.map(|seconds| seconds.saturating_mul(1000)))
}

fn headers(params: &Params) -> Result<Option<Vec<(String, Hidden)>>, Refusal> {
    let Some(headers) = params.object("headers")? else { return Ok(None) };
    let each = headers.iter().map(|(name, value)| {
        let value = value.as_str().ok_or_else(|| wrong_header(name))?;
        Ok((name.clone(), Hidden::from(value.to_owned())))
    });
    each.collect::<Result<_, _>>().map(Some)
}

fn wrong_header(name: impl Display) -> Refusal {
    Refusal::field("headers", format!("must have a text as the value of {name}"))
}

/// How long each notification waits; absent: as it is.
pub(crate) fn serving(delay_ms: Option<u64>) -> Serving {
    let coalesce = delay_ms.map(|delay_ms| {
        let wait =
            Coalescing { delay_ms: Some(delay_ms), batch_max: Some(1), ..Coalescing::default() };
        (delay_ms > 0).then_some(wait)
    });
    Serving { coalesce, ..Serving::default() }
}

fn reach(headers: Option<Vec<(String, Hidden)>>) -> Reach {
    Reach { access: AccessChanges { headers, ..AccessChanges::default() }, ..Reach::default() }
}
