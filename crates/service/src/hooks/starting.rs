//! Telling hooks that Tidings was started.

use std::collections::BTreeSet;

use serde_json::json;
use tidings_core::change::{NewChange, Origin, Subject, types};
use tidings_core::clock::Timestamp;
use tidings_core::format::Formats;
use tidings_core::hook::Selection;
use tidings_core::id::ChangeId;
use tidings_core::limits;

use crate::{Result, Service};

impl Service {
    /// Publishes `service.started` in every app that has an active hook which asks for it, and says in how
    /// many. To be called once a start.
    ///
    /// # Errors
    /// Unavailable: apps of an earlier batch may have been told.
    pub async fn announce_start(&self) -> Result<usize> {
        let apps = self.apps_that_ask().await?;
        let apps: Vec<i64> = apps.into_iter().collect();
        for some in apps.chunks(limits::STARTS_AT_ONCE) {
            let now = self.now();
            let changes = some.iter().map(|&app_no| (app_no, self.started(now))).collect();
            self.store.append_to_apps(changes, now).await?;
        }
        Ok(apps.len())
    }

    /// Store keys of the apps with an active hook that asks for it.
    async fn apps_that_ask(&self) -> Result<BTreeSet<i64>> {
        let (mut apps, mut after) = (BTreeSet::new(), 0);
        loop {
            let page = self.store.active_hooks(after, limits::PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(apps) };
            after = last.hook_no;
            let asking = page.iter().filter(|hook| asks(&self.formats, &hook.selection));
            apps.extend(asking.map(|hook| hook.app_no));
        }
    }

    fn started(&self, now: Timestamp) -> NewChange {
        NewChange {
            id: ChangeId(self.ids.next(now)),
            kind: types::SERVICE_STARTED.into(),
            subject: Subject::default(),
            order_key: None,
            occurred_at: now,
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body: json!({"service": {"version": env!("CARGO_PKG_VERSION"), "started_at": now}})
                .to_string()
                .into(),
        }
    }
}

fn asks(formats: &Formats, selection: &Selection) -> bool {
    formats.get(&selection.format).is_some_and(|format| {
        selection.triggers.iter().any(|trigger| (format.asks)(trigger, types::SERVICE_STARTED))
    })
}
