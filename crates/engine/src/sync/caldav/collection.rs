//! One calendar: which of its resources changed, what they hold now, and how that differs from the
//! mirror.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tidings_core::limits::{CALDAV_MULTIGET_CHUNK, SYNC_COMMIT_ROWS, SYNC_PAGES_MAX};
use tidings_providers::caldav::probe::Calendar;
use tidings_providers::caldav::sync::{self, Member, Page};
use tidings_providers::error::ProviderError;
use tidings_providers::icalendar::{self, Malformed};
use tidings_store::Item;

use crate::mirror;
use crate::sync::Stop;
use crate::sync::client::Client;
use crate::sync::pull::Pull;

/// What a calendar's sync works with.
pub(super) struct Watch<'a, 'p> {
    pub(super) client: &'a Client<'a>,
    pub(super) calendar: &'a Calendar,
    pub(super) pull: &'a mut Pull<'p>,
}

/// What changed since the last look, and the cursor for the next one.
struct Found {
    changed: Vec<Member>,
    removed: Vec<String>,
    token: Option<String>,
}

/// A fetched resource: what to store as its etag, and its items unless it cannot be read.
struct Resource {
    key: String,
    etag: String,
    items: Result<Vec<Item>, Malformed>,
}

impl Watch<'_, '_> {
    /// Compares the calendar with the mirror. What went is told before what came, so that an event
    /// that only moved to another address is there in the end.
    pub(super) async fn sync(mut self) -> Result<(), Stop> {
        let found = self.find().await?;
        let no = self.pull.collection.collection_no;
        for resources in found.removed.chunks(CALDAV_MULTIGET_CHUNK) {
            for item in self.pull.store.items_of(no, resources.to_vec()).await? {
                self.pull.write(mirror::Difference::Deleted(item)).await?;
            }
        }
        let unreadable = self.fetch(found.changed).await?;
        let trouble = unreadable.map(|(resource, why)| format!("{resource} is left out: {why}"));
        self.pull.finish(self.calendar.tag(), found.token, None, trouble).await
    }

    async fn find(&self) -> Result<Found, Stop> {
        if let Some(token) = &self.pull.collection.sync_token
            && self.calendar.supports_sync
            && let Some(mut delta) = self.delta(token).await?
        {
            if self.pull.teller.account.failures > 0 {
                // The pass that failed may have come far: go on where it stopped.
                let mirrored = self.mirrored().await?;
                delta.changed.retain(|member| !is_mirrored(&mirrored, member));
            }
            return Ok(delta);
        }
        self.everything().await
    }

    /// What changed since `token`, over all pages. `None` when the server refuses the token.
    async fn delta(&self, token: &str) -> Result<Option<Found>, Stop> {
        let mut asked = token.to_owned();
        let mut state: BTreeMap<String, Option<Member>> = BTreeMap::new();
        for _ in 0..SYNC_PAGES_MAX {
            let page = match self.page(&asked).await {
                Ok(page) => page,
                Err(Stop::Provider(ProviderError::TokenRefused { .. })) => return Ok(None),
                Err(error) => return Err(error),
            };
            state.extend(page.changed.into_iter().map(|m| (m.href.key.clone(), Some(m))));
            state.extend(page.removed.into_iter().map(|href| (href.key, None)));
            if !page.truncated {
                let (mut changed, mut removed) = (Vec::new(), Vec::new());
                for (key, member) in state {
                    match member {
                        Some(member) => changed.push(member),
                        None => removed.push(key),
                    }
                }
                return Ok(Some(Found { changed, removed, token: Some(page.token) }));
            }
            asked = page.token;
        }
        Err(ProviderError::permanent("the calendar server's list of changes has no end").into())
    }

    async fn page(&self, token: &str) -> Result<Page, Stop> {
        let (url, asked) = (self.calendar.url.clone(), token.to_owned());
        let request = sync::request(&url, token);
        self.client.ask(request, move |response| sync::parse(&url, response, &asked)).await
    }

    /// Compares all members with the mirror by entity tag. The empty token gives the cursor, asked for
    /// before the listing so that nothing falls between; which members there are is taken from the
    /// listing, since servers are known to cut the answer to the empty token short.
    async fn everything(&self) -> Result<Found, Stop> {
        let token = match self.calendar.supports_sync {
            true => self.delta("").await?.and_then(|found| found.token),
            false => None,
        };
        let url = self.calendar.url.clone();
        let request = sync::list_request(&url);
        let members =
            self.client.ask(request, move |response| sync::parse_list(&url, response)).await?;
        let mirrored = self.mirrored().await?;
        let listed: BTreeSet<&str> = members.iter().map(|m| m.href.key.as_str()).collect();
        let removed: BTreeSet<&String> = mirrored
            .iter()
            .map(|(resource, _)| resource)
            .filter(|resource| !listed.contains(resource.as_str()))
            .collect();
        let removed = removed.into_iter().cloned().collect();
        let changed = members.iter().filter(|m| !is_mirrored(&mirrored, m)).cloned().collect();
        Ok(Found { changed, removed, token })
    }

