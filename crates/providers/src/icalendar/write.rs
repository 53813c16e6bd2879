//! Writing into a CalDAV resource: from what it says and a draft to what it shall say.
//!
//! A resource is one UID: a master and its exceptions. Lines that a write does not concern keep their bytes,
//! so that nothing is lost that we do not understand. What comes out defines every time zone that it
//! names and gives every event an end.
//!
//! A split ("this and all following") makes a second resource. Create that first, which can be repeated,
//! then write the first; should that be refused, delete the second.

use tidings_core::clock::Timestamp;
use tidings_core::limits::PROVIDER_ITEM_BYTES_MAX;

use super::Item;
use crate::caldav::Href;
use crate::draft::{EventDraft, Field, Notify, Scope};
use crate::error::ProviderError;
use crate::event::Event;
use crate::occurrences;
use crate::rule::Rule;
use crate::zone::Zone;
use dates::{Form, Shift, kept, stamp};
use fields::{Role, apply, end_of, touch, until_like};
use text::{Block, Document};

mod dates;
mod fields;
mod text;
mod zones;

/// The property that holds custom properties of ours: a JSON object, as TEXT.
pub(super) const PROPERTIES: &str = "X-TIDINGS-PROPERTIES";

/// The years 1 to 9000: what calendars hold.
const ALL_TIME: (Timestamp, Timestamp) =
    (Timestamp(-62_135_596_800_000), Timestamp(221_845_392_000_000));

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// Now, for stamps.
    pub now: Timestamp,
    /// The address of the calendar's owner, who organises what has attendees; where it is known.
    pub email: Option<&'a str>,
    /// Whom the server tells. It tells nobody who is new among the attendees when that is no one.
    pub notify: Notify,
}

/// What of a resource is written to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The occurrence, by the moment at which it begins by the rule (`20261203T080000Z`, or `20261203`);
    /// absent: the event or the series itself.
    pub occurrence: Option<&'a str>,
    /// How much of the series, from that occurrence.
    pub scope: Scope,
    /// The UID of what a split begins.
    pub new_uid: &'a str,
}

/// What to do about the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Write this.
    Rewrite {
        /// The resource's new text.
        resource: String,
        /// The text of a second resource, under the UID that was given, to be created before.
        following: Option<String>,
    },
    /// Delete it: nothing of it is left.
    Remove,
}

/// The text of a new resource with the event of `draft`.
///
/// # Errors
/// [`ProviderError::Invalid`] when iCalendar has no such thing.
pub fn create(uid: &str, draft: &EventDraft, author: &Author<'_>) -> Result<String, ProviderError> {
    let mut event = Block::new("VEVENT");
    event.push(&format!("UID:{}", text::escaped(uid)));
    event.push(&stamp("DTSTAMP", author.now));
    event.push(&stamp("CREATED", author.now));
    event.push(&stamp("LAST-MODIFIED", author.now));
    event.push("SEQUENCE:0");
    apply(&mut event, Role::Master, draft, author)?;
    let mut document = Document::empty();
    document.add(event);
    finish(document, author.now)
}

/// Changes what `target` names in the resource `text` as `draft` says.
///
/// # Errors
/// [`ProviderError::Invalid`] when iCalendar has no such thing, or the event is in a time zone that only
/// the resource defines; [`ProviderError::Gone`] when the resource has no such event or occurrence.
pub fn update(
    text: &str,
    target: &Target<'_>,
    draft: &EventDraft,
    author: &Author<'_>,
) -> Result<Outcome, ProviderError> {
    let mut object = Object::read(text)?;
    object.in_known_zones()?;
    match (target.occurrence, target.scope) {
        (None, _) => object.change_series(draft, author)?,
        (Some(at), Scope::This) => object.change_occurrence(at, draft, author)?,
        (Some(at), Scope::Following) if !object.is_first(at)? => {
            let following = object.split(at, target.new_uid, draft, author)?;
            let following = Some(finish(following.document, author.now)?);
            let resource = finish(object.document, author.now)?;
            return Ok(Outcome::Rewrite { resource, following });
        }
        (Some(at), Scope::All | Scope::Following) => {
            let occurrence = object.occurrence(at)?;
            let (_, master) = object.master()?;
            let draft = occurrences::draft_for_master(draft, &occurrence, master);
            object.change_series(&draft, author)?;
        }
    }
    Ok(Outcome::Rewrite { resource: finish(object.document, author.now)?, following: None })
}

