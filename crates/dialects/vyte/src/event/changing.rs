//! Changing an event: each call says which actions it causes, none when it changes nothing.

use tidings_core::limits;

use super::draft::{self, Guest, Proposed};
use super::{Ballot, Confirmed, Date, Event, Pen, Place, moment};
use crate::action::Action;
use crate::refusal::Refusal;
use crate::request::Fields;

/// What a call asks of an event.
#[derive(Clone, Debug)]
pub(crate) enum Edit<'a> {
    /// New dates, places, title or languages; already confirmed, it is reconfirmed with them.
    Update(Fields<'a>),
    /// A decision for a date and a place, each by id or by votes.
    Confirm(Option<&'a str>, Option<&'a str>),
    /// No meeting.
    Cancel,
    /// More invitees.
    Invite(Vec<Guest>),
    /// One invitee less, by id.
    Uninvite(&'a str),
    /// Votes of one person.
    Vote(Ballot<'a>),
}

impl Event {
    /// Makes the edit.
    pub(crate) fn edit(
        &mut self,
        edit: &Edit<'_>,
        pen: &Pen<'_>,
    ) -> Result<Option<Action>, Refusal> {
        if let Edit::Cancel = edit {
            return Ok(self.cancel(pen));
        }
        if self.cancelled.is_some() {
            return Err(Refusal::bad_request("cancelled", "the event is cancelled"));
        }
        match edit {
            Edit::Update(fields) => self.update(fields, pen),
            Edit::Confirm(date, place) => self.confirm(*date, *place, pen),
            Edit::Cancel => Ok(None),
            Edit::Invite(guests) => {
                let any = self.invite(guests.clone(), pen)?;
                self.touch(any, pen);
                Ok(any.then_some(Action::NewInvitee))
            }
            Edit::Uninvite(id) => self.uninvite(id, pen).map(|()| None),
            Edit::Vote(ballot) => {
                let any = self.vote(ballot, pen)?;
                self.touch(any, pen);
                Ok(any.then_some(Action::Voted))
            }
        }
    }

    fn touch(&mut self, changed: bool, pen: &Pen<'_>) {
        if changed {
            self.updated_at = pen.now;
        }
    }

    fn cancel(&mut self, pen: &Pen<'_>) -> Option<Action> {
        if self.cancelled.is_some() {
            return None;
        }
        self.cancelled = Some(pen.now);
        self.confirmed.updated_at = Some(pen.now);
        self.ics_sequence += 1;
        self.updated_at = pen.now;
        Some(Action::Cancelled)
    }

    fn confirm(
        &mut self,
        date: Option<&str>,
        place: Option<&str>,
        pen: &Pen<'_>,
    ) -> Result<Option<Action>, Refusal> {
        let again = self.confirmed.flag;
        // Who confirms again without a word confirms what is decided already.
        let stays = if again { self.confirmed.clone() } else { Confirmed::default() };
        let date = date.or(stays.date_id.as_deref());
        let place = place.or(stays.place_id.as_deref());
        if !self.decide(date, place, pen)? {
            return Ok(None);
        }
        if again {
            self.ics_sequence += 1;
            return Ok(Some(Action::Updated));
        }
        Ok(Some(Action::Confirmed))
    }

    fn update(&mut self, fields: &Fields<'_>, pen: &Pen<'_>) -> Result<Option<Action>, Refusal> {
        let before = self.clone();
        if fields.value("title").is_some() {
            self.title = fields.required("title", limits::EVENT_TITLE_BYTES_MAX)?.to_owned();
        }
        self.lang = draft::language(fields, "lang")?.unwrap_or_else(|| before.lang.clone());
        self.locale = draft::language(fields, "locale")?.unwrap_or_else(|| before.locale.clone());
        self.timezone = draft::time_zone(fields)?.or_else(|| before.timezone.clone());
        let creator_zone =
            || self.invitees.first().and_then(|first| first.person.timezone.as_deref());
        let zone = moment::zone(self.timezone.as_deref().or_else(creator_zone));
        let by = self.created_by.by();
        if let Some(dates) = draft::dates(fields, &zone, &by, pen)? {
            self.dates = keep(&before.dates, dates)?;
        }
        if let Some(places) = draft::places(fields, &by, pen)? {
            self.places = keep(&before.places, places)?;
        }
        let asked = match fields.object("confirmed")? {
            Some(confirmed) => confirmed.flag("flag")?,
            None => None,
        };
        if before.confirmed.flag && asked == Some(false) {
            let why = "cannot be taken back: cancel the event, or confirm another date";
            return Err(Refusal::field("confirmed.flag", why));
        }
        if before.confirmed.flag || asked == Some(true) {
            self.reconfirm(pen)?;
        }
        if *self == before {
            return Ok(None);
        }
        self.updated_at = pen.now;
        Ok(match (before.confirmed.flag, self.confirmed.flag) {
            (true, _) => {
                self.confirmed.updated_at = Some(pen.now);
                self.ics_sequence += 1;
                Some(Action::Updated)
            }
            (false, true) => Some(Action::Confirmed),
            // Vyte has no action for an event that is edited while it is open.
            (false, false) => None,
        })
    }

    /// Keeps what is decided as far as it is still proposed.
    fn reconfirm(&mut self, pen: &Pen<'_>) -> Result<(), Refusal> {
        let date = self.confirmed.date_id.clone();
        let date = date.filter(|id| self.dates.iter().any(|date| date.id == *id));
        let place = self.confirmed.place_id.clone();
        let place = place.filter(|id| self.places.iter().any(|place| place.id == *id));
        self.decide(date.as_deref(), place.as_deref(), pen).map(|_| ())
    }

    fn uninvite(&mut self, id: &str, pen: &Pen<'_>) -> Result<(), Refusal> {
        let found = self.invitees.iter().position(|invitee| invitee.id == id);
        let place = found.ok_or_else(|| Refusal::not_found("invitee"))?;
        if self.invitees[place].su == Some(true) {
            let why = "created the event and stays; cancel it instead";
            return Err(Refusal::field("invitee_id", why));
        }
        self.invitees.remove(place);
        self.invitees_length = self.invitees.len();
        self.updated_at = pen.now;
        Ok(())
    }
}

/// A date or place, as far as telling whether one given now is one that was proposed before.
trait Proposal: Clone {
    /// The field of the body.
    const FIELD: &'static str;
    fn id(&self) -> &str;
    /// Whether people who voted for the one voted for the other.
    fn is_as(&self, other: &Self) -> bool;
    /// This one in place of `old`, whose votes were cast on something else.
    fn in_place_of(self, old: &Self) -> Self;
}

impl Proposal for Date {
    const FIELD: &'static str = "dates";
    fn id(&self) -> &str {
        &self.id
    }
    fn is_as(&self, other: &Self) -> bool {
        let of = |date: &Self| (date.date, date.end_date, date.all_day);
        of(self) == of(other)
    }
    fn in_place_of(self, old: &Self) -> Self {
        Self { id: old.id.clone(), created_at: old.created_at, ..self }
    }
}

impl Proposal for Place {
    const FIELD: &'static str = "places";
    fn id(&self) -> &str {
        &self.id
    }
    fn is_as(&self, other: &Self) -> bool {
        (&self.name, &self.address) == (&other.name, &other.address)
    }
    fn in_place_of(self, old: &Self) -> Self {
        Self { id: old.id.clone(), created_at: old.created_at, ..self }
    }
}

/// The proposals as given now. One with the id of an earlier one, or like it, is that one with its votes.
fn keep<T: Proposal>(before: &[T], given: Vec<Proposed<'_, T>>) -> Result<Vec<T>, Refusal> {
    let mut kept: Vec<T> = Vec::new();
    for (id, new) in given {
        let old = match id {
            Some(id) => {
                let why = format!("has the _id {id:?}, which the event does not have");
                let found = before.iter().find(|old| old.id() == id);
                Some(found.ok_or_else(|| Refusal::field(T::FIELD, &why))?)
            }
            None => before.iter().find(|old| old.is_as(&new)),
        };
        let proposal = match old {
            Some(old) if old.is_as(&new) => old.clone(),
            Some(old) => new.in_place_of(old),
            None => new,
        };
        if kept.iter().any(|other| other.id() == proposal.id()) {
            return Err(Refusal::field(T::FIELD, "must not hold the same one twice"));
        }
        kept.push(proposal);
    }
    Ok(kept)
}
