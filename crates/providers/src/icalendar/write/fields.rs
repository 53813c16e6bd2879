//! What a draft says, as properties of a VEVENT.

use tidings_core::clock::Timestamp;

use super::dates::{Form, Shift, stamp};
use super::text::{Block, escaped, quoted};
use super::{Author, PROPERTIES};
use crate::draft::{
    Availability, ConferenceDraft, EventDraft, Field, Invitee, Notify, Privacy, Status, When,
};
use crate::error::ProviderError;
use crate::rule::Rule;

/// Which part of a series a VEVENT is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A single event or the master of a series.
    Master,
    /// An exception of one.
    Exception,
}

fn invalid(why: &str) -> ProviderError {
    ProviderError::Invalid { why: why.into() }
}

/// Writes a draft into a VEVENT. Answers by how much the series' dates move with its start.
pub(super) fn apply(
    event: &mut Block,
    role: Role,
    draft: &EventDraft,
    author: &Author<'_>,
) -> Result<Option<Shift>, ProviderError> {
    text(event, "SUMMARY", &draft.title);
    text(event, "DESCRIPTION", &draft.description);
    text(event, "LOCATION", &draft.location);
    let shift = times(event, draft)?;
    word(event, "TRANSP", &draft.availability, |it| match it {
        Availability::Busy => "OPAQUE",
        Availability::Free => "TRANSPARENT",
    });
    word(event, "CLASS", &draft.privacy, |it| match it {
        Privacy::Public => "PUBLIC",
        Privacy::Private => "PRIVATE",
        Privacy::Confidential => "CONFIDENTIAL",
    });
    word(event, "STATUS", &draft.status, |it| match it {
        Status::Confirmed => "CONFIRMED",
        Status::Tentative => "TENTATIVE",
        Status::Cancelled => "CANCELLED",
    });
    recurrence(event, role, &draft.recurrence)?;
    attendees(event, &draft.attendees, author);
    conference(event, &draft.conference)?;
    match &draft.properties {
        Field::Keep => {}
        Field::Clear => event.remove(&[PROPERTIES]),
        Field::Set(properties) => {
            let json = serde_json::to_string(properties).expect("texts by texts are JSON");
            event.set(PROPERTIES, &format!("{PROPERTIES}:{}", escaped(&json)));
        }
    }
    Ok(shift)
}

/// Notes that a VEVENT was changed now.
pub(super) fn touch(event: &mut Block, now: Timestamp) {
    let sequence = event.value("SEQUENCE").and_then(|number| number.trim().parse::<u32>().ok());
    let next = sequence.map_or(1, |number| number.saturating_add(1));
    event.set("SEQUENCE", &format!("SEQUENCE:{next}"));
    event.set("DTSTAMP", &stamp("DTSTAMP", now));
    event.set("LAST-MODIFIED", &stamp("LAST-MODIFIED", now));
}

fn text(event: &mut Block, name: &str, field: &Field<String>) {
    match field {
        Field::Keep => {}
        Field::Clear => event.remove(&[name]),
        Field::Set(text) => event.set(name, &format!("{name}:{}", escaped(text))),
    }
}

fn word<T: Copy>(event: &mut Block, name: &str, field: &Field<T>, of: fn(T) -> &'static str) {
    match field {
        Field::Keep => {}
        Field::Clear => event.remove(&[name]),
        Field::Set(value) => event.set(name, &format!("{name}:{}", of(*value))),
    }
}

fn line_of(name: &str, when: &When) -> (Form, String, i64) {
    let form = Form::of_draft(when);
    let moment = when.moment().unix_seconds();
    let line = form.line(name, moment);
    (form, line, moment)
}

/// DTSTART and DTEND. There is always a DTEND afterwards: iCloud refuses an event without one.
fn times(event: &mut Block, draft: &EventDraft) -> Result<Option<Shift>, ProviderError> {
    let old_start = event.get("DTSTART").cloned();
    // Without a DURATION or DTEND the end follows the start.
    let lasting = event.get("DURATION").and_then(|_| end_of(event));
    if let Field::Set(start) = &draft.start {
        event.set("DTSTART", &line_of("DTSTART", start).1);
    }
    if let Field::Set(end) = &draft.end {
        event.set("DTEND", &line_of("DTEND", end).1);
        event.remove(&["DURATION"]);
    } else if event.get("DTEND").is_none()
        && let Some((form, end)) = lasting.or_else(|| end_of(event))
    {
        event.set("DTEND", &form.line("DTEND", end));
        event.remove(&["DURATION"]);
    }
    let Some(start) = event.get("DTSTART").cloned() else {
        return Err(invalid("the event has no start"));
    };
    let form = Form::of(&start);
    let begins = form.moments(&start, 0).first().copied();
    if let (Some(begins), Some((until, ends))) = (begins, end_of(event))
        && !(draft.start.is_keep() && draft.end.is_keep())
    {
        if (until == Form::Date) != (form == Form::Date) {
            return Err(invalid("start and end must both be dates, or both be times"));
        }
        // An event of a day ends on the next one; other events may have no length.
        if ends < begins || (form == Form::Date && ends == begins) {
            return Err(invalid("the end must be after the start"));
        }
    }
    Ok(old_start.and_then(|old| Shift::between(&old, &start)))
}

/// DTEND, else what DTSTART and DURATION make of it (RFC 5545 section 3.6.1).
pub(super) fn end_of(event: &Block) -> Option<(Form, i64)> {
    let start = event.get("DTSTART")?;
    let form = Form::of(start);
    if let Some(end) = event.get("DTEND") {
        let until = Form::of(end);
        let ends = *until.moments(end, 0).first()?;
        return Some((until, ends));
    }
    let begins = *form.moments(start, 0).first()?;
    let length = match event.value("DURATION") {
        Some(duration) => seconds(duration)?,
        None if form == Form::Date => 86_400,
        None => 0,
    };
    Some((form, begins + length))
}

