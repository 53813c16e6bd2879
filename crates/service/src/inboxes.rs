//! Request inboxes: a place to send webhooks to before one has a receiver. Held in memory only.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, InboxId};
use tidings_core::limits;

use crate::{Caller, Error, Result, Scope, Service};

const TOKEN_BYTES: usize = 24;

/// A request inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbox {
    /// Its id.
    pub id: InboxId,
    /// The secret part of its address, `/inbox/{token}`.
    pub token: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// How many requests it holds.
    pub requests: usize,
}

/// A request that an inbox received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRequest {
    /// When.
    pub received_at: Timestamp,
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header names and values, in order.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
}

impl InboxRequest {
    fn bytes(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        headers + self.method.len() + self.target.len() + self.body.len()
    }
}

/// All inboxes, by token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inboxes(Arc<Mutex<HashMap<String, Held>>>);

#[derive(Debug)]
struct Held {
    id: InboxId,
    app: AppId,
    created_at: Timestamp,
    requests: VecDeque<InboxRequest>,
    bytes: usize,
}

impl Inboxes {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Remembers a request and forgets the oldest ones that no longer fit.
    fn push(&mut self, request: InboxRequest) {
        self.bytes += request.bytes();
        self.requests.push_back(request);
        while self.requests.len() > limits::INBOX_REQUESTS_MAX
            || (self.bytes > limits::INBOX_BYTES_MAX && self.requests.len() > 1)
        {
            let Some(oldest) = self.requests.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }

    fn view(&self, token: &str) -> Inbox {
        Inbox {
            id: self.id,
            token: token.to_owned(),
            created_at: self.created_at,
            requests: self.requests.len(),
        }
    }
}

impl Service {
    /// Creates an inbox. It lives until the process ends.
    ///
    /// # Errors
    /// Forbidden; too many inboxes.
    pub async fn create_inbox(&self, caller: &Caller) -> Result<Inbox> {
        let now = self.now();
        let id = InboxId(self.ids.next(now));
        self.allow(caller, Scope::Hooks, "inbox.create", id).await?;
        caller.must_be_unbound()?;
        let app = caller.app()?;
        let mut token = [0; TOKEN_BYTES];
        self.ids.fill(&mut token);
        let token = URL_SAFE_NO_PAD.encode(token);
        let held = Held { id, app: app.id, created_at: now, requests: VecDeque::new(), bytes: 0 };
        let view = held.view(&token);
        self.hold(token, held)?;
        self.store.audit(Some(app.app_no), caller.did("inbox.create", id), now).await?;
        Ok(view)
    }

    fn hold(&self, token: String, held: Held) -> Result<()> {
        let mut inboxes = self.inboxes.lock();
        let of_app = inboxes.values().filter(|other| other.app == held.app).count();
        if of_app >= limits::APP_INBOXES_MAX {
            return Err(Error::limit(format!("{} inboxes of an app", limits::APP_INBOXES_MAX)));
        }
        if inboxes.len() >= limits::INBOXES_MAX {
            return Err(Error::limit(format!("{} inboxes in all", limits::INBOXES_MAX)));
        }
        inboxes.insert(token, held);
        Ok(())
    }

    /// The inboxes of the app, oldest first.
    ///
    /// # Errors
    /// Forbidden.
    pub fn inboxes(&self, caller: &Caller) -> Result<Vec<Inbox>> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        caller.must_be_unbound()?;
        let app = caller.app()?.id;
        let inboxes = self.inboxes.lock();
        let own = inboxes.iter().filter(|(_, held)| held.app == app);
        let mut found: Vec<_> = own.map(|(token, held)| held.view(token)).collect();
        found.sort_unstable_by_key(|inbox| inbox.id);
        Ok(found)
    }

    /// What an inbox received, oldest first: at most [`limits::INBOX_REQUESTS_MAX`] requests and
    /// [`limits::INBOX_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub fn inbox_requests(&self, caller: &Caller, id: InboxId) -> Result<Vec<InboxRequest>> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        caller.must_be_unbound()?;
        let app = caller.app()?.id;
        let inboxes = self.inboxes.lock();
        let mut own = inboxes.values().filter(|held| held.app == app && held.id == id);
        let held = own.next().ok_or(Error::NotFound("inbox"))?;
        Ok(held.requests.iter().cloned().collect())
    }

    /// Deletes an inbox and what it holds.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn delete_inbox(&self, caller: &Caller, id: InboxId) -> Result<()> {
        self.allow(caller, Scope::Hooks, "inbox.delete", id).await?;
        caller.must_be_unbound()?;
        let app = caller.app()?;
        let removed = {
            let mut inboxes = self.inboxes.lock();
            let before = inboxes.len();
            inboxes.retain(|_, held| held.app != app.id || held.id != id);
            before - inboxes.len()
        };
        if removed == 0 {
            return Err(Error::NotFound("inbox"));
        }
        let entry = caller.did("inbox.delete", id);
        Ok(self.store.audit(Some(app.app_no), entry, self.now()).await?)
    }

    /// Puts a request into the inbox with this token. Whoever knows the token may.
    ///
    /// # Errors
    /// Not found.
    pub fn receive_inbox_request(&self, token: &str, request: InboxRequest) -> Result<()> {
        let mut inboxes = self.inboxes.lock();
        inboxes.get_mut(token).ok_or(Error::NotFound("inbox"))?.push(request);
        Ok(())
    }
}
