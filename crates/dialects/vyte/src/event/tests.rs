use std::cell::Cell;

use serde_json::{Value, json};

use super::*;
use crate::action::Action;
use crate::refusal::Refusal;
use crate::request::Fields;

const NOW: &str = "2020-07-14T09:45:20.862Z";

fn person(email: &str) -> Option<Person> {
    (email == "creator@example.com").then(|| Person {
        email: Some(email.into()),
        user: Some("5eecc40bb2181073ac6ff375".into()),
        picture_url: Some(String::new()),
        full_name: Some("Jean Dupont".into()),
        timezone: Some("Europe/Paris".into()),
        locale: Some("fr".into()),
    })
}

/// Works with a pen that writes ids 1, 2, 3 … from `first` on.
fn with_pen<T>(first: u32, at: &str, work: impl FnOnce(&Pen<'_>) -> T) -> T {
    let next = Cell::new(first);
    let id = || {
        next.set(next.get() + 1);
        format!("{:024x}", next.get())
    };
    work(&Pen { now: Timestamp::parse(at).unwrap(), id: &id, known: &person })
}

fn make(body: &Value) -> Result<Event, Refusal> {
    let draft = Draft::read(Fields::of("", body)?)?;
    let email = match draft.creator {
        Creator::Email(email) => email.to_owned(),
        Creator::User(_) => "creator@example.com".to_owned(),
    };
    let creator = person(&email).unwrap_or(Person { email: Some(email), ..Person::default() });
    with_pen(0, NOW, |pen| draft.make(creator, pen))
}

fn edit(event: &mut Event, edit: &Edit<'_>) -> Result<Option<Action>, Refusal> {
    with_pen(1_000, "2020-07-15T16:10:52.855Z", |pen| event.edit(edit, pen))
}

fn update(event: &mut Event, body: &Value) -> Result<Option<Action>, Refusal> {
    edit(event, &Edit::Update(Fields::of("", body).unwrap()))
}

/// The example of the reference, `POST /v2/events`.
fn documented() -> Value {
    json!({
        "title": "First created event",
        "created_by": { "email": "creator@example.com" },
        "dates": [
            { "all_day": false, "date": "2020-07-16T09:00:00", "end_date": "2020-07-16T10:00:00" },
            { "all_day": false, "date": "2020-07-16T14:00:00+0100", "end_date": "2020-07-16T15:00:00" },
        ],
        "places": [{ "name": "Place for the meeting." }],
    })
}

fn refusal(result: Result<impl std::fmt::Debug, Refusal>) -> String {
    format!("{:?}", result.unwrap_err())
}

#[test]
fn times_without_offset_are_in_the_creators_time_zone_as_in_the_example() {
    let event = make(&documented()).unwrap();
    let dates: Vec<_> =
        event.dates.iter().map(|d| (d.date.to_string(), d.end_date.to_string())).collect();
    assert_eq!(dates[0], ("2020-07-16T07:00:00.000Z".into(), "2020-07-16T08:00:00.000Z".into()));
    assert_eq!(dates[1], ("2020-07-16T13:00:00.000Z".into(), "2020-07-16T13:00:00.000Z".into()));
    let mut own_zone = documented();
    own_zone["timezone"] = json!("Asia/Tokyo");
    own_zone["dates"].as_array_mut().unwrap().truncate(1);
    let event = make(&own_zone).unwrap();
    assert_eq!(event.dates[0].date.to_string(), "2020-07-16T00:00:00.000Z");
}

#[test]
fn a_document_survives_being_written_and_read() {
    let mut event = make(&documented()).unwrap();
    edit(&mut event, &Edit::Confirm(None, None)).unwrap();
    edit(&mut event, &Edit::Cancel).unwrap();
    let text = serde_json::to_vec(&event).unwrap();
    assert_eq!(serde_json::from_slice::<Event>(&text).unwrap(), event);
}

#[test]
fn what_is_wrong_with_a_new_event_is_named() {
    for (pointer, value, words) in [
        ("/title", json!(null), "title is required"),
        ("/title", json!("  "), "title is required"),
        ("/title", json!(5), "title must be a string"),
        ("/title", json!("x".repeat(2_000)), "title has at most 1024 bytes"),
        ("/created_by", json!(null), "created_by is required"),
        ("/created_by", json!({}), "created_by.email is required, or user"),
        ("/created_by/email", json!("nobody"), "created_by.email is not an e-mail address"),
        ("/dates", json!({}), "dates must be an array"),
        ("/dates/0/date", json!(null), "dates[0].date is required"),
        ("/dates/1/end_date", json!(null), "dates[1].end_date is required"),
        ("/dates/0/date", json!("soon"), "dates[0].date must be a time"),
        (
            "/dates/0/end_date",
            json!("2020-07-16T08:59:59"),
            "dates[0].end_date must not lie before",
        ),
        ("/dates/0/all_day", json!("no"), "dates[0].all_day must be true or false"),
        ("/places/0/name", json!(null), "places[0].name is required"),
        ("/lang", json!("xx"), "lang must be one of fr, en, es, it, pt, de, sv, nl"),
        ("/locale", json!("FR"), "locale must be one of"),
        ("/timezone", json!("Mars/Olympus"), "timezone must be a name of the TZ database"),
        ("/invitees", json!([{}]), "invitees[0].email is required"),
        ("/invitees", json!([{ "email": "a b@c" }]), "invitees[0].email is not an e-mail"),
        ("/messages", json!([{}]), "messages[0].body is required"),
        ("/vyteme", json!(1), "vyteme must be true or false"),
        ("/confirmed", json!({ "flag": "yes" }), "confirmed.flag must be true or false"),
    ] {
        let mut body = documented();
        match body.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => body[&pointer[1..]] = value.clone(),
        }
        let said = refusal(make(&body));
        assert!(said.contains(words), "{pointer} {value}: {said}");
    }
    let mut open = documented();
    (open["dates"], open["places"]) = (json!([]), json!(null));
    assert!(make(&open).is_ok(), "an event may wait for proposals");
    open["confirmed"] = json!({ "flag": true });
    assert!(refusal(make(&open)).contains("cannot be confirmed"));
}

