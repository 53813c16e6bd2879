//! Writing to CalDAV. A resource holds a whole series, so it is read, changed and put back in the
//! version that was read; what is mirrored is read back, since servers rewrite what they are given.

use serde::Deserialize;
use tidings_providers::caldav::Href;
use tidings_providers::caldav::write::{self as caldav, address};
use tidings_providers::draft::{EventDraft, Notify};
use tidings_providers::errand::WriteKey;
use tidings_providers::error::ProviderError;
use tidings_providers::icalendar::items;
use tidings_providers::icalendar::write::{self as icalendar, Author, Outcome, Target};
use tidings_providers::item::Item;
use url::Url;

use super::{Change, Write, Written};
use crate::sync::Stop;

/// A resource as its server has it now.
struct Resource {
    url: Url,
    href: Href,
    /// As spelled; empty when the server tells none.
    etag: String,
    text: String,
}

/// Creates a resource named after `key`. Should the answer be lost, its name tells.
pub(super) async fn create(
    write: &Write<'_>,
    key: &WriteKey,
    draft: &EventDraft,
    notify: Notify,
) -> Result<Written, Stop> {
    let text = icalendar::create(key.as_str(), draft, &author(write, notify))?;
    let created = put_new(write, key, &text).await?;
    Ok(Written { items: parsed(&created)?, gone: Vec::new() })
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
    let current = current(write, change).await?;
    let key = WriteKey::derived(&[&change.item.resource, &current.etag, change.key]);
    let target = target(change, &key);
    let outcome = icalendar::update(&current.text, &target, draft, &author(write, change.notify))?;
    apply(write, change, current, outcome, &key).await
}

/// Deletes an event, an occurrence, or a series from an occurrence on.
pub(super) async fn delete(write: &Write<'_>, change: &Change<'_>) -> Result<Written, Stop> {
    let current = match current(write, change).await {
        Err(Stop::Provider(ProviderError::Gone { .. })) => {
            let gone = vec![change.item.resource.clone()];
            return Ok(Written { items: Vec::new(), gone });
        }
        other => other?,
    };
    let key = WriteKey::derived(&[&change.item.resource, &current.etag, change.key]);
    let author = author(write, change.notify);
    let outcome = icalendar::delete(&current.text, &target(change, &key), &author)?;
    apply(write, change, current, outcome, &key).await
}

/// Puts back what became of a resource; what begins a series of its own comes first, for that can be
/// repeated and taken back.
async fn apply(
    write: &Write<'_>,
    change: &Change<'_>,
    current: Resource,
    outcome: Outcome,
    key: &WriteKey,
) -> Result<Written, Stop> {
    let (text, following) = match outcome {
        Outcome::Remove => {
            let request = caldav::delete_request(&current.url, &current.etag)?;
            write.client.ask(request, caldav::parse_delete).await?;
            let gone = vec![change.item.resource.clone()];
            return Ok(Written { items: Vec::new(), gone });
        }
        Outcome::Rewrite { resource, following } => (resource, following),
    };
    let second = match following {
        Some(text) => Some(put_new(write, key, &text).await?),
        None => None,
    };
    let request = caldav::update_request(&current.url, &current.etag, &text)?;
    let put = write.client.ask(request, |response| caldav::parse_put(response, false)).await;
    // Without an answer it may be done all the same, and the second part be all that is left of the rest;
    // if not, the same split again finds it.
    let is_refused =
        |stop: &Stop| !matches!(stop, Stop::Provider(ProviderError::Retry { .. }) | Stop::TooLarge);
    if let (Err(stop), Some(second)) = (&put, &second)
        && is_refused(stop)
    {
        let request = caldav::delete_request(&second.url, &second.etag)?;
        write.client.ask(request, caldav::parse_delete).await?;
    }
    put?;
    let now = read(write, current.url, current.href).await?;
    let mut items = parsed(&now)?;
    let mirrored = write
        .providers
        .store
        .items_of(write.collection.collection_no, vec![change.item.resource.clone()]);
    let gone = mirrored.await?.into_iter().map(|item| item.key);
    let gone = gone.filter(|key| !items.iter().any(|item| item.key == *key)).collect();
    let answer = items.iter().position(|item| item.key == change.key).unwrap_or(0);
    items.swap(0, answer);
    if let Some(second) = &second {
        items.splice(0..0, parsed(second)?);
    }
    Ok(Written { items, gone })
}

