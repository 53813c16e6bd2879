//! Retention: what is old is removed, a bounded step at a time, and hooks that lose something are told.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::json;
use tidings_core::change::{NewChange, Origin, Subject, types};
use tidings_core::clock::Timestamp;
use tidings_core::id::ChangeId;
use tidings_core::limits;
use tidings_core::retention::{AppRetention, Retention};
use tidings_core::tally::minute_of;
use tidings_store::{Gap, Trimmed};

use crate::validate::Checks;
use crate::{Caller, Error, Result, Service};

impl Service {
    /// The same service in an installation that keeps what `retention` says.
    #[must_use]
    pub fn keeping(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// What removes that which is old.
    pub fn retainer(&self) -> Retainer {
        Retainer { service: self.clone(), todo: Vec::new(), swept: None }
    }

    /// Whether the disk has so little room that nothing more may be published. Deliveries go on.
    pub fn set_disk_low(&self, low: bool) {
        self.disk_is_low.store(low, Ordering::Relaxed);
    }

    /// # Errors
    /// Full while the disk has too little room.
    pub(crate) fn has_room(&self) -> Result<()> {
        if self.disk_is_low.load(Ordering::Relaxed) { Err(Error::Full) } else { Ok(()) }
    }

    /// An app may keep less than its installation; to keep more needs an owner key.
    pub(crate) fn check_retention(&self, checks: &mut Checks, caller: &Caller, own: &AppRetention) {
        let keeps = own.within(&self.retention);
        for (name, why) in keeps.faults() {
            checks.refuse(format!("/retention/{name}"), "range", why);
        }
        let most = &self.retention;
        let size = |retention: &Retention| retention.journal_bytes.unwrap_or(u64::MAX);
        for (name, more) in [
            ("journal_days", keeps.journal_days > most.journal_days),
            ("journal_bytes", size(&keeps) > size(most)),
            ("attempt_days", keeps.attempt_days > most.attempt_days),
        ] {
            if more && !caller.is_owner() {
                let why = "only an owner key lets an app keep more than the installation does";
                checks.refuse(format!("/retention/{name}"), "needs_owner", why);
            }
        }
    }

    /// Passes a hook over what goes, and tells of it.
    async fn pass_over(&self, hook_no: i64, goal: u64, now: Timestamp) -> Result<()> {
        let id = ChangeId(self.ids.next(now));
        let tell = move |gap: &Gap| gap_change(id, gap, now);
        let gap = self.store.pass_over(hook_no, goal, &self.formats, now, tell).await?;
        if let Some(gap) = gap.filter(Gap::is_loss) {
            let (hook, from_seq, to_seq) = (gap.hook, gap.from_seq, gap.to_seq);
            tracing::warn!(%hook, from_seq, to_seq, "a hook lost changes that were not kept any longer");
        }
        Ok(())
    }
}

/// The change that tells of a gap.
fn gap_change(id: ChangeId, gap: &Gap, now: Timestamp) -> NewChange {
    let body = json!({
        "hook": {"id": gap.hook},
        "from_seq": gap.from_seq,
        "to_seq": gap.to_seq,
        "changes": gap.changes,
        "exhausted": gap.exhausted,
        "replays": gap.replays,
    });
    NewChange {
        id,
        kind: types::HOOK_GAP.into(),
        subject: Subject { hook_no: Some(gap.hook_no), ..Subject::default() },
        order_key: None,
        occurred_at: now,
        origin: Origin::Api,
        actor: None,
        traceparent: None,
        body: Bytes::from(body.to_string()),
    }
}

/// Removes what is old. Whoever drives it lets others work between two steps.
#[derive(Debug)]
pub struct Retainer {
    service: Service,
    /// What is left of this pass; the last goes first.
    todo: Vec<Task>,
    /// When attempts were last gone through.
    swept: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
enum Task {
    /// Forget idempotency keys.
    Keys,
    /// Remove tokens that ended long ago.
    Tokens,
    /// Forget what was counted for charts.
    Minutes,
    /// Remove attempts numbered after this.
    Attempts(i64),
    /// Look at apps after this store key.
    Apps(i64),
    /// Remove an app's changes up to a goal.
    Trim { app_no: i64, goal: u64 },
}

impl Retainer {
    /// Does one bounded piece of the work; begins a pass when none is under way. `false` at the end of a
    /// pass: nothing is old at present.
    ///
    /// # Errors
    /// When the store fails; the next call begins a pass anew.
    pub async fn step(&mut self) -> Result<bool> {
        let now = self.service.now();
        if self.todo.is_empty() {
            self.begin(now);
        }
        let Some(task) = self.todo.pop() else { return Ok(false) };
        let done = self.perform(task, now).await;
        if done.is_err() {
            self.todo.clear();
        }
        done?;
        Ok(!self.todo.is_empty())
    }

    fn begin(&mut self, now: Timestamp) {
        self.todo.extend([Task::Apps(0), Task::Minutes, Task::Tokens, Task::Keys]);
        // Going through what some app keeps for long is worth it now and then.
        let due =
            |swept: Timestamp| now.0.abs_diff(swept.0) >= limits::RETENTION_SLACK_MS.unsigned_abs();
        if self.swept.is_none_or(due) {
            self.swept = Some(now);
            self.todo.push(Task::Attempts(0));
        }
    }

    async fn perform(&mut self, task: Task, now: Timestamp) -> Result<()> {
        let Service { store, formats, retention, .. } = &self.service;
        match task {
            Task::Keys => {
                if store.forget_idempotency(now).await? > 0 {
                    self.todo.push(Task::Keys);
                }
            }
            Task::Tokens => {
                let until = now.plus_ms(-limits::ENDED_TOKENS_KEPT_MS);
                if store.sweep_grants(until, limits::PAGE_MAX as usize).await? > 0 {
                    self.todo.push(Task::Tokens);
                }
            }
            Task::Minutes => {
                let oldest = minute_of(now.plus_ms(-limits::STATS_KEPT_MS));
                if store.forget_minutes(oldest).await? > 0 {
                    self.todo.push(Task::Minutes);
                }
            }
            Task::Attempts(after) => {
                let next = store.forget_attempts(after, *retention, now).await?;
                self.todo.extend(next.map(Task::Attempts));
            }
            Task::Apps(after) => {
                let apps = store.kept_apps(after, limits::PAGE_DEFAULT).await?;
                self.todo.extend(apps.last().map(|app| Task::Apps(app.app_no)));
                for app in apps {
                    let keep = app.own.within(retention);
                    if let Some(goal) = store.trim_goal(app.app_no, keep, now).await? {
                        self.todo.push(Task::Trim { app_no: app.app_no, goal });
                    }
                }
            }
            Task::Trim { app_no, goal } => {
                let held = store.hook_behind(app_no, goal).await?;
                let trimmed = match held {
                    Some(hook_no) => {
                        self.service.pass_over(hook_no, goal, now).await?;
                        Trimmed::Held
                    }
                    None => store.trim(app_no, goal, formats).await?,
                };
                if trimmed != Trimmed::Done {
                    self.todo.push(task);
                }
            }
        }
        Ok(())
    }
}