    async fn mirrored(&self) -> Result<BTreeSet<(String, String)>, Stop> {
        let mirrored = self.pull.store.resource_etags(self.pull.collection.collection_no).await?;
        Ok(mirrored.into_iter().collect())
    }

    /// Fetches `members` and writes how they differ from the mirror. Says which resource could not be
    /// read, if any; it stays in the mirror as it is.
    async fn fetch(&mut self, members: Vec<Member>) -> Result<Option<(String, String)>, Stop> {
        let mut unreadable = None;
        let mut chunks: VecDeque<Vec<Member>> =
            members.chunks(CALDAV_MULTIGET_CHUNK).map(<[Member]>::to_vec).collect();
        while let Some(mut chunk) = chunks.pop_front() {
            let resources = match self.multiget(&chunk).await {
                Ok(resources) => resources,
                Err(Stop::TooLarge) if chunk.len() > 1 => {
                    let rest = chunk.split_off(chunk.len() / 2);
                    chunks.push_front(rest);
                    chunks.push_front(chunk);
                    continue;
                }
                Err(Stop::TooLarge) => {
                    let why = Malformed::TooLarge.to_string();
                    unreadable = chunk.pop().map(|member| (member.href.key, why));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let keys = resources.iter().map(|resource| resource.key.clone()).collect();
            let mut mirrored: BTreeMap<String, Vec<Item>> = BTreeMap::new();
            for item in self.pull.store.items_of(self.pull.collection.collection_no, keys).await? {
                mirrored.entry(item.resource.clone()).or_default().push(item);
            }
            for resource in resources {
                let old = mirrored.remove(&resource.key).unwrap_or_default();
                match resource.items {
                    Ok(items) => {
                        self.compare(&resource.key, &resource.etag, &old, items).await?;
                    }
                    Err(why) => unreadable = Some((resource.key, why.to_string())),
                }
            }
        }
        Ok(unreadable)
    }

    /// Fetches some members. What is gone or hidden is left out: that proves nothing.
    async fn multiget(&self, members: &[Member]) -> Result<Vec<Resource>, Stop> {
        let url = self.calendar.url.clone();
        let request = sync::multiget_request(&url, members);
        let members = members.to_vec();
        let read = move |response: &_| {
            let fetched = sync::parse_multiget(&url, &members, response)?;
            let listed: BTreeMap<&str, &Member> =
                members.iter().map(|member| (member.href.key.as_str(), member)).collect();
            let resources = fetched.objects.into_iter().filter_map(|object| {
                let text = object.icalendar?;
                // The listed tag is what the next listing is compared with: some servers spell it
                // differently here. Should it be older than the content, we only look once more.
                let listed = listed.get(object.href.key.as_str()).and_then(|m| m.etag.clone());
                let etag = listed.or_else(|| object.etag.clone()).unwrap_or_default();
                let items = icalendar::items(&object.href, object.etag.as_deref(), &text);
                let items = items
                    .map(|items| items.into_iter().map(|item| mirrored(item, &etag)).collect());
                Some(Resource { key: object.href.key, etag, items })
            });
            Ok(resources.collect())
        };
        self.client.ask(request, read).await
    }

    /// Writes how a resource differs from the mirror. Its entity tag is written last: as long as it is
    /// not, a full comparison fetches the resource again.
    async fn compare(
        &mut self,
        resource: &str,
        etag: &str,
        old: &[Item],
        new: Vec<Item>,
    ) -> Result<(), Stop> {
        let keeps_old = old.iter().any(|item| item.etag != etag);
        let differences = mirror::differences(old, new);
        let is_long = differences.len() * 3 > SYNC_COMMIT_ROWS;
        for mut difference in differences {
            if is_long
                && let mirror::Difference::Created(item) | mirror::Difference::Updated(item) =
                    &mut difference
            {
                item.etag.clear();
            }
            self.pull.write(difference).await?;
        }
        if keeps_old || is_long {
            self.pull.touch(resource, etag).await?;
        }
        Ok(())
    }
}

fn mirrored(item: icalendar::Item, etag: &str) -> Item {
    mirror::mirrored(icalendar::Item { etag: etag.to_owned(), ..item })
}

/// Whether the mirror holds this very version, as (resource, etag).
fn is_mirrored(mirrored: &BTreeSet<(String, String)>, member: &Member) -> bool {
    let seen = |etag: &String| (member.href.key.clone(), etag.clone());
    member.etag.as_ref().is_some_and(|etag| mirrored.contains(&seen(etag)))
}