fn target<'a>(change: &'a Change<'_>, new_uid: &'a WriteKey) -> Target<'a> {
    let of_item = change.item.recurrence_id.as_deref();
    Target {
        occurrence: change.occurrence().or(of_item),
        scope: change.scope,
        new_uid: new_uid.as_str(),
    }
}

fn author<'a>(write: &Write<'a>, notify: Notify) -> Author<'a> {
    let email = write.account.username.as_deref().filter(|name| name.contains('@'));
    Author { now: write.providers.clock.now(), email, notify }
}

/// The resource of the change; refuses when the caller has seen another version of it.
async fn current(write: &Write<'_>, change: &Change<'_>) -> Result<Resource, Stop> {
    #[derive(Deserialize)]
    struct Body {
        original: Original,
    }
    #[derive(Deserialize)]
    struct Original {
        href: String,
    }
    // The server's own spelling, not one made from the event's UID.
    let listed = serde_json::from_slice::<Body>(&change.item.body).map(|body| body.original.href);
    let listed = listed.unwrap_or_else(|_| change.item.resource.clone());
    let home = home(write)?;
    let unusable = || ProviderError::retry("the event's address is none");
    let url = home.join(&listed).map_err(|_| unusable())?;
    let href = Href::read(&home, &listed).ok_or_else(unusable)?;
    let mut current = read(write, url, href).await?;
    if current.etag.is_empty() {
        current.etag.clone_from(&change.item.etag);
    }
    // Some servers call a version weak here and strong there.
    let same = change.if_match.is_some_and(|seen| bare(seen) == bare(&current.etag));
    if !same {
        change.check(&current.etag)?;
    }
    Ok(current)
}

fn bare(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

/// Creates a resource, or finds that it is there already, as after an answer that was lost.
async fn put_new(write: &Write<'_>, key: &WriteKey, text: &str) -> Result<Resource, Stop> {
    let calendar = calendar(write)?;
    let url = address(&calendar, key.as_str());
    let put = async || {
        let request = caldav::create_request(&calendar, key.as_str(), text);
        write.client.ask(request, |response| caldav::parse_put(response, true)).await
    };
    let mut answer = put().await;
    if let Err(Stop::Provider(ProviderError::Retry { after_ms: None, .. })) = answer {
        answer = put().await;
    }
    let href = Href::of(&url);
    match answer {
        Ok(_) => read(write, url, href).await,
        Err(Stop::Provider(ProviderError::Conflict { why })) => {
            match read(write, url, href).await {
                Err(Stop::Provider(ProviderError::Gone { .. })) => {
                    Err(ProviderError::Conflict { why }.into())
                }
                other => other,
            }
        }
        Err(stop) => Err(stop),
    }
}

async fn read(write: &Write<'_>, url: Url, href: Href) -> Result<Resource, Stop> {
    let request = caldav::get_request(&url);
    let (etag, text) = write.client.ask(request, caldav::parse_get).await?;
    Ok(Resource { url, href, etag: etag.unwrap_or_default(), text })
}

fn parsed(resource: &Resource) -> Result<Vec<Item>, ProviderError> {
    let etag = Some(resource.etag.as_str()).filter(|etag| !etag.is_empty());
    items(&resource.href, etag, &resource.text).map_err(|why| {
        ProviderError::retry(format!("what the server made of the event cannot be read: {why}"))
    })
}

fn home(write: &Write<'_>) -> Result<Url, ProviderError> {
    let home = write.account.home_url.as_deref().and_then(|url| Url::parse(url).ok());
    home.ok_or_else(|| ProviderError::retry("the calendars were not found yet; try again"))
}

fn calendar(write: &Write<'_>) -> Result<Url, ProviderError> {
    let path = format!("{}/", write.collection.external_id);
    home(write)?.join(&path).map_err(|_| ProviderError::retry("the calendar's address is none"))
}
