//! Zoom: its meetings, listed and read one by one. There is no delta: every look is over all that is
//! upcoming, and a push is only the reason for one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::limits::{SYNC_APPLY_CHUNK, SYNC_PAGES_MAX};
use tidings_providers::error::ProviderError;
use tidings_providers::item::Item;
use tidings_providers::settings::ZoomSettings;
use tidings_providers::zoom::{self, Key, meetings, user};
use tidings_store::{Account, ItemVersion};

use super::Stop;
use super::client::Client;
use super::providers::Providers;
use super::pull::Pull;
use super::source::{Calendars, Pulled};

/// One account at Zoom.
pub(super) struct Driver<'a> {
    settings: &'a ZoomSettings,
    client: &'a Client<'a>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        providers: &'a Providers,
        _account: &'a Account,
        client: &'a Client<'a>,
    ) -> Result<Self, Stop> {
        Ok(Self { settings: providers.zoom()?, client })
    }

    /// The one calendar that every Zoom user has, as long as there is the user.
    pub(super) async fn calendars(&mut self, _whole: bool) -> Result<Calendars, Stop> {
        self.client.ask(user::me_request(self.settings), user::parse_me).await?;
        Ok(Calendars { whole: true, listed: vec![zoom::calendar()], ..Calendars::default() })
    }

    /// Reads every upcoming meeting, and asks about each that is mirrored, not over and not listed:
    /// the listing ends 6 months ahead, and pages may shift while they are read. What is over stays
    /// mirrored, for nobody has deleted it.
    pub(super) async fn pull(&self, pull: &Pull<'_>) -> Result<Pulled, Stop> {
        let mut meetings = upcoming(self.settings, self.client).await?;
        let mirrored = pull.store.item_versions(pull.collection.collection_no).await?;
        meetings.extend(unlisted(pull, &mirrored, &meetings).await?);
        let mut pulled = Pulled::default();
        let mut readable = BTreeSet::new();
        for meeting in meetings {
            match self.read(&meeting).await {
                Ok(Some(items)) => pulled.items.extend(items),
                Ok(None) => {}
                Err(Stop::Provider(error)) if is_its_own(&error) => {
                    pulled.trouble = Some(format!("meeting {meeting} is left out: {error}"));
                    continue;
                }
                Err(stop) => return Err(stop),
            }
            readable.insert(meeting);
        }
        let there: BTreeSet<&str> = pulled.items.iter().map(|item| item.key.as_str()).collect();
        let gone = mirrored
            .iter()
            .map(|known| &known.key)
            .filter(|key| readable.contains(Key::of(key).meeting) && !there.contains(key.as_str()));
        pulled.gone = gone.cloned().collect();
        Ok(pulled)
    }

    /// A meeting's items; `None` when it is not there.
    async fn read(&self, meeting: &str) -> Result<Option<Vec<Item>>, Stop> {
        let request = meetings::get_request(self.settings, meeting);
        match self.client.ask(request, meetings::parse_meeting).await {
            Ok(items) => Ok(Some(items)),
            Err(Stop::Provider(ProviderError::Gone { .. })) => Ok(None),
            Err(stop) => Err(stop),
        }
    }
}

/// The numbers of all upcoming meetings, over all pages.
pub(crate) async fn upcoming(
    settings: &ZoomSettings,
    client: &Client<'_>,
) -> Result<BTreeSet<String>, Stop> {
    let mut found = BTreeSet::new();
    let mut next = None;
    for _ in 0..SYNC_PAGES_MAX {
        let request = meetings::list_request(settings, next.as_deref());
        let page = client.ask(request, meetings::parse_list).await?;
        found.extend(page.meetings);
        next = page.next;
        if next.is_none() {
            return Ok(found);
        }
    }
    Err(ProviderError::permanent("Zoom's list of meetings has no end").into())
}

/// The meetings that only the mirror knows and that are not over.
async fn unlisted(
    pull: &Pull<'_>,
    mirrored: &[ItemVersion],
    listed: &BTreeSet<String>,
) -> Result<Vec<String>, Stop> {
    let now = pull.teller.now;
    let ended = |known: &ItemVersion| known.ends_at.is_some_and(|end| end <= now.0);
    let mut left: BTreeMap<&str, bool> = BTreeMap::new();
    for known in mirrored {
        let meeting = Key::of(&known.key).meeting;
        if !listed.contains(meeting) {
            *left.entry(meeting).or_default() |= !ended(known);
        }
    }
    let keys: Vec<String> =
        left.into_iter().filter(|(_, alive)| *alive).map(|(meeting, _)| meeting.into()).collect();
    let mut asked = Vec::new();
    for keys in keys.chunks(SYNC_APPLY_CHUNK) {
        let no = pull.collection.collection_no;
        let over: BTreeSet<String> = pull
            .store
            .items_by_key(no, keys.to_vec())
            .await?
            .into_iter()
            .filter(|item| is_over(&item.body, now))
            .map(|item| item.key)
            .collect();
        asked.extend(keys.iter().filter(|key| !over.contains(*key)).cloned());
    }
    Ok(asked)
}

fn is_over(body: &[u8], now: Timestamp) -> bool {
    #[derive(Deserialize)]
    struct Body {
        original: Value,
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    body.and_then(|body| zoom::is_over(&body.original, now)).unwrap_or(false)
}

/// Whether an error is about one meeting and must not stop the others.
fn is_its_own(error: &ProviderError) -> bool {
    matches!(
        error,
        ProviderError::Permanent { .. }
            | ProviderError::Invalid { .. }
            | ProviderError::Conflict { .. }
    )
}
