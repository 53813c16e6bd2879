//! The demo itself: an account and a hook, three changes of a calendar, and what arrives.

use std::io::Write;
use std::time::Duration;

use tidings_core::clock::Clock;
use tidings_core::hook::Providers;
use tidings_core::id::{AccountId, HookId};
use tidings_core::sign::Secret;
use tidings_service::{
    AccountQuery, AccountStatus, Caller, InboxRequest, NewHook, PageInput, Service,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::calendar::{Calendar, Step};
use super::place::Place;
use super::voice::Voice;
use super::webhook::Webhook;
use crate::console::Links;
use crate::error::{Error, Result};
use crate::server::Server;

/// By this the things of an earlier demo in the same directory are known.
pub(super) const NAME: &str = "tidings demo";
/// How often the account is looked at while its first sync runs.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// The first sync of a large calendar may take this long.
const BASELINE_DEADLINE: Duration = Duration::from_secs(600);

/// Everything in place.
pub(super) struct Stage {
    service: Service,
    caller: Caller,
    account: AccountId,
    calendar: Calendar,
    uid: String,
    secret: Secret,
    arrivals: mpsc::Receiver<InboxRequest>,
    clock: Clock,
    url: String,
    inbox: String,
    key: String,
}

impl Stage {
    /// Connects the calendar, makes inbox and hook, and waits for the silent first sync.
    pub(super) async fn set<W: Write>(
        server: &Server,
        clock: Clock,
        key: &str,
        place: Place,
        arrivals: mpsc::Receiver<InboxRequest>,
        voice: &mut Voice<'_, W>,
    ) -> Result<Self> {
        let service = server.service.clone();
        let caller = service.authenticate(key, None).await.map_err(Error::failed("the key"))?;
        clear_earlier(&service, &caller).await?;
        voice.tell(&format!(
            "tidings serves {}; the calendar is {}",
            server.url(),
            place.address()
        ))?;
        let inbox = service.create_inbox(&caller).await.map_err(Error::failed("the inbox"))?;
        let inbox = format!("{}/inbox/{}", server.url(), inbox.token);
        let hook =
            service.create_hook(&caller, hook(&inbox)).await.map_err(Error::failed("the hook"))?;
        voice.tell(&format!("{} takes event.* to {inbox}", hook.hook.id))?;
        let uid = format!("tidings-demo-{}", hook.hook.id);
        let (calendar, account) = Calendar::connect(place, server, &caller, &uid).await?;
        let mut stage = Self {
            service,
            caller,
            account,
            calendar,
            uid,
            secret: hook.secret,
            arrivals,
            clock,
            url: server.url(),
            inbox,
            key: key.to_owned(),
        };
        stage.baseline().await?;
        stage.calendar.watched(server, &stage.caller, account).await?;
        voice.tell(&format!("{account} is connected; its first sync was silent"))?;
        Ok(stage)
    }

    async fn baseline(&self) -> Result<()> {
        let give_up = Instant::now() + BASELINE_DEADLINE;
        loop {
            let account = self.service.account(&self.caller, self.account).await;
            let account = account.map_err(Error::failed("the account"))?;
            if account.baseline_done {
                return Ok(());
            }
            let why = account.status_reason.or(account.last_error);
            if account.status != AccountStatus::Active || Instant::now() > give_up {
                let why = why.unwrap_or_else(|| "the first sync takes too long".into());
                return Err(Error::Failed(format!("the calendar cannot be watched: {why}")));
            }
            sleep(LOOK).await;
        }
    }

    /// Adds, changes and deletes an event; waits for the webhook of each.
    pub(super) async fn change_calendar<W: Write>(
        &mut self,
        voice: &mut Voice<'_, W>,
    ) -> Result<()> {
        for (step, kind) in [
            (Step::Add, "event.created"),
            (Step::Change, "event.updated"),
            (Step::Delete, "event.deleted"),
        ] {
            voice.tell(&self.calendar.words(step))?;
            self.calendar.change(step, &self.uid).await?;
            match self.calendar.pushed().await {
                Some(words) => voice.tell(&words)?,
                None => self.wake().await?,
            }
            self.expect(kind, voice).await?;
        }
        Ok(())
    }

    /// What does not push is looked at now.
    async fn wake(&self) -> Result<()> {
        let woken = self.service.sync_account(&self.caller, self.account).await;
        woken.map(drop).map_err(Error::failed("the account"))
    }

    /// Prints what arrives until it is `kind` about our event, with a good signature.
    async fn expect<W: Write>(&mut self, kind: &str, voice: &mut Voice<'_, W>) -> Result<()> {
        loop {
            let webhook = self.next().await?;
            voice.print(&webhook)?;
            if webhook.uid.as_deref() != Some(&self.uid) || webhook.kind != kind {
                continue;
            }
            if !webhook.verified {
                return Err(Error::Failed(format!("the signature of {} is wrong", webhook.id)));
            }
            return voice.line(&webhook);
        }
    }

    /// Prints whatever arrives, without end.
    pub(super) async fn go_on<W: Write>(&mut self, voice: &mut Voice<'_, W>) -> Result<()> {
        loop {
            let webhook = self.next().await?;
            voice.print(&webhook)?;
        }
    }

    async fn next(&mut self) -> Result<Webhook> {
        let arrived = self.arrivals.recv().await;
        let request = arrived.ok_or_else(|| Error::Failed("the inbox was closed".into()))?;
        Ok(Webhook::read(request, &self.secret, self.clock.now()))
    }

    /// Leaves no event behind in a calendar that outlives the demo.
    pub(super) async fn clear<W: Write>(&self, voice: &mut Voice<'_, W>) {
        if let Some(words) = self.calendar.clear().await {
            // The demo is over, and failing to say so changes nothing.
            drop(voice.tell(&words));
        }
    }

    /// What a person can do next.
    pub(super) async fn what_next(&self) -> String {
        let Self { url, key, inbox, .. } = self;
        let links = Links::of(&self.service, url).await;
        let secret = self.secret.reveal();
        let by_hand = self.calendar.by_hand();
        format!(
            "\n--- all three arrived. The demo stays up; end it with ctrl-c.\n\
             {links}\n\
             API         {url}/api/v1 (described at {url}/openapi.json)\n\
             inbox       {inbox}\n\
             owner key   {key}\n\n\
             change the calendar:\n  {by_hand}\n\n\
             publish a change of your own:\n  curl -H 'authorization: Bearer {key}' \
             -H 'content-type: application/json' \
             -d '{{\"type\":\"invoice.paid\",\"data\":{{\"amount\":12}}}}' {url}/api/v1/changes\n\n\
             the same events in the format pyas (it documents events for Google and Microsoft only, so \
             the hook takes providers: all):\n  curl -H 'authorization: Bearer {key}' \
             -H 'content-type: application/json' -d '{{\"url\":\"{inbox}\",\"format\":\"pyas@1\",\
             \"triggers\":[\"events.created\",\"events.updated\",\"events.deleted\"],\
             \"providers\":\"all\",\"secret\":\"{secret}\"}}' {url}/api/v1/hooks\n"
        )
    }
}

/// Deletes what an earlier demo left in the same directory: its calendar and inbox are gone.
async fn clear_earlier(service: &Service, caller: &Caller) -> Result<()> {
    let page = PageInput::default();
    let accounts = service.accounts(caller, AccountQuery::default(), &page).await;
    for account in accounts.map_err(Error::failed("listing accounts"))?.items {
        if account.name == NAME && account.status != AccountStatus::Deleted {
            let deleted = service.delete_account(caller, account.id).await;
            deleted.map_err(Error::failed("deleting the earlier demo's account"))?;
        }
    }
    let hooks = service.hooks(caller, &page).await.map_err(Error::failed("listing hooks"))?;
    let earlier = hooks.items.iter().filter(|hook| hook.description == NAME);
    for id in earlier.map(|hook| hook.id).collect::<Vec<HookId>>() {
        let deleted = service.delete_hook(caller, id).await;
        deleted.map_err(Error::failed("deleting the earlier demo's hook"))?;
    }
    Ok(())
}

fn hook(inbox: &str) -> NewHook {
    NewHook {
        url: Some(inbox.to_owned()),
        description: Some(NAME.to_owned()),
        triggers: vec!["event.*".to_owned(), "invoice.*".to_owned()],
        providers: Some(Providers::All),
        ..NewHook::default()
    }
}