#[test]
fn a_confirmation_decides_for_what_is_named_or_has_most_votes() {
    let event = make(&documented()).unwrap();
    let (first, second) = (event.dates[0].id.clone(), event.dates[1].id.clone());
    let place = event.places[0].id.clone();
    for (date, favourite, expected) in
        [(None, None, &first), (None, Some(1), &second), (Some(second.as_str()), Some(0), &second)]
    {
        let mut event = event.clone();
        if let Some(favourite) = favourite {
            let vote = event.dates[favourite].votes.yes[0].clone();
            event.dates[favourite].votes.yes.push(vote);
        }
        let action = edit(&mut event, &Edit::Confirm(date, None)).unwrap();
        assert_eq!(action, Some(Action::Confirmed));
        assert_eq!(event.confirmed.date_id.as_ref(), Some(expected), "{date:?} {favourite:?}");
        assert_eq!(event.confirmed.place_id.as_ref(), Some(&place));
        let shown = serde_json::to_value(&event.confirmed).unwrap();
        let expected = json!({ "flag": true, "updated_at": "2020-07-15T16:10:52.855Z",
            "date_id": expected, "place_id": place });
        assert_eq!(shown, expected);
    }
    for (date, place, words) in [
        (Some("0"), None, "d is not the _id of a date"),
        (None, Some("0"), "p is not the _id of a place"),
    ] {
        let said = refusal(edit(&mut event.clone(), &Edit::Confirm(date, place)));
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn the_closest_date_wins_among_those_with_as_many_votes() {
    for (dates, expected) in [
        (["2020-07-20", "2020-07-16", "2020-07-18"], 1),
        // What is over comes after what is not.
        (["2020-07-14", "2020-07-10", "2020-07-30"], 2),
        (["2020-07-01", "2020-07-10", "2020-07-05"], 1),
    ] {
        let mut body = documented();
        body["dates"] = dates.iter().map(|d| json!({ "date": d, "end_date": d })).collect();
        let mut event = make(&body).unwrap();
        edit(&mut event, &Edit::Confirm(None, None)).unwrap();
        assert_eq!(event.confirmed.date_id, Some(event.dates[expected].id.clone()), "{dates:?}");
    }
}

#[test]
fn the_first_place_wins_among_those_with_as_many_votes() {
    for (votes, expected) in [([1, 1, 1], 0), ([1, 2, 2], 1), ([1, 2, 3], 2)] {
        let mut body = documented();
        body["places"] = json!([{ "name": "A" }, { "name": "B" }, { "name": "C" }]);
        let mut event = make(&body).unwrap();
        for (place, votes) in event.places.iter_mut().zip(votes) {
            let vote = place.votes.yes[0].clone();
            place.votes.yes = vec![vote; votes];
        }
        edit(&mut event, &Edit::Confirm(None, None)).unwrap();
        assert_eq!(event.confirmed.place_id, Some(event.places[expected].id.clone()), "{votes:?}");
    }
}

#[test]
fn each_documented_language_is_taken() {
    for language in ["fr", "en", "es", "it", "pt", "de", "sv", "nl"] {
        let mut body = documented();
        (body["lang"], body["locale"]) = (json!(language), json!(language));
        let event = make(&body).unwrap();
        assert_eq!((event.lang.as_str(), event.locale.as_str()), (language, language));
    }
}

#[test]
fn only_a_confirmed_event_that_is_edited_is_updated() {
    let mut event = make(&documented()).unwrap();
    let other = json!({ "dates": [
        { "date": "2020-07-17T07:00:00Z", "end_date": "2020-07-17T08:00:00Z" }] });
    for (confirmed, body, action) in [
        (false, json!({ "title": "Open" }), None),
        (false, json!({ "confirmed": { "flag": true } }), Some(Action::Confirmed)),
        (true, json!({ "title": "Open" }), None),
        (true, json!({}), None),
        (true, json!({ "title": "Edited" }), Some(Action::Updated)),
        (true, other.clone(), Some(Action::Updated)),
        (true, other, None),
        (true, json!({ "places": [{ "name": "Elsewhere" }] }), Some(Action::Updated)),
        (true, json!({ "confirmed": { "flag": true } }), None),
    ] {
        assert_eq!(event.confirmed.flag, confirmed, "{body}");
        assert_eq!(update(&mut event, &body).unwrap(), action, "{body}");
        if event.confirmed.flag {
            assert!(
                event.dates.iter().any(|date| Some(&date.id) == event.confirmed.date_id.as_ref())
            );
            assert!(event.places.iter().any(|p| Some(&p.id) == event.confirmed.place_id.as_ref()));
        }
    }
    assert_eq!(event.ics_sequence, 3);
    let said = refusal(update(&mut event, &json!({ "confirmed": { "flag": false } })));
    assert!(said.contains("confirmed.flag cannot be taken back"), "{said}");
    let said = refusal(update(&mut event, &json!({ "dates": [], "places": [] })));
    assert!(said.contains("cannot be confirmed"), "{said}");
}

#[test]
fn confirming_again_is_an_update_only_when_it_decides_otherwise() {
    let mut event = make(&documented()).unwrap();
    let (first, second) = (event.dates[0].id.clone(), event.dates[1].id.clone());
    for (date, action) in [
        (Some(&first), Some(Action::Confirmed)),
        (Some(&first), None),
        (None, None),
        (Some(&second), Some(Action::Updated)),
        // Stays with what is decided, though the first is closer.
        (None, None),
    ] {
        let done = edit(&mut event, &Edit::Confirm(date.map(String::as_str), None)).unwrap();
        assert_eq!(done, action, "{date:?}");
    }
    assert_eq!(event.confirmed.date_id, Some(second));
}

#[test]
fn proposals_keep_their_votes_as_long_as_they_stay_the_same() {
    let mut event = make(&documented()).unwrap();
    let before = event.dates.clone();
    let at = |date: &Date| json!({ "date": date.date, "end_date": date.end_date });
    let mut moved = at(&before[1]);
    (moved["_id"], moved["end_date"]) = (json!(before[1].id), json!("2020-07-16T14:00:00Z"));
    update(&mut event, &json!({ "dates": [moved, at(&before[0])] })).unwrap();
    assert_eq!(event.dates[1], before[0]);
    assert_eq!(event.dates[0].id, before[1].id);
    assert_ne!(event.dates[0].votes, before[1].votes, "those were for another time");
    for (dates, words) in [
        (json!([at(&before[0]), at(&before[0])]), "dates must not hold the same one twice"),
        (json!([{ "_id": "77", "date": "2020-07-16", "end_date": "2020-07-16" }]), "has the _id"),
    ] {
        let said = refusal(update(&mut event, &json!({ "dates": dates })));
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn an_event_is_cancelled_once_at_any_time_and_then_rests() {
    for confirmed in [false, true] {
        let mut event = make(&documented()).unwrap();
        if confirmed {
            edit(&mut event, &Edit::Confirm(None, None)).unwrap();
        }
        assert_eq!(edit(&mut event, &Edit::Cancel).unwrap(), Some(Action::Cancelled));
        assert_eq!(event.cancelled, Timestamp::parse("2020-07-15T16:10:52.855Z"));
        assert_eq!(event.confirmed.flag, confirmed);
        assert_eq!(event.confirmed.updated_at, event.cancelled);
        let cancelled = event.clone();
        assert_eq!(edit(&mut event, &Edit::Cancel).unwrap(), None);
        assert_eq!(event, cancelled);
        let guest = event.invitees[0].id.clone();
        for change in [Edit::Confirm(None, None), Edit::Uninvite(&guest)] {
            let said = refusal(edit(&mut event, &change));
            assert!(said.contains("the event is cancelled"), "{said}");
        }
    }
}

#[test]
fn whom_the_event_has_already_is_not_invited_again() {
    let mut body = documented();
    body["invitees"] = json!([{ "email": "A@example.com", "full_name": "A", "phone": "060" },
        { "email": "a@example.com" }, { "email": "CREATOR@example.com" }]);
    let mut event = make(&body).unwrap();
    assert_eq!(event.invitees_length, 2);
    assert_eq!(event.invitees[1].person.email.as_deref(), Some("A@example.com"));
    for (given, action, length) in [
        (json!([{ "email": "a@EXAMPLE.com" }]), None, 2),
        (
            json!([{ "email": "a@example.com" }, { "email": "b@example.com" }]),
            Some(Action::NewInvitee),
            3,
        ),
        (json!([]), None, 3),
    ] {
        let guests = invitees(&given).unwrap();
        assert_eq!(edit(&mut event, &Edit::Invite(guests)).unwrap(), action, "{given}");
        assert_eq!(event.invitees_length, length, "{given}");
    }
    let many: Value = (0..200).map(|n| json!({ "email": format!("{n}@example.com") })).collect();
    let said = refusal(edit(&mut event, &Edit::Invite(invitees(&many).unwrap())));
    assert!(said.contains("an event has at most 200"), "{said}");
}

#[test]
fn an_invitee_goes_by_its_own_id_and_the_creator_stays() {
    let mut body = documented();
    body["invitees"] = json!([{ "email": "a@example.com" }]);
    let mut event = make(&body).unwrap();
    let (creator, guest) = (event.invitees[0].clone(), event.invitees[1].id.clone());
    assert_eq!(edit(&mut event, &Edit::Uninvite(&guest)).unwrap(), None);
    assert_eq!((event.invitees.len(), event.invitees_length), (1, 1));
    let user = creator.person.user.unwrap();
    for (id, words) in [
        (guest.as_str(), "invitee not found"),
        (user.as_str(), "invitee not found"),
        (creator.id.as_str(), "created the event and stays"),
    ] {
        let said = refusal(edit(&mut event, &Edit::Uninvite(id)));
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_vote_replaces_the_earlier_one_of_the_same_person() {
    let mut body = documented();
    body["invitees"] = json!([{ "email": "a@example.com" }]);
    let mut event = make(&body).unwrap();
    let (date, place) = (event.dates[0].id.clone(), event.places[0].id.clone());
    let a = json!({ "email": "A@example.com" });
    let creator = json!({ "user": "5eecc40bb2181073ac6ff375" });
    for (ballot, action, yes, no) in [
        (json!({ "created_by": a, "dates": { "yes": [date] } }), Some(Action::Voted), 2, 0),
        (json!({ "created_by": a, "dates": { "yes": [date] } }), None, 2, 0),
        (json!({ "created_by": a, "dates": { "no": [date] } }), Some(Action::Voted), 1, 1),
        (json!({ "created_by": creator, "dates": { "no": [date] } }), Some(Action::Voted), 0, 2),
        (json!({ "created_by": creator, "dates": { "no": [date] } }), None, 0, 2),
    ] {
        let read = Ballot::read(&Fields::of("", &ballot).unwrap()).unwrap();
        assert_eq!(edit(&mut event, &Edit::Vote(read)).unwrap(), action, "{ballot}");
        let votes = &event.dates[0].votes;
        assert_eq!((votes.yes.len(), votes.no.len()), (yes, no), "{ballot}");
    }
    assert_eq!(
        event.invitees[1].stats,
        Some(Stats { voted: Voted { dates: true, places: false } })
    );
    let ballot = json!({ "created_by": a, "vote": "yes" });
    let on_place = Ballot::on_place(&Fields::of("", &ballot).unwrap(), &place).unwrap();
    assert_eq!(edit(&mut event, &Edit::Vote(on_place)).unwrap(), Some(Action::Voted));
    assert_eq!(event.places[0].votes.yes.len(), 2);
    assert_eq!(event.places[0].votes.yes[1].created_by.email.as_deref(), Some("a@example.com"));
}

#[test]
fn ballots_that_cannot_be_counted_are_refused() {
    let event = make(&documented()).unwrap();
    let date = event.dates[0].id.clone();
    let me = json!({ "email": "creator@example.com" });
    for (ballot, words) in [
        (json!({ "dates": { "yes": [date] } }), "created_by is required"),
        (json!({ "created_by": {}, "dates": { "yes": [date] } }), "created_by.email is required"),
        (json!({ "created_by": me }), "or places must name"),
        (json!({ "created_by": me, "dates": { "yes": [date], "no": [date] } }), "the same id"),
        (json!({ "created_by": me, "dates": { "yes": "all" } }), "dates.yes must be an array"),
        (json!({ "created_by": me, "dates": { "yes": ["0"] } }), "date not found"),
        (json!({ "created_by": me, "places": { "no": ["0"] } }), "place not found"),
        (
            json!({ "created_by": { "email": "b@example.com" }, "dates": { "yes": [date] } }),
            "is not an invitee",
        ),
    ] {
        let read = Ballot::read(&Fields::of("", &ballot).unwrap());
        let said = refusal(read.and_then(|read| edit(&mut event.clone(), &Edit::Vote(read))));
        assert!(said.contains(words), "{ballot}: {said}");
    }
    let unclear = json!({ "created_by": me, "vote": "maybe" });
    let said = refusal(Ballot::on_date(&Fields::of("", &unclear).unwrap(), &date));
    assert!(said.contains("vote must be yes or no"), "{said}");
}
