//! Writing to Microsoft; see `errand.rs` for what is to be done here.
//!
//! What Graph answers to a write does not show the event whole, and a write to one occurrence touches
//! its series, so what there is afterwards is always read anew.

use std::collections::BTreeSet;

use tidings_core::clock::Timestamp;
use tidings_core::limits::{GRAPH_INSTANCE_REACH_MS, SYNC_PAGES_MAX};
use tidings_providers::draft::{EventDraft, Notify, Scope};
use tidings_providers::errand::WriteKey;
use tidings_providers::error::ProviderError;
use tidings_providers::event::Event;
use tidings_providers::http::Request;
use tidings_providers::item::Item;
use tidings_providers::microsoft::{events, follow, series, write as graph};
use tidings_providers::occurrences;
use tidings_providers::rule::Rule;
use tidings_providers::settings::MicrosoftSettings;

use super::{Change, Write, Written};
use crate::sync::Stop;

/// What of a series a write is about.
enum Target {
    /// The event of that id, alone or as a whole.
    Event(String),
    /// The occurrence of the series that begins at that moment by its rule, and has no event yet.
    Occurrence(String, Timestamp),
    /// That occurrence of the series and all after it.
    Rest(String, Timestamp),
}

pub(super) async fn create(
    write: &Write<'_>,
    key: &WriteKey,
    draft: &EventDraft,
    _notify: Notify,
) -> Result<Written, Stop> {
    let settings = write.providers.microsoft()?;
    let calendar = &write.collection.external_id;
    let request = graph::create_request(settings, calendar, draft, key.as_str())?;
    let id = created(write, settings, request, key.as_str()).await?;
    let items = around(write, settings, &id).await?;
    Ok(Written { items, gone: Vec::new() })
}

pub(super) async fn update(
    write: &Write<'_>,
    change: &Change<'_>,
    draft: &EventDraft,
) -> Result<Written, Stop> {
    let settings = write.providers.microsoft()?;
    let condition = condition(write, settings, change).await?;
    let id = match target(change) {
        Target::Rest(master, at) => {
            if let Some(rest) = split(write, settings, (&master, at), draft).await? {
                return rest_of(write, settings, &rest, &master).await;
            }
            master
        }
        Target::Occurrence(master, at) => instance(write, settings, &master, at).await?,
        Target::Event(id) => id,
    };
    let current = found(write, settings, &id).await?.item;
    let draft = fitted(change, &current, draft);
    // The version was looked at on what the caller named; a series was not.
    let etag = condition.filter(|_| id == change.item.key);
    let request = graph::update_request(settings, &id, &draft, &current.event, etag.as_deref())?;
    let id = write.client.ask(request, graph::parse_written).await?;
    let items = around(write, settings, &id).await?;
    let gone = lost(write, change, &items).await?;
    Ok(Written { items, gone })
}

pub(super) async fn delete(write: &Write<'_>, change: &Change<'_>) -> Result<Written, Stop> {
    let settings = write.providers.microsoft()?;
    let condition = match condition(write, settings, change).await {
        Err(Stop::Provider(ProviderError::Gone { .. })) => None,
        other => other?,
    };
    let (id, master) = match target(change) {
        Target::Rest(master, at) => {
            let whole = whole(write, settings, &master).await?;
            if occurrences::split(&whole[0].event, at).is_some() {
                let request = graph::end_request(settings, &whole[0], at)?;
                write.client.ask(request, graph::parse_written).await?;
                let items = self::whole(write, settings, &master).await?;
                let gone = lost(write, change, &items).await?;
                return Ok(Written { items, gone });
            }
            (master, None)
        }
        Target::Occurrence(master, at) => {
            (instance(write, settings, &master, at).await?, Some(master))
        }
        Target::Event(id) => {
            let master = change.item.series.clone().filter(|master| *master != id);
            (id, master)
        }
    };
    let etag = condition.filter(|_| id == change.item.key);
    let request = graph::delete_request(settings, &id, etag.as_deref());
    write.client.ask(request, graph::parse_deleted).await?;
    let Some(master) = master else {
        return Ok(Written { items: Vec::new(), gone: vec![id] });
    };
    let items = whole(write, settings, &master).await?;
    let gone = lost(write, change, &items).await?;
    Ok(Written { items, gone })
}

