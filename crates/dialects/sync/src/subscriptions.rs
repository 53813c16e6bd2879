//! `/v1/webhooks/subscriptions`: webhooks of V3, format `sync@3`, and the catalogue of their events. Requests
//! are documented without answers; these have the fields of the request and those of V1's webhooks.

use serde_json::{Value, json};
use tidings_core::hook::{Coalesce, HookStatus};
use tidings_service::{
    Caller, Coalescing, EnableFrom, Hook, HookChanges, HookMatch, NewHook, Serving,
};

use crate::Desk;
use crate::answer::Answer;
use crate::call::{Call, Verb};
use crate::format::V3_EVENTS;
use crate::params::Params;
use crate::query::Window;
use crate::refusal::Refusal;
use crate::route::nothing_here;
use crate::webhooks::find;
use crate::wire::{ENVIRONMENT, iso};

const FORMAT: &str = "sync@3";
/// Events of a subscription that groups them wait this long for others, ms.
const GROUPING_WINDOW_MS: u64 = 500;
/// And at most this long, ms.
const GROUPING_WAIT_MS: u64 = 2_000;

pub(crate) async fn answer(desk: &Desk, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let caller = call.presented.key_holder(&desk.service).await?;
    match (call.method, rest) {
        (Verb::Get, []) => {
            let window = Window::read(&call.params)?;
            let wanted = HookMatch { format: Some(FORMAT.into()), ..HookMatch::default() };
            let hooks = desk.service.hooks_like(&caller, wanted).await?;
            Answer::of(&window.cut(hooks.iter().map(view)))
        }
        (Verb::Get, [id]) => Answer::of(&view(&find(desk, &caller, id, FORMAT).await?)),
        (Verb::Post, []) => create(desk, &caller, &call.params).await,
        (Verb::Put, [id]) => update(desk, &caller, id, &call.params).await,
        (Verb::Delete, [id]) => {
            let hook = find(desk, &caller, id, FORMAT).await?;
            desk.service.delete_hook(&caller, hook.id).await?;
            Answer::done()
        }
        _ => Err(nothing_here()),
    }
}

/// The events that a subscription can name, and the states of subscriptions, of requests and of entries of the
/// log. The vendor names these catalogues and publishes none of their words: the words are ours.
pub(crate) async fn catalogue(desk: &Desk, call: &Call, name: &str) -> Result<Answer, Refusal> {
    call.presented.reader(&desk.service, &call.params).await?;
    if call.method != Verb::Get {
        return Err(nothing_here());
    }
    let named = |(id, name): &(u32, &str)| json!({ "id": format!("746964696e677300{id:08x}"), "name": name });
    let entries: Vec<Value> = match name {
        "events" => V3_EVENTS
            .iter()
            .map(|event| json!({ "id_webhook_event": event.id, "name": event.name }))
            .collect(),
        "subscription_status" => [(0x11, "active"), (0x12, "disabled")].iter().map(named).collect(),
        "request_status" => [(0x21, "succeeded"), (0x22, "failed")].iter().map(named).collect(),
        "event_log_status" => {
            [(0x31, "pending"), (0x32, "delivered"), (0x33, "failed")].iter().map(named).collect()
        }
        _ => return Err(nothing_here()),
    };
    Answer::of(&Window::read(&call.params)?.cut(entries))
}

fn view(hook: &Hook) -> Value {
    let id_of = |name: &String| V3_EVENTS.iter().find(|event| event.name == name);
    let events: Vec<_> = hook.triggers.iter().filter_map(id_of).map(|event| event.id).collect();
    let modified = (hook.updated_at != hook.created_at).then(|| iso(hook.updated_at));
    json!({
        "id_webhook_subscription": hook.id.0.to_hex24(),
        "id_environment": ENVIRONMENT,
        "description": hook.description,
        "events": events,
        "group_events": u8::from(hook.coalesce.is_some_and(|coalesce| coalesce.batch_max > 1)),
        "url": hook.url,
        "is_disabled": u8::from(hook.status != HookStatus::Active),
        "ct_failed": hook.consecutive_failures,
        "dt_created": iso(hook.created_at),
        "dt_modified": modified,
    })
}

async fn create(desk: &Desk, caller: &Caller, params: &Params) -> Result<Answer, Refusal> {
    let new = NewHook {
        url: Some(params.text("url")?),
        description: params.optional_text("description")?,
        format: Some(FORMAT.into()),
        triggers: events(params)?.ok_or_else(|| Refusal::field("events", "is required"))?,
        serving: serving(params)?,
        ..NewHook::default()
    };
    let created = desk.service.create_hook(caller, new).await?;
    Answer::of(&view(&created.hook))
}

async fn update(
    desk: &Desk,
    caller: &Caller,
    id: &str,
    params: &Params,
) -> Result<Answer, Refusal> {
    let hook = find(desk, caller, id, FORMAT).await?;
    let changes = HookChanges {
        url: params.optional_text("url")?,
        description: params.optional_text("description")?,
        triggers: events(params)?,
        serving: serving(params)?,
        ..HookChanges::default()
    };
    let mut hook = desk.service.update_hook(caller, hook.id, changes).await?;
    if hook.status != HookStatus::Active {
        hook = desk.service.enable_hook(caller, hook.id, EnableFrom::Backlog).await?;
    }
    Answer::of(&view(&hook))
}

/// The events, by id or by name.
fn events(params: &Params) -> Result<Option<Vec<String>>, Refusal> {
    let mut events: Vec<String> = Vec::new();
    for given in params.list("events")? {
        let known = V3_EVENTS.iter().find(|event| event.id == given || event.name == given);
        let Some(known) = known else {
            return Err(Refusal::field(
                "events",
                format!("has no event {given:?}; see the catalogue"),
            ));
        };
        if !events.iter().any(|event| event == known.name) {
            events.push(known.name.to_owned());
        }
    }
    Ok(Some(events).filter(|events| !events.is_empty()))
}

fn serving(params: &Params) -> Result<Serving, Refusal> {
    let grouped = params.flag("group_events")?;
    let coalesce = grouped.map(|grouped| {
        grouped.then_some(Coalescing {
            window_ms: Some(GROUPING_WINDOW_MS),
            max_wait_ms: Some(GROUPING_WAIT_MS),
            batch_max: Some(Coalesce::PLAIN.batch_max),
            ..Coalescing::default()
        })
    });
    Ok(Serving { coalesce, ..Serving::default() })
}
