//! Voting for and against dates and places. Not documented by the vendor beyond `votes: {yes, no}` of the
//! event object and the action `event.voted`; see `README.md`.

use tidings_core::limits;

use super::draft::address;
use super::{By, Event, Invitee, Pen, Stats, Vote, Votes};
use crate::refusal::Refusal;
use crate::request::Fields;

/// For or against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Yes,
    No,
}

/// The votes of one person.
#[derive(Clone, Debug)]
pub(crate) struct Ballot<'a> {
    voter: Voter<'a>,
    dates: Vec<(String, Choice)>,
    places: Vec<(String, Choice)>,
}

#[derive(Clone, Copy, Debug)]
enum Voter<'a> {
    User(&'a str),
    Email(&'a str),
}

impl<'a> Ballot<'a> {
    /// `{"created_by", "dates": {"yes": [], "no": []}, "places": {…}}`.
    pub(crate) fn read(fields: &Fields<'a>) -> Result<Self, Refusal> {
        let ballot = Self {
            voter: voter(fields)?,
            dates: choices(fields, "dates", limits::SCHEDULING_DATES_MAX)?,
            places: choices(fields, "places", limits::SCHEDULING_PLACES_MAX)?,
        };
        if ballot.dates.is_empty() && ballot.places.is_empty() {
            return Err(fields.refuse("dates", "or places must name what the vote is for"));
        }
        Ok(ballot)
    }

    /// `{"created_by", "vote": "yes"}` on the date whose id is in the path.
    pub(crate) fn on_date(fields: &Fields<'a>, id: &str) -> Result<Self, Refusal> {
        let dates = vec![(id.to_owned(), choice(fields)?)];
        Ok(Self { voter: voter(fields)?, dates, places: Vec::new() })
    }

    /// As [`Ballot::on_date`], on a place.
    pub(crate) fn on_place(fields: &Fields<'a>, id: &str) -> Result<Self, Refusal> {
        let places = vec![(id.to_owned(), choice(fields)?)];
        Ok(Self { voter: voter(fields)?, dates: Vec::new(), places })
    }
}

fn voter<'a>(fields: &Fields<'a>) -> Result<Voter<'a>, Refusal> {
    let by = fields.object("created_by")?;
    let by = by.ok_or_else(|| fields.refuse("created_by", "is required: an email or a user"))?;
    match by.text("user", 64)? {
        Some(user) => Ok(Voter::User(user)),
        None => address(&by).map(Voter::Email),
    }
}

fn choice(fields: &Fields<'_>) -> Result<Choice, Refusal> {
    match fields.required("vote", 16)? {
        "yes" => Ok(Choice::Yes),
        "no" => Ok(Choice::No),
        _ => Err(fields.refuse("vote", "must be yes or no")),
    }
}

fn choices(fields: &Fields<'_>, name: &str, max: usize) -> Result<Vec<(String, Choice)>, Refusal> {
    let Some(given) = fields.object(name)? else { return Ok(Vec::new()) };
    let yes = given.texts("yes", max)?.unwrap_or_default();
    let no = given.texts("no", max)?.unwrap_or_default();
    if yes.iter().any(|id| no.contains(id)) {
        return Err(fields.refuse(name, "must not hold the same id under yes and under no"));
    }
    let of = |ids: Vec<String>, choice| ids.into_iter().map(move |id| (id, choice));
    Ok(of(yes, Choice::Yes).chain(of(no, Choice::No)).collect())
}

impl Event {
    /// Casts the votes, in place of earlier ones of the same person; returns whether anything changed.
    pub(super) fn vote(&mut self, ballot: &Ballot<'_>, pen: &Pen<'_>) -> Result<bool, Refusal> {
        let place = self.seat_of(ballot.voter)?;
        let by = self.invitees[place].person.by();
        let mut changed = false;
        for (id, choice) in &ballot.dates {
            let found = self.dates.iter_mut().find(|date| date.id == *id);
            let date = found.ok_or_else(|| Refusal::not_found("date"))?;
            if date.votes.cast(&by, *choice, pen) {
                date.updated_at = pen.now;
                changed = true;
            }
        }
        for (id, choice) in &ballot.places {
            let found = self.places.iter_mut().find(|place| place.id == *id);
            let place = found.ok_or_else(|| Refusal::not_found("place"))?;
            if place.votes.cast(&by, *choice, pen) {
                place.updated_at = pen.now;
                changed = true;
            }
        }
        let stats = self.invitees[place].stats.get_or_insert_with(Stats::default);
        stats.voted.dates |= !ballot.dates.is_empty();
        stats.voted.places |= !ballot.places.is_empty();
        Ok(changed)
    }

    /// Only who is invited, or created the event, votes.
    fn seat_of(&self, voter: Voter<'_>) -> Result<usize, Refusal> {
        let is = |invitee: &Invitee| match voter {
            Voter::User(user) => invitee.person.user.as_deref() == Some(user),
            Voter::Email(email) => {
                let own = invitee.person.email.as_ref().map(|own| own.to_lowercase());
                own == Some(email.to_lowercase())
            }
        };
        let found = self.invitees.iter().position(is);
        found.ok_or_else(|| Refusal::field("created_by", "is not an invitee of the event"))
    }
}

impl Votes {
    fn cast(&mut self, by: &By, choice: Choice, pen: &Pen<'_>) -> bool {
        let (there, away) = match choice {
            Choice::Yes => (&mut self.yes, &mut self.no),
            Choice::No => (&mut self.no, &mut self.yes),
        };
        away.retain(|vote| vote.created_by != *by);
        if there.iter().any(|vote| vote.created_by == *by) {
            return false;
        }
        there.push(Vote { id: (pen.id)(), created_by: by.clone() });
        true
    }
}