/// What `change` is about.
fn target(change: &Change<'_>) -> Target {
    let item = change.item;
    let named = occurrences::split_key(change.key).map(|(_, moment)| moment);
    let moment = item.recurrence_id.as_deref().or(named).and_then(series::moment_of);
    let master = item.series.as_ref().unwrap_or(&item.key).clone();
    // A cancelled occurrence has a key of our making: it is no event.
    let has_event = item.series.is_some() && named.is_none();
    match (change.scope, moment) {
        (Scope::This, Some(_)) if has_event => Target::Event(item.key.clone()),
        (Scope::This, Some(at)) => Target::Occurrence(master, at),
        (Scope::Following, Some(at)) => Target::Rest(master, at),
        (Scope::All, _) | (_, None) => Target::Event(master),
    }
}

/// The draft as it is meant for the event that it is written to: what was said about an occurrence moves
/// its whole series by as much.
fn fitted(change: &Change<'_>, current: &Item, draft: &EventDraft) -> EventDraft {
    let of_series = current.series.is_none() && current.event.recurrence.is_some();
    let named = match of_series {
        true if current.key != change.item.key => serde_json::from_slice(&change.item.body).ok(),
        true => occurrences::split_key(change.key).and_then(|(_, moment)| {
            let of = (current.key.as_str(), &current.event);
            Some(occurrences::occurrence_at(of, moment)?.1)
        }),
        false => None,
    };
    named.map_or_else(
        || draft.clone(),
        |named: Event| occurrences::draft_for_master(draft, &named, &current.event),
    )
}

/// The version to send when the caller named one. Exchange moves it without changing a word, so what
/// counts is what the event says.
async fn condition(
    write: &Write<'_>,
    settings: &MicrosoftSettings,
    change: &Change<'_>,
) -> Result<Option<String>, Stop> {
    let Some(seen) = change.if_match else { return Ok(None) };
    let item = change.item;
    if item.etag.is_empty() {
        return Ok(None);
    }
    let current = found(write, settings, &item.key).await?.item;
    let same = item.etag == seen && current.version.as_bytes() == item.version;
    if current.etag == seen || same {
        return Ok(Some(current.etag));
    }
    let why = "the event was changed meanwhile; read it again";
    Err(ProviderError::Conflict { why: why.into() }.into())
}

/// Sends a creation and answers the event's id, also when the key was used before.
async fn created(
    write: &Write<'_>,
    settings: &MicrosoftSettings,
    request: Request,
    key: &str,
) -> Result<String, Stop> {
    match write.client.ask(request, graph::parse_written).await {
        Err(Stop::Provider(ProviderError::Conflict { why })) => {
            let calendar = &write.collection.external_id;
            let request = graph::created_request(settings, calendar, key);
            let earlier = write.client.ask(request, graph::parse_created).await?;
            earlier.ok_or_else(|| ProviderError::Conflict { why }.into())
        }
        other => other,
    }
}

/// Creates the series that goes on from `at` and ends the first one before; answers the new one's id.
/// `None` when there is nothing before `at`: then the whole series is meant.
async fn split(
    write: &Write<'_>,
    settings: &MicrosoftSettings,
    (master, at): (&str, Timestamp),
    draft: &EventDraft,
) -> Result<Option<String>, Stop> {
    let whole = whole(write, settings, master).await?;
    let master = &whole[0];
    let Some(split) = occurrences::split(&master.event, at) else { return Ok(None) };
    let all = master.event.recurrence.as_deref().and_then(Rule::parse).and_then(|r| r.count());
    let rest = split.after.count();
    let before = all.zip(rest).map_or(0, |(all, rest)| all.saturating_sub(rest));
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    // The same split again creates nothing new, as long as the series was not ended.
    let key = WriteKey::derived(&[&master.key, &at.to_string(), &master.version]);
    let calendar = &write.collection.external_id;
    let request =
        graph::continue_request(settings, calendar, master, (at, before), draft, key.as_str())?;
    let rest = created(write, settings, request, key.as_str()).await?;
    let request = graph::end_request(settings, master, at)?;
    write.client.ask(request, graph::parse_written).await?;
    Ok(Some(rest))
}

