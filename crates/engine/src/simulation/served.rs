//! How a hook wants to be served, checked from outside: its rate, its intervals, delays and batches.

use std::collections::{BTreeMap, VecDeque};

use tidings_core::clock::Timestamp;
use tidings_core::hook::{Rate, Service, Span};

use super::model::Model;
use super::oracle::{Checked, broken, member_seqs};
use crate::dispatch::Send;

/// Requests that a rate lets through beyond its count in one span: the first one of it, and what whole
/// milliseconds cost.
const BEYOND_RATE: usize = 3;
/// A lane that has this many changes to hold may close windows early.
const BACKLOG: u64 = 200;

/// When the requests of each hook began since the process started.
#[derive(Debug, Default)]
pub(crate) struct Served(BTreeMap<i64, Requests>);

#[derive(Debug, Default)]
struct Requests {
    began: VecDeque<Timestamp>,
    rate: Option<Rate>,
}

impl Served {
    /// The process lost its memory, or its clock was set.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// An attempt begins. `excused`: it was asked for, or its hook is served otherwise since;
    /// `again`: it went out before.
    pub(crate) fn sent(
        &mut self,
        model: &Model,
        by: &Service,
        send: &Send,
        (excused, again): (bool, bool),
        now: Timestamp,
    ) -> Checked {
        let requests = self.0.entry(send.hook_no).or_default();
        if requests.rate != by.rate {
            (requests.began, requests.rate) = (VecDeque::new(), by.rate);
        }
        requests.began.push_back(now);
        requests.keep_rate(send.hook_no)?;
        if excused {
            return Ok(());
        }
        let Some(rule) = &by.coalesce else { return Ok(()) };
        let mut latest = requests.began.iter().rev();
        if let (Some(this), Some(before)) = (latest.next(), latest.next())
            && this.0 - before.0 < rule.min_interval_ms.cast_signed()
        {
            return broken("requests keep their least interval", format!("{before:?} {this:?}"));
        }
        if send.members.count > rule.batch_max {
            return broken(
                "a batch has no more than its hook allows",
                format!("{:?}", send.members),
            );
        }
        let end = model.apps[&send.app_no].journal.len() as u64;
        let seqs = member_seqs(model, send.hook_no, &send.members);
        let mut changes = seqs.iter().filter_map(|seq| model.change(send.app_no, *seq));
        let due = changes.next().map(|first| first.recorded_at.0 + rule.delay_ms.cast_signed());
        if !again && due.is_some_and(|due| now.0 < due) && end < BACKLOG {
            return broken("changes wait for their delay", format!("{:?} {now:?}", send.members));
        }
        Ok(())
    }
}

impl Requests {
    fn keep_rate(&mut self, hook_no: i64) -> Checked {
        let Some(rate) = self.rate else { return Ok(()) };
        let span_ms = match rate.per {
            Span::Second => 1_000,
            Span::Minute => 60_000,
            Span::Hour => 3_600_000,
        };
        let now = self.began.back().map_or(0, |at| at.0);
        while self.began.front().is_some_and(|at| at.0 + span_ms <= now) {
            self.began.pop_front();
        }
        if self.began.len() > rate.count as usize + BEYOND_RATE {
            let what = format!("{} requests of hook {hook_no}, {rate:?}", self.began.len());
            return broken("a hook keeps to its rate", what);
        }
        Ok(())
    }
}
