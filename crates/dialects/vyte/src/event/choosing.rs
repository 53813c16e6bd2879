//! Deciding for a date and a place.

use tidings_core::clock::Timestamp;

use super::{Date, Event, Pen, Place};
use crate::refusal::Refusal;

impl Event {
    /// Confirms a date and a place, those named or those with the most votes; returns whether that changed
    /// what was decided.
    pub(super) fn decide(
        &mut self,
        date: Option<&str>,
        place: Option<&str>,
        pen: &Pen<'_>,
    ) -> Result<bool, Refusal> {
        let date_id = self.date_to_confirm(date, pen.now)?;
        let place_id = self.place_to_confirm(place)?;
        if date_id.is_none() && place_id.is_none() {
            let why = "cannot be confirmed: propose a date or a place first";
            return Err(Refusal::field("event", why));
        }
        let confirmed = &mut self.confirmed;
        if confirmed.flag && confirmed.date_id == date_id && confirmed.place_id == place_id {
            return Ok(false);
        }
        confirmed.flag = true;
        confirmed.updated_at = Some(pen.now);
        confirmed.date_id = date_id;
        confirmed.place_id = place_id;
        confirmed.multi = None;
        self.updated_at = pen.now;
        Ok(true)
    }

    /// The date named; else the only one; else the closest of those with the most votes.
    fn date_to_confirm(
        &self,
        named: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<String>, Refusal> {
        if let Some(named) = named {
            let found = self.dates.iter().find(|date| date.id == named);
            let unknown = || Refusal::field("d", "is not the _id of a date of the event");
            return found.map(|date| Some(date.id.clone())).ok_or_else(unknown);
        }
        let standing = |date: &&Date| {
            let away = date.date.0.abs_diff(now.0);
            (std::cmp::Reverse(date.votes.yes.len()), date.date < now, away)
        };
        Ok(self.dates.iter().min_by_key(standing).map(|date| date.id.clone()))
    }

    /// The place named; else the only one; else the first of those with the most votes.
    fn place_to_confirm(&self, named: Option<&str>) -> Result<Option<String>, Refusal> {
        if let Some(named) = named {
            let found = self.places.iter().find(|place| place.id == named);
            let unknown = || Refusal::field("p", "is not the _id of a place of the event");
            return found.map(|place| Some(place.id.clone())).ok_or_else(unknown);
        }
        let standing = |place: &&Place| std::cmp::Reverse(place.votes.yes.len());
        Ok(self.places.iter().min_by_key(standing).map(|place| place.id.clone()))
    }
}