/// `P1DT2H` in seconds (RFC 5545 section 3.3.6).
fn seconds(duration: &str) -> Option<i64> {
    let duration: jiff::Span = duration.trim().parse().ok()?;
    let whole = i64::from(duration.get_weeks()) * 7 + i64::from(duration.get_days());
    let clock = i64::from(duration.get_hours()) * 3_600 + duration.get_minutes() * 60;
    Some(whole * 86_400 + clock + duration.get_seconds())
}

fn recurrence(event: &mut Block, role: Role, field: &Field<String>) -> Result<(), ProviderError> {
    match field {
        Field::Keep => {}
        _ if role == Role::Exception => {
            return Err(invalid("a single occurrence has no recurrence; use the scope all"));
        }
        Field::Clear => event.remove(&["RRULE", "RDATE", "EXDATE", "EXRULE"]),
        Field::Set(rule) => {
            let rule = Rule::parse(rule).ok_or_else(|| invalid("the recurrence is no RRULE"))?;
            let rule = match event.get("DTSTART") {
                Some(start) => until_like(&rule, &Form::of(start)),
                None => rule,
            };
            event.set("RRULE", &format!("RRULE:{rule}"));
        }
    }
    Ok(())
}

/// UNTIL must be a date where DTSTART is one, else a moment in UTC (RFC 5545 section 3.3.10).
pub(super) fn until_like(rule: &Rule, start: &Form) -> Rule {
    let Some(until) = rule.get("UNTIL") else { return rule.clone() };
    let date = until.split('T').next().unwrap_or(until).to_owned();
    match (start, until.contains('T')) {
        (Form::Date, true) => rule.with("UNTIL", date),
        (Form::Date, false) => rule.clone(),
        (Form::Floating, _) => {
            let clock = until.trim_end_matches('Z').split_once('T').map_or("235959", |(_, t)| t);
            rule.with("UNTIL", format!("{date}T{clock}"))
        }
        (_, true) if until.ends_with('Z') => rule.clone(),
        (_, timed) => {
            let clock = until.split_once('T').filter(|_| timed).map_or("235959", |(_, t)| t);
            let local = format!("{date}T{clock}").parse::<jiff::civil::DateTime>();
            let wall = local.map(crate::zone::wall_seconds);
            let line = wall.map(|wall| Form::Utc.line("U", start.moment(wall)));
            line.map_or_else(|_| rule.clone(), |line| rule.with("UNTIL", &line[2..]))
        }
    }
}

fn attendees(event: &mut Block, field: &Field<Vec<Invitee>>, author: &Author<'_>) {
    let invited: &[Invitee] = match field {
        Field::Keep => return,
        Field::Clear => &[],
        Field::Set(invited) => invited,
    };
    let is_of = |address: &str, invitee: &Invitee| {
        let (scheme, email) = address.split_at_checked(7).unwrap_or(("", address));
        let is_mail = scheme.eq_ignore_ascii_case("mailto:");
        is_mail && email.eq_ignore_ascii_case(&invitee.email)
    };
    // Who stays keeps what they answered, and whatever else their line says.
    event.rewrite(|line| {
        let address = line.is("ATTENDEE").then(|| line.value())?;
        let email = line.parameter("EMAIL").map(|email| format!("mailto:{email}"));
        let stays = invited.iter().any(|invitee| {
            is_of(address, invitee) || email.as_ref().is_some_and(|it| is_of(it, invitee))
        });
        (!stays).then_some(None)
    });
    for invitee in invited {
        let known = event.own().iter().filter(|line| line.is("ATTENDEE")).any(|line| {
            let email = line.parameter("EMAIL").map(|email| format!("mailto:{email}"));
            is_of(line.value(), invitee) || email.is_some_and(|it| is_of(&it, invitee))
        });
        if !known {
            event.push(&attendee(invitee, author.notify));
        }
    }
    if let (false, None, Some(email)) = (invited.is_empty(), event.get("ORGANIZER"), author.email) {
        event.push(&format!("ORGANIZER:mailto:{email}"));
    }
}

/// A server invites whom it finds, unless it is told not to (RFC 6638 section 7.1).
fn attendee(invitee: &Invitee, notify: Notify) -> String {
    let mut line = String::from("ATTENDEE");
    if let Some(name) = &invitee.name {
        line.push_str(&format!(";CN={}", quoted(name)));
    }
    line.push_str(if invitee.optional { ";ROLE=OPT-PARTICIPANT" } else { ";ROLE=REQ-PARTICIPANT" });
    line.push_str(";PARTSTAT=NEEDS-ACTION");
    if notify == Notify::None {
        line.push_str(";SCHEDULE-AGENT=NONE");
    } else {
        line.push_str(";RSVP=TRUE");
    }
    format!("{line}:mailto:{}", invitee.email)
}

fn conference(event: &mut Block, field: &Field<ConferenceDraft>) -> Result<(), ProviderError> {
    let vendors = ["X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL"];
    match field {
        Field::Keep => return Ok(()),
        Field::Set(ConferenceDraft::Create) => {
            return Err(invalid("CalDAV makes no conferences; give the url of one"));
        }
        Field::Clear => event.remove(&["CONFERENCE"]),
        Field::Set(ConferenceDraft::Url(url)) => {
            event.set("CONFERENCE", &format!("CONFERENCE;VALUE=URI;FEATURE=VIDEO:{url}"));
        }
    }
    event.remove(&vendors);
    Ok(())
}
