//! Writing to Google Calendar. What is written to is read first, in the version that is then written to
//! (`If-Match`): what Google replaces whole is carried over, and nothing unseen is overwritten.

use tidings_core::clock::Timestamp;
use tidings_providers::draft::{EventDraft, Notify, Scope};
use tidings_providers::errand::WriteKey;
use tidings_providers::error::ProviderError;
use tidings_providers::google::events;
use tidings_providers::google::write::{self as google, Target};
use tidings_providers::item::Item;
use tidings_providers::occurrences;

use super::{Change, Write, Written, moment};
use crate::sync::Stop;

/// What a change is about, as Google has it now.
enum Subject {
    /// A single event, or a whole series.
    Whole(Item),
    /// One occurrence, and its series.
    Occurrence { item: Item, master: Box<Item>, at: Timestamp },
}

/// Creates an event under an id made of `key`. Should the answer be lost, the same id tells.
pub(super) async fn create(
    write: &Write<'_>,
    key: &WriteKey,
    draft: &EventDraft,
    notify: Notify,
) -> Result<Written, Stop> {
    let (settings, calendar) = (write.providers.google()?, &write.collection.external_id);
    let request = google::insert_request(settings, calendar, key, draft, notify)?;
    let mut answer = write.client.ask(request.clone(), google::parse_write).await;
    if let Err(Stop::Provider(ProviderError::Retry { after_ms: None, .. })) = answer {
        answer = write.client.ask(request, google::parse_write).await;
    }
    let item = match answer {
        Err(Stop::Provider(ProviderError::Conflict { .. })) => {
            let request = events::get_request(settings, calendar, key.as_str());
            write.client.ask(request, google::parse_existing).await?
        }
        other => other?,
    };
    Ok(Written { items: vec![item], gone: Vec::new() })
}

/// Changes an event, an occurrence, or a series from an occurrence on. A version that moved meanwhile
/// is read again once, unless the caller named the one that it has seen.
pub(super) async fn update(
    write: &Write<'_>,
    change: &Change<'_>,
    draft: &EventDraft,
) -> Result<Written, Stop> {
    match update_once(write, change, draft).await {
        Err(Stop::Provider(ProviderError::Conflict { .. })) if change.if_match.is_none() => {
            update_once(write, change, draft).await
        }
        other => other,
    }
}

async fn update_once(
    write: &Write<'_>,
    change: &Change<'_>,
    draft: &EventDraft,
) -> Result<Written, Stop> {
    let item = match (subject(write, change).await?, change.scope) {
        (Subject::Whole(item), _) | (Subject::Occurrence { item, .. }, Scope::This) => {
            patch(write, change, &item, draft).await?
        }
        (Subject::Occurrence { item, master, at }, Scope::Following)
            if occurrences::split(&master.event, at).is_some() =>
        {
            return split(write, change, (&master, &item, at), draft).await;
        }
        (Subject::Occurrence { item, master, .. }, Scope::All | Scope::Following) => {
            let draft = occurrences::draft_for_master(draft, &item.event, &master.event);
            patch(write, change, &master, &draft).await?
        }
    };
    Ok(Written { items: vec![item], gone: Vec::new() })
}

/// Deletes an event, an occurrence, or a series from an occurrence on.
pub(super) async fn delete(write: &Write<'_>, change: &Change<'_>) -> Result<Written, Stop> {
    let subject = match subject(write, change).await {
        Err(Stop::Provider(ProviderError::Gone { .. })) => {
            let gone = if change.occurrence().is_some() { Vec::new() } else { key_of(change) };
            return Ok(Written { items: Vec::new(), gone });
        }
        other => other?,
    };
    match (subject, change.scope) {
        (Subject::Whole(item), _) => erase(write, change, &item).await,
        (Subject::Occurrence { item, .. }, Scope::This) => {
            erase(write, change, &item).await?;
            // Google keeps it as a cancelled exception, and lists it as that.
            let cancelled = read(write, &item.key).await?;
            Ok(Written { items: vec![cancelled], gone: Vec::new() })
        }
        (Subject::Occurrence { master, at, .. }, Scope::Following)
            if occurrences::split(&master.event, at).is_some() =>
        {
            let ended = end(write, change, &master, at).await?;
            Ok(Written { items: vec![ended], gone: Vec::new() })
        }
        (Subject::Occurrence { master, .. }, Scope::All | Scope::Following) => {
            erase(write, change, &master).await
        }
    }
}

fn key_of(change: &Change<'_>) -> Vec<String> {
    vec![change.item.key.clone()]
}

