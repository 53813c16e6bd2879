//! The format `connect@1`: what is POSTed to an app's webhook URL (`README.md`, "Delivery").

mod payload;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_core::change::{Change, types};
use tidings_core::format::{Format, Preset, RenderError, RenderInput, Rendered};
use tidings_core::hook::{Coalesce, Grouping};

use payload::{ChangeType, Event, EventItem, Metadata, Payload};

/// The format `connect@1`.
pub const FORMAT: Format = Format {
    name: "connect",
    version: 1,
    title: "Mobiscroll Connect",
    triggers: || vec![types::EVENT_CREATED, types::EVENT_UPDATED, types::EVENT_DELETED],
    knows,
    asks,
    documents,
    batches: &[Grouping::Collection],
    preset: PRESET,
    render,
};

/// What changes in a calendar at about the same time goes into one delivery.
const PRESET: Preset = Preset {
    coalesce: Some(Coalesce {
        group: Grouping::Collection,
        window_ms: 500,
        max_wait_ms: 2_000,
        ..Coalesce::PLAIN
    }),
    ..Preset::PLAIN
};

/// The providers that Connect documents. All of them can be subscribed to by name.
pub(crate) const PROVIDERS: [&str; 4] = ["google", "microsoft", "apple", "caldav"];

/// Connect has no triggers of its own: a subscription is to every change of the events in a calendar.
fn knows(trigger: &str) -> bool {
    trigger == "event.*" || ChangeType::of(trigger).is_some()
}

fn asks(trigger: &str, kind: &str) -> bool {
    ChangeType::of(kind).is_some() && (trigger == "event.*" || trigger == kind)
}

fn documents(kind: &str, provider: &str) -> bool {
    ChangeType::of(kind).is_some() && PROVIDERS.contains(&provider)
}

/// The body of a change of an event, as Tidings writes it.
#[derive(Deserialize)]
struct Content<'a> {
    account: Account,
    calendar: Calendar,
    #[serde(borrow)]
    event: Event<'a>,
}

#[derive(PartialEq, Eq, Deserialize)]
struct Account {
    provider: String,
    user_id: Option<String>,
}

#[derive(PartialEq, Eq, Deserialize)]
struct Calendar {
    id: Option<String>,
    external_id: String,
}

/// Renders changes of events of one calendar.
fn render(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    let last = input.changes.last().ok_or_else(|| refused("there is none"))?;
    let hook = input.hook.to_string();
    let named = input.hook_external_id.unwrap_or(&hook);
    let timestamp = last.recorded_at;
    if input.changes.iter().all(|change| change.new.kind == types::HOOK_TEST) {
        return json(&Payload::test(named, timestamp));
    }
    let contents = input.changes.iter().map(content).collect::<Result<Vec<_>, _>>()?;
    let (_, first) = &contents[0];
    let (account, calendar) = (&first.account, &first.calendar);
    if contents.iter().any(|(_, c)| c.account != *account || c.calendar != *calendar) {
        return Err(refused("a connect request holds changes of one calendar"));
    }
    // The automatic subscription has the app's id; the channel that it tells is the calendar's.
    let is_automatic = named == input.app.to_string();
    let channel_id = if is_automatic { calendar.id.as_deref().unwrap_or(named) } else { named };
    let events = contents
        .iter()
        .zip(input.changes)
        .map(|((change_type, content), change)| {
            let id = content.event.id.as_deref().or(change.new.subject.item.as_deref());
            Ok(EventItem {
                calendar_id: &calendar.external_id,
                id: id.ok_or_else(|| refused("the content names no event"))?,
                provider: &account.provider,
                change_type: *change_type,
                event: &content.event,
            })
        })
        .collect::<Result<Vec<_>, RenderError>>()?;
    let change_type = ChangeType::of_all(contents.iter().map(|(change_type, _)| *change_type));
    json(&Payload {
        provider: &account.provider,
        user_id: account.user_id.as_deref().unwrap_or_default(),
        calendar_id: &calendar.external_id,
        event_type: change_type.event_type(),
        change_type,
        timestamp,
        metadata: Metadata { channel_id, event_count: events.len(), is_initial_sync: false },
        events,
        message: None,
    })
}

fn content(change: &Change) -> Result<(ChangeType, Content<'_>), RenderError> {
    let kind = &change.new.kind;
    let change_type =
        ChangeType::of(kind).ok_or_else(|| refused(&format!("connect does not send {kind}")))?;
    // serde's own message would quote the content.
    let content = serde_json::from_slice(&change.new.body).map_err(|error| {
        let column = error.column();
        refused(&format!("the content is not that of a watched event (see its column {column})"))
    })?;
    Ok((change_type, content))
}

fn json(payload: &Payload<'_>) -> Result<Rendered, RenderError> {
    let body = serde_json::to_vec(payload).map_err(|error| refused(&error.to_string()))?;
    Ok(Rendered {
        headers: Vec::new(),
        content_type: Some("application/json"),
        body: Bytes::from(body),
    })
}

fn refused(why: &str) -> RenderError {
    RenderError(why.to_owned())
}

/// The provider's own object is required by the contract, whatever the source knows of it.
fn no_original() -> &'static RawValue {
    serde_json::from_str("{}").expect("an empty object is JSON")
}

#[cfg(test)]
mod tests;
