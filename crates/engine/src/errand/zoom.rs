//! Writing to Zoom; see `errand.rs` for what is to be done here.
//!
//! Zoom takes whatever comes last, so a meeting is read before it is written, and one that is not as the
//! mirror has it is a conflict. Its answers to writes are not whole, so it is read after them too.

use tidings_core::clock::Timestamp;
use tidings_providers::draft::{EventDraft, Notify};
use tidings_providers::errand::WriteKey;
use tidings_providers::error::ProviderError;
use tidings_providers::event::Event;
use tidings_providers::item::Item;
use tidings_providers::zoom::{Key, meetings, write as zoom};

use super::{Change, Write, Written};
use crate::sync::Stop;
use crate::sync::zoom::upcoming;

/// Creates a meeting. Zoom knows no key that would make this idempotent: the store remembers what was
/// made, and when the answer is lost, a meeting that nobody has seen yet and that says the same is it.
pub(super) async fn create(
    write: &Write<'_>,
    _key: &WriteKey,
    draft: &EventDraft,
    _notify: Notify,
) -> Result<Written, Stop> {
    let request = zoom::create_request(write.providers.zoom()?, draft)?;
    let read = |response: &_| {
        let meeting = zoom::parse_created(response)?;
        Ok((meeting, meetings::parse_meeting(response)?))
    };
    let asked_at = write.providers.clock.now();
    let items = match write.client.ask(request, read).await {
        // It is made: trouble with reading it must not be taken for trouble with making it. What is
        // missing then comes with the next look.
        Ok((meeting, answered)) => fetch(write, &meeting).await.unwrap_or(answered),
        Err(Stop::Provider(ProviderError::Retry { after_ms: None, why })) => {
            let lost = || Stop::Provider(ProviderError::retry(why));
            made_unheard(write, draft, asked_at).await.ok().flatten().ok_or_else(lost)?
        }
        Err(stop) => return Err(stop),
    };
    Ok(Written { items, gone: Vec::new() })
}

/// The meeting that was made although no answer came, if it was.
async fn made_unheard(
    write: &Write<'_>,
    draft: &EventDraft,
    asked_at: Timestamp,
) -> Result<Option<Vec<Item>>, Stop> {
    let (store, no) = (&write.providers.store, write.collection.collection_no);
    for meeting in upcoming(write.providers.zoom()?, write.client).await? {
        if store.item(no, meeting.clone()).await?.is_some() {
            continue;
        }
        let items = fetch(write, &meeting).await?;
        if items.first().is_some_and(|item| zoom::is_made_by(draft, asked_at, &item.event)) {
            return Ok(Some(items));
        }
    }
    Ok(None)
}

pub(super) async fn update(
    write: &Write<'_>,
    change: &Change<'_>,
    draft: &EventDraft,
) -> Result<Written, Stop> {
    let current = current(write, change).await?;
    let settings = write.providers.zoom()?;
    let request = zoom::update_request(settings, change.key, change.scope, draft, &current)?;
    write.client.ask(request, zoom::parse_updated).await?;
    after(write, change).await
}

pub(super) async fn delete(write: &Write<'_>, change: &Change<'_>) -> Result<Written, Stop> {
    let meeting = Key::of(change.key).meeting.to_owned();
    let settings = write.providers.zoom()?;
    let current = match current(write, change).await {
        Err(Stop::Provider(ProviderError::Gone { .. })) => {
            return Ok(Written { items: Vec::new(), gone: vec![meeting] });
        }
        other => other?,
    };
    let (scope, notify) = (change.scope, change.notify);
    let request = zoom::delete_request(settings, change.key, scope, notify, &current)?;
    write.client.ask(request, zoom::parse_deleted).await?;
    match after(write, change).await {
        Err(Stop::Provider(ProviderError::Gone { .. })) => {
            Ok(Written { items: Vec::new(), gone: vec![meeting] })
        }
        other => other,
    }
}

/// What is to be written over, as it is now; a conflict when the mirror does not know it so.
async fn current(write: &Write<'_>, change: &Change<'_>) -> Result<Event, Stop> {
    let items = fetch(write, Key::of(change.key).meeting).await?;
    let now = items.into_iter().find(|item| item.key == change.item.key);
    match now {
        Some(now) if now.version.as_bytes() == change.item.version => {
            Ok(as_occurrence(now.event, change))
        }
        _ => Err(ProviderError::Conflict {
            why: "the meeting was changed at Zoom meanwhile; read it again".into(),
        }
        .into()),
    }
}

/// The series' event moved to where an occurrence is that is no item of its own.
fn as_occurrence(series: Event, change: &Change<'_>) -> Event {
    let time = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse);
    let at = Key::of(change.key).occurrence_id().filter(|_| change.key != change.item.key);
    let (Some(at), Some(start), Some(end)) = (at, time(&series.start), time(&series.end)) else {
        return series;
    };
    let start_of_this = Timestamp(at);
    Event {
        start: Some(start_of_this.to_string()),
        end: Some(start_of_this.plus_ms(end.0 - start.0).to_string()),
        ..series
    }
}

/// What the meeting is after a write: what was written first, and which of its mirrored exceptions are
/// none any more.
async fn after(write: &Write<'_>, change: &Change<'_>) -> Result<Written, Stop> {
    let meeting = Key::of(change.key).meeting;
    let mut items = fetch(write, meeting).await?;
    items.sort_by_key(|item| item.key != change.key);
    let (store, no) = (&write.providers.store, write.collection.collection_no);
    let mirrored = store.items_of(no, vec![meeting.to_owned()]).await?;
    let is_there = |key: &str| items.iter().any(|item| item.key == key);
    let gone = mirrored.into_iter().map(|item| item.key).filter(|key| !is_there(key)).collect();
    Ok(Written { items, gone })
}

async fn fetch(write: &Write<'_>, meeting: &str) -> Result<Vec<Item>, Stop> {
    let request = meetings::get_request(write.providers.zoom()?, meeting);
    write.client.ask(request, meetings::parse_meeting).await
}