/// Takes what `target` names out of the resource `text`.
///
/// # Errors
/// [`ProviderError::Invalid`] when it is part of a series in a time zone that only the resource defines;
/// [`ProviderError::Gone`] when the resource has no such event or occurrence.
pub fn delete(
    text: &str,
    target: &Target<'_>,
    author: &Author<'_>,
) -> Result<Outcome, ProviderError> {
    let Some(at) = target.occurrence.filter(|_| target.scope != Scope::All) else {
        return Ok(Outcome::Remove);
    };
    let mut object = Object::read(text)?;
    object.in_known_zones()?;
    if target.scope == Scope::Following {
        if object.is_first(at)? {
            return Ok(Outcome::Remove);
        }
        object.end_before(at, author)?;
    } else {
        object.exclude(at, author)?;
    }
    let resource = finish(object.document, author.now)?;
    let left = Object::read(&resource).is_ok_and(|object| object.has_occurrences());
    Ok(if left { Outcome::Rewrite { resource, following: None } } else { Outcome::Remove })
}

/// A resource, as text and as what it says; both in the order of its VEVENTs.
#[derive(Clone, Debug)]
struct Object {
    document: Document,
    items: Vec<Item>,
}

fn gone() -> ProviderError {
    ProviderError::Gone { why: "the calendar object has no such event or occurrence".into() }
}

/// Seconds of a compact moment.
fn second_of(moment: &str) -> Option<i64> {
    let line = text::Line::new(&format!("X:{moment}"));
    Form::of(&line).moments(&line, 0).first().copied()
}

impl Object {
    fn read(text: &str) -> Result<Self, ProviderError> {
        let document = Document::read(text);
        let href = Href { sent: "/".into(), key: "/".into() };
        let items = super::listed(&href, None, text)
            .map_err(|why| ProviderError::Invalid { why: why.to_string() })?;
        if document.blocks("VEVENT").count() != items.len() {
            return Err(ProviderError::Invalid { why: super::Malformed::Broken.to_string() });
        }
        Ok(Self { document, items })
    }

    /// Refuses times in a zone that only the object itself defines (by its VTIMEZONE). They are read by
    /// that definition, but dates are moved, ends found and series split by the rules of a zone that we
    /// know: taken for UTC, they would move the event by hours.
    fn in_known_zones(&self) -> Result<(), ProviderError> {
        let lines = self.document.blocks("VEVENT").flat_map(Block::all);
        let mut named = lines.filter_map(|line| line.parameter("TZID"));
        match named.find(|name| Zone::named(name).is_none()) {
            None => Ok(()),
            Some(name) => Err(ProviderError::Invalid {
                why: format!(
                    "the event is in the time zone {name:?}, which nothing but its own calendar object \
                     defines: change it where it was made, or delete it and create it in a zone of the \
                     IANA database"
                ),
            }),
        }
    }

    /// The number and the body of the event or series itself.
    fn master(&self) -> Result<(usize, &Event), ProviderError> {
        let found = self.items.iter().position(|item| item.recurrence_id.is_none());
        found.map(|n| (n, &self.items[n].event)).ok_or_else(gone)
    }

    fn exception(&self, at: &str) -> Option<usize> {
        self.items.iter().position(|item| item.recurrence_id.as_deref() == Some(at))
    }

    fn block(&mut self, n: usize) -> Result<&mut Block, ProviderError> {
        self.document.block_mut("VEVENT", n).ok_or_else(gone)
    }

    /// The form and the start (seconds) of the series.
    fn start(&self) -> Result<(Form, i64), ProviderError> {
        let (n, _) = self.master()?;
        let line = self.document.blocks("VEVENT").nth(n).and_then(|block| block.get("DTSTART"));
        let line = line.ok_or_else(gone)?;
        let form = Form::of(line);
        let start = form.moments(line, 0).first().copied().ok_or_else(gone)?;
        Ok((form, start))
    }