async fn rest_of(
    write: &Write<'_>,
    settings: &MicrosoftSettings,
    rest: &str,
    master: &str,
) -> Result<Written, Stop> {
    let mut items = around(write, settings, rest).await?;
    let ended = whole(write, settings, master).await?;
    let gone = lost_of(write, master, &ended).await?;
    items.extend(ended);
    Ok(Written { items, gone })
}

/// The id of an occurrence.
async fn instance(
    write: &Write<'_>,
    settings: &MicrosoftSettings,
    master: &str,
    at: Timestamp,
) -> Result<String, Stop> {
    let reach = GRAPH_INSTANCE_REACH_MS;
    let (from, to) = (at.plus_ms(-reach), at.plus_ms(reach));
    let mut request = series::instances_request(settings, master, from, to);
    for _ in 0..SYNC_PAGES_MAX {
        let page = write.client.ask(request, series::parse_instances).await?;
        if let Some(found) = page.instances.into_iter().find(|one| one.starts_at == at) {
            return Ok(found.id);
        }
        let Some(next) = page.next else { break };
        request = follow(settings, &next)?;
    }
    Err(ProviderError::Gone { why: "the series has no such occurrence".into() }.into())
}

async fn found(
    write: &Write<'_>,
    settings: &MicrosoftSettings,
    id: &str,
) -> Result<events::Found, Stop> {
    write.client.ask(events::request(settings, id), events::parse).await
}

/// The event as it is now, and with it the series that it belongs to.
async fn around(
    write: &Write<'_>,
    settings: &MicrosoftSettings,
    id: &str,
) -> Result<Vec<Item>, Stop> {
    let found = found(write, settings, id).await?;
    let Some(master) = found.series else { return Ok(vec![found.item]) };
    let rest = whole(write, settings, &master).await?;
    if found.is_occurrence {
        return Ok(rest);
    }
    // The event itself shows its properties, which its series does not.
    let first = match rest.iter().find(|item| item.key == id && item.series.is_none()) {
        Some(master) => master.clone(),
        None => found.item,
    };
    let others = rest.into_iter().filter(|item| item.key != first.key);
    Ok(std::iter::once(first.clone()).chain(others).collect())
}

/// A series: the master first, then its exceptions with the properties that we know of.
async fn whole(
    write: &Write<'_>,
    settings: &MicrosoftSettings,
    master: &str,
) -> Result<Vec<Item>, Stop> {
    let read = write.client.ask(series::request(settings, master), series::parse).await?;
    let mut items = vec![read.master];
    items.extend(read.exceptions.unwrap_or_default());
    items.extend(read.cancelled);
    let keys = items.iter().skip(1).map(|item| item.key.clone()).collect();
    let store = &write.providers.store;
    let known = store.items_by_key(write.collection.collection_no, keys).await?;
    for item in items.iter_mut().skip(1) {
        let known = known.iter().find(|known| known.key == item.key);
        let event = known.and_then(|known| serde_json::from_slice::<Event>(&known.body).ok());
        if let Some(event) = event.filter(|event| !event.properties.is_empty()) {
            events::carry_properties(item, event.properties);
        }
    }
    Ok(items)
}

/// What the mirror holds of the event's series and is not there any more.
async fn lost(write: &Write<'_>, change: &Change<'_>, items: &[Item]) -> Result<Vec<String>, Stop> {
    let master = change.item.series.as_ref().unwrap_or(&change.item.key);
    lost_of(write, master, items).await
}

async fn lost_of(write: &Write<'_>, master: &str, items: &[Item]) -> Result<Vec<String>, Stop> {
    let there: BTreeSet<&str> = items.iter().map(|item| item.key.as_str()).collect();
    let store = &write.providers.store;
    let no = write.collection.collection_no;
    let known = store.items_of(no, vec![master.to_owned()]).await?;
    let lost = known.into_iter().filter(|item| item.key != master);
    Ok(lost.map(|item| item.key).filter(|key| !there.contains(key.as_str())).collect())
}