/// Reads what the change is about; refuses when the caller has seen another version of it.
async fn subject(write: &Write<'_>, change: &Change<'_>) -> Result<Subject, Stop> {
    let (item, master) = match (change.occurrence(), &change.item.series) {
        (None, None) => {
            let item = read(write, &change.item.key).await?;
            change.check(&item.etag)?;
            return Ok(Subject::Whole(item));
        }
        (None, Some(series)) => {
            let item = read(write, &change.item.key).await?;
            change.check(&item.etag)?;
            (item, read(write, series).await?)
        }
        // An occurrence is known by its series' version.
        (Some(occurrence), _) => {
            let master = read(write, &change.item.key).await?;
            change.check(&master.etag)?;
            (instance(write, &master.key, occurrence).await?, master)
        }
    };
    let at = item.event.recurrence_id.as_deref().or(item.event.start.as_deref()).and_then(moment);
    let at = at.ok_or_else(|| ProviderError::Invalid {
        why: "google does not say which occurrence this is".into(),
    })?;
    Ok(Subject::Occurrence { item, master: Box::new(master), at })
}

async fn read(write: &Write<'_>, id: &str) -> Result<Item, Stop> {
    let settings = write.providers.google()?;
    let request = events::get_request(settings, &write.collection.external_id, id);
    write.client.ask(request, events::parse_event).await
}

/// An occurrence that is no item of its own: by its usual id, else by when it begins.
async fn instance(write: &Write<'_>, master: &str, occurrence: &str) -> Result<Item, Stop> {
    match read(write, &google::instance_id(master, occurrence)).await {
        Err(Stop::Provider(ProviderError::Gone { .. })) => {}
        other => return other,
    }
    let part = |from, to| occurrence.get(from..to).unwrap_or_default();
    let date = format!("{}-{}-{}", part(0, 4), part(4, 6), part(6, 8));
    let start = match occurrence.len() {
        8 => date,
        _ => format!("{date}T{}:{}:{}Z", part(9, 11), part(11, 13), part(13, 15)),
    };
    let (settings, calendar) = (write.providers.google()?, &write.collection.external_id);
    let request = events::instance_request(settings, calendar, master, &start);
    write.client.ask(request, events::parse_instance).await
}

fn target<'a>(write: &'a Write<'_>, change: &Change<'_>, item: &'a Item) -> Target<'a> {
    Target {
        calendar: &write.collection.external_id,
        event: &item.key,
        etag: Some(&item.etag),
        notify: change.notify,
    }
}

async fn patch(
    write: &Write<'_>,
    change: &Change<'_>,
    item: &Item,
    draft: &EventDraft,
) -> Result<Item, Stop> {
    let target = target(write, change, item);
    let request = google::patch_request(write.providers.google()?, &target, &item.event, draft)?;
    write.client.ask(request, google::parse_write).await
}

async fn end(
    write: &Write<'_>,
    change: &Change<'_>,
    master: &Item,
    at: Timestamp,
) -> Result<Item, Stop> {
    let target = target(write, change, master);
    let request = google::end_request(write.providers.google()?, &target, &master.event, at)?;
    write.client.ask(request, google::parse_write).await
}

async fn erase(write: &Write<'_>, change: &Change<'_>, item: &Item) -> Result<Written, Stop> {
    let request = google::delete_request(write.providers.google()?, &target(write, change, item));
    write.client.ask(request, google::parse_delete).await?;
    Ok(Written { items: Vec::new(), gone: vec![item.key.clone()] })
}

/// Makes a series of its own of what follows, then ends the old one before it. Answers the new one first.
async fn split(
    write: &Write<'_>,
    change: &Change<'_>,
    (master, occurrence, at): (&Item, &Item, Timestamp),
    draft: &EventDraft,
) -> Result<Written, Stop> {
    let (settings, calendar) = (write.providers.google()?, &write.collection.external_id);
    let key = WriteKey::derived(&[&master.key, &master.etag, &at.to_string()]);
    let events = (&master.event, &occurrence.event, at);
    let request = google::follow_request(settings, calendar, &key, events, draft, change.notify)?;
    let following = match write.client.ask(request, google::parse_write).await {
        Err(Stop::Provider(ProviderError::Conflict { .. })) => {
            let request = events::get_request(settings, calendar, key.as_str());
            write.client.ask(request, google::parse_existing).await?
        }
        other => other?,
    };
    let stop = match end(write, change, master, at).await {
        Ok(ended) => return Ok(Written { items: vec![following, ended], gone: Vec::new() }),
        Err(stop) => stop,
    };
    if let Stop::Provider(ProviderError::Retry { .. }) = stop {
        // It may be done all the same. Then what follows is all that is left of the rest; if not, the
        // same split again finds it.
        return match read(write, &master.key).await {
            Ok(now) if now.event.recurrence != master.event.recurrence => {
                Ok(Written { items: vec![following, now], gone: Vec::new() })
            }
            _ => Err(stop),
        };
    }
    let whole = Target { etag: None, ..target(write, change, &following) };
    let request = google::delete_request(settings, &whole);
    write.client.ask(request, google::parse_delete).await?;
    Err(stop)
}