    fn occurrence(&self, at: &str) -> Result<Event, ProviderError> {
        if let Some(n) = self.exception(at) {
            return Ok(self.items[n].event.clone());
        }
        let (_, master) = self.master()?;
        let found = occurrences::occurrence_at(("", master), at);
        found.map(|(_, event)| event).ok_or_else(gone)
    }

    /// Whether nothing of the series lies before the occurrence, which must be there.
    fn is_first(&self, at: &str) -> Result<bool, ProviderError> {
        self.occurrence(at)?;
        let (_, start) = self.start()?;
        Ok(second_of(at).ok_or_else(gone)? <= start)
    }

    fn change_series(
        &mut self,
        draft: &EventDraft,
        author: &Author<'_>,
    ) -> Result<(), ProviderError> {
        let (master, _) = self.master()?;
        let block = self.block(master)?;
        let shift = apply(block, Role::Master, draft, author)?;
        touch(block, author.now);
        if draft.recurrence == Field::Clear {
            self.document.keep("VEVENT", |n| n == master);
        } else if let Some(shift) = shift {
            self.shift(master, &shift)?;
        }
        Ok(())
    }

    /// Lets the dates of the series follow its start.
    fn shift(&mut self, master: usize, shift: &Shift) -> Result<(), ProviderError> {
        let block = self.block(master)?;
        shift.apply(block, &["EXDATE", "RDATE"]);
        let form = block.get("DTSTART").map(Form::of);
        let rule = block.value("RRULE").and_then(Rule::parse);
        if let (Some(form), Some(rule)) = (form, rule) {
            block.set("RRULE", &format!("RRULE:{}", until_like(&rule, &form)));
        }
        for n in (0..self.items.len()).filter(|n| *n != master) {
            shift.apply(self.block(n)?, &["RECURRENCE-ID"]);
        }
        Ok(())
    }

    fn change_occurrence(
        &mut self,
        at: &str,
        draft: &EventDraft,
        author: &Author<'_>,
    ) -> Result<(), ProviderError> {
        if let Some(n) = self.exception(at) {
            let block = self.block(n)?;
            apply(block, Role::Exception, draft, author)?;
            touch(block, author.now);
            return Ok(());
        }
        self.occurrence(at)?;
        let (form, _) = self.start()?;
        let moment = second_of(at).ok_or_else(gone)?;
        let mut exception = self.master_at(moment)?;
        exception.remove(&["RRULE", "RDATE", "EXDATE", "EXRULE"]);
        exception.set("RECURRENCE-ID", &form.line("RECURRENCE-ID", moment));
        apply(&mut exception, Role::Exception, draft, author)?;
        touch(&mut exception, author.now);
        self.document.add(exception);
        Ok(())
    }

    /// The series' VEVENT as if it began at `moment` (seconds), as long as it is by the clock.
    fn master_at(&mut self, moment: i64) -> Result<Block, ProviderError> {
        let (form, start) = self.start()?;
        let (master, _) = self.master()?;
        let mut block = self.block(master)?.clone();
        if let Some((until, end)) = end_of(&block) {
            let length = form.wall(end) - form.wall(start);
            let end = form.moment(form.wall(moment) + length);
            block.set("DTEND", &until.line("DTEND", end));
            block.remove(&["DURATION"]);
        }
        block.set("DTSTART", &form.line("DTSTART", moment));
        Ok(block)
    }

    /// Ends the series before the occurrence, which is not its first.
    fn end_before(&mut self, at: &str, author: &Author<'_>) -> Result<(), ProviderError> {
        let moment = second_of(at).ok_or_else(gone)?;
        let (form, start) = self.start()?;
        let (master, event) = self.master()?;
        let split = occurrences::split(event, Timestamp(moment * 1_000)).ok_or_else(no_split)?;
        let block = self.block(master)?;
        block.set("RRULE", &format!("RRULE:{}", until_like(&split.before, &form)));
        keep_dates(block, &form, start, |date| date < moment);
        touch(block, author.now);
        self.keep_exceptions(|date| date < moment);
        Ok(())
    }

