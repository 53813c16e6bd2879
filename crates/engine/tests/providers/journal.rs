//! What the journal's changes add up to, and whether that is what is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::peer::Truth;
use crate::watcher::Told;

/// What somebody knows who was told everything since the silent baseline.
#[derive(Default)]
pub(crate) struct Journal {
    /// Names by id.
    calendars: BTreeMap<String, String>,
    /// Calendars that came later: what they came with was not told.
    young: BTreeSet<String>,
    events: BTreeMap<String, Told>,
}

impl Journal {
    /// Before anything is told; there are no events yet.
    pub(crate) fn from_baseline(truth: &Truth) -> Self {
        assert!(truth.events.is_empty());
        Self { calendars: truth.calendars.clone(), ..Self::default() }
    }

    /// Adds what was told: nothing is made twice, what is deleted was there, and what is changed was
    /// there and said something else.
    pub(crate) fn fold(&mut self, told: Vec<Told>) -> Result<(), String> {
        for told in told {
            let (kind, about) = (told.kind.clone(), told.about.clone());
            let fits = match kind.split_once('.') {
                Some(("calendar", what)) => self.fold_calendar(what, told),
                Some(("event", what)) => self.fold_event(what, told),
                _ => false,
            };
            if !fits {
                return Err(format!("{kind} of {about} is invented"));
            }
        }
        Ok(())
    }

    fn fold_calendar(&mut self, what: &str, told: Told) -> bool {
        match what {
            "created" => {
                self.young.insert(told.about.clone());
                self.calendars.insert(told.about, told.title).is_none()
            }
            "updated" => {
                let before = self.calendars.insert(told.about, told.title.clone());
                before.is_some_and(|name| name != told.title)
            }
            _ => {
                // What is in it goes without a word.
                self.events.retain(|_, event| event.calendar != told.about);
                self.calendars.remove(&told.about).is_some()
            }
        }
    }

    fn fold_event(&mut self, what: &str, told: Told) -> bool {
        if !self.calendars.contains_key(&told.calendar) {
            return false;
        }
        let untold = self.young.contains(&told.calendar);
        let event = told.event.clone();
        let before = match what {
            "deleted" => self.events.remove(&told.about),
            _ => self.events.insert(told.about.clone(), told),
        };
        match (what, before) {
            ("created", before) => before.is_none(),
            ("updated", Some(before)) => before.event != event,
            (_, None) => untold,
            (_, Some(_)) => true,
        }
    }

    /// Whether everything that is there was told, nothing else was, and the mirror holds just that. Where
    /// the provider gives no title, any that was told will do.
    pub(crate) fn compare(
        &self,
        truth: &Truth,
        held: &BTreeMap<String, (String, String)>,
    ) -> Result<(), String> {
        if truth.calendars != self.calendars {
            return Err(format!(
                "there are {:?}, but told was {:?}",
                truth.calendars, self.calendars
            ));
        }
        for (id, there) in &truth.events {
            let Some((calendar, title)) = held.get(id) else {
                return Err(format!("{id} is not mirrored: {there:?}"));
            };
            let is = |said: &str| there.title.as_deref().is_none_or(|title| title == said);
            if *calendar != there.calendar || !is(title) {
                return Err(format!("mirrored is {calendar} {title}, but there is {there:?}"));
            }
            match self.events.get(id) {
                Some(told) if told.calendar == *calendar && is(&told.title) => {}
                None if self.young.contains(calendar) => {}
                told => return Err(format!("there is {id}: {there:?}, but told was {told:?}")),
            }
        }
        let invented = |id: &&String| !truth.events.contains_key(*id);
        match self.events.keys().chain(held.keys()).find(invented) {
            Some(id) => Err(format!("{id} is not there")),
            None => Ok(()),
        }
    }
}

/// The judge finds what it is there to find.
#[test]
fn a_missing_and_an_invented_change_are_found() {
    use crate::peer::There;
    use serde_json::json;

    let line = |kind: &str, title: &str| Told {
        kind: format!("event.{kind}"),
        about: "one".into(),
        title: title.into(),
        calendar: "work".into(),
        event: json!({ "title": title }),
    };
    let elsewhere = |told: Told| Told { calendar: "other".into(), ..told };
    let calendar = |kind: &str, title: &str| Told {
        kind: format!("calendar.{kind}"),
        about: "work".into(),
        title: title.into(),
        ..Told::default()
    };
    let calendars = BTreeMap::from([("work".to_owned(), "Work".to_owned())]);
    let baseline = Truth { calendars: calendars.clone(), ..Truth::default() };
    let there = There { calendar: "work".into(), title: Some("Tea".into()), rest: String::new() };
    let truth = Truth { calendars, events: BTreeMap::from([("one".into(), there)]) };
    let held = BTreeMap::from([("one".to_owned(), ("work".to_owned(), "Tea".to_owned()))]);
    for (told, folds, agrees) in [
        (vec![line("created", "Tea")], true, true),
        (vec![line("created", "Walk"), line("updated", "Tea")], true, true),
        (vec![line("created", "Walk")], true, false),
        (vec![], true, false),
        (vec![line("created", "Tea"), line("deleted", "Tea")], true, false),
        (vec![line("created", "Tea"), line("created", "Tea")], false, true),
        (vec![line("created", "Tea"), line("updated", "Tea")], false, true),
        (vec![line("updated", "Tea")], false, true),
        (vec![line("deleted", "Tea")], false, false),
        (vec![elsewhere(line("created", "Tea"))], false, false),
        (vec![line("created", "Tea"), calendar("updated", "Play")], true, false),
        (vec![line("created", "Tea"), calendar("updated", "Work")], false, true),
        (vec![line("created", "Tea"), calendar("created", "Work")], false, true),
        (vec![line("created", "Tea"), calendar("deleted", "Work")], true, false),
        (vec![calendar("deleted", "Work"), calendar("created", "Work")], true, true),
    ] {
        let mut journal = Journal::from_baseline(&baseline);
        let folded = journal.fold(told.clone()).is_ok();
        let found = (folded, journal.compare(&truth, &held).is_ok());
        assert_eq!(found, (folds, agrees), "{told:?}");
    }
    let mut journal = Journal::from_baseline(&baseline);
    journal.fold(vec![line("created", "Tea")]).unwrap();
    for held in [
        BTreeMap::new(),
        BTreeMap::from([("one".to_owned(), ("work".to_owned(), "Walk".to_owned()))]),
        BTreeMap::from([("one".to_owned(), ("other".to_owned(), "Tea".to_owned()))]),
    ] {
        assert!(journal.compare(&truth, &held).is_err(), "{held:?}");
    }
}