    /// Ends the series before the occurrence; answers what begins there, changed as `draft` says.
    fn split(
        &mut self,
        at: &str,
        uid: &str,
        draft: &EventDraft,
        author: &Author<'_>,
    ) -> Result<Self, ProviderError> {
        let mut rest = self.clone();
        self.end_before(at, author)?;
        let moment = second_of(at).ok_or_else(gone)?;
        let (form, start) = rest.start()?;
        let (master, event) = rest.master()?;
        let split = occurrences::split(event, Timestamp(moment * 1_000)).ok_or_else(no_split)?;
        let mut begins = rest.master_at(moment)?;
        begins.set("RRULE", &format!("RRULE:{}", split.after));
        begins.set("SEQUENCE", "SEQUENCE:0");
        begins.set("CREATED", &stamp("CREATED", author.now));
        keep_dates(&mut begins, &form, start, |date| date >= moment);
        *rest.block(master)? = begins;
        for n in 0..rest.items.len() {
            rest.block(n)?.set("UID", &format!("UID:{}", text::escaped(uid)));
        }
        if let Some(n) = rest.exception(at) {
            let draft = EventDraft { recurrence: Field::Keep, ..draft.clone() };
            let block = rest.block(n)?;
            apply(block, Role::Exception, &draft, author)?;
            touch(block, author.now);
        }
        rest.change_series(draft, author)?;
        if draft.recurrence != Field::Clear {
            rest.keep_exceptions(|date| date >= moment);
        }
        Ok(rest)
    }

    /// Takes an occurrence out of its series.
    fn exclude(&mut self, at: &str, author: &Author<'_>) -> Result<(), ProviderError> {
        self.occurrence(at)?;
        let moment = second_of(at).ok_or_else(gone)?;
        if let Ok((form, _)) = self.start() {
            let (master, _) = self.master()?;
            let block = self.block(master)?;
            block.push(&form.line("EXDATE", moment));
            touch(block, author.now);
        }
        self.keep_exceptions(|date| date != moment);
        Ok(())
    }

    /// Keeps the exceptions that replace a moment that `keep` accepts.
    fn keep_exceptions(&mut self, keep: impl Fn(i64) -> bool) {
        let keeps =
            |item: &Item| item.recurrence_id.as_deref().and_then(second_of).is_none_or(&keep);
        let kept: Vec<bool> = self.items.iter().map(keeps).collect();
        self.document.keep("VEVENT", |n| kept.get(n).copied().unwrap_or(true));
        let mut kept = kept.into_iter();
        self.items.retain(|_| kept.next().unwrap_or(true));
    }

    fn has_occurrences(&self) -> bool {
        let Ok((_, master)) = self.master() else { return !self.items.is_empty() };
        let exceptions = self.items.iter().filter(|item| item.recurrence_id.is_some());
        let exceptions: Vec<_> =
            exceptions.map(|item| (item.key.clone(), item.event.clone())).collect();
        let (from, to) = ALL_TIME;
        !occurrences::expand(("", master), &exceptions, from, to, 1).events.is_empty()
    }
}

fn no_split() -> ProviderError {
    ProviderError::Invalid { why: "the series cannot be split at this occurrence".into() }
}

fn keep_dates(block: &mut Block, form: &Form, start: i64, keep: impl Fn(i64) -> bool) {
    block.rewrite(|line| {
        let name = ["EXDATE", "RDATE"].into_iter().find(|name| line.is(name))?;
        kept(form, start, line, name, &keep)
    });
}

fn finish(mut document: Document, now: Timestamp) -> Result<String, ProviderError> {
    let starts = document.blocks("VEVENT").filter_map(|block| block.get("DTSTART"));
    let starts = starts.filter_map(|line| Form::of(line).moments(line, 0).first().copied());
    let first = starts.min().unwrap_or_else(|| now.unix_seconds());
    zones::complete(&mut document, first, now);
    let text = document.to_string();
    if text.len() > PROVIDER_ITEM_BYTES_MAX {
        return Err(ProviderError::Invalid { why: super::Malformed::TooLarge.to_string() });
    }
    Ok(text)
}

/// The reverse of a TEXT value's escapes.
pub(super) fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(other) => text.push(other),
                None => {}
            },
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests;
