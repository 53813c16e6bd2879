//! Which events a list shows: the documented parameters of `GET /v2/events`.

use regex::{Regex, RegexBuilder};
use tidings_core::clock::Timestamp;
use tidings_core::limits;

use super::{Event, Person};
use crate::refusal::Refusal;
use crate::request::Query;

/// The parameters of a list.
#[derive(Debug)]
pub(crate) struct Listing {
    limit: usize,
    title: Option<Regex>,
    status: Option<Status>,
    creators: People,
    invitees: People,
    app: Option<String>,
    groups: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Confirmed,
    Upcoming,
}

/// Users by id, and others by address.
#[derive(Debug)]
struct People {
    users: Vec<String>,
    emails: Vec<String>,
}

impl People {
    fn read(query: &Query, users: &str, emails: &str) -> Self {
        let users = query.list(users).into_iter().map(str::to_owned).collect();
        let emails = query.list(emails).into_iter().map(str::to_lowercase).collect();
        Self { users, emails }
    }

    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.emails.is_empty()
    }

    fn has_user(&self, person: &Person) -> bool {
        person.user.as_ref().is_some_and(|user| self.users.contains(user))
    }

    fn has_email(&self, person: &Person) -> bool {
        person.email.as_ref().is_some_and(|email| self.emails.contains(&email.to_lowercase()))
    }
}

impl Listing {
    /// Reads the parameters.
    pub(crate) fn read(query: &Query) -> Result<Self, Refusal> {
        let limit = match query.text("limit").map(str::parse::<usize>) {
            None => limits::SCHEDULING_EVENTS_LISTED_MAX,
            Some(Ok(limit)) if limit > 0 => limit.min(limits::SCHEDULING_EVENTS_LISTED_MAX),
            Some(_) => return Err(Refusal::field("limit", "must be a number from 1 on")),
        };
        let status = match query.text("filter") {
            None => None,
            Some("confirmed") => Some(Status::Confirmed),
            Some("upcoming") => Some(Status::Upcoming),
            Some(_) => return Err(Refusal::field("filter", "must be confirmed or upcoming")),
        };
        Ok(Self {
            limit,
            title: query.text("q").map(pattern).transpose()?,
            status,
            creators: People::read(query, "creator_users", "creator_emails"),
            invitees: People::read(query, "invitee_users", "invitee_emails"),
            app: query.text("app_id").map(str::to_owned),
            groups: query.list("group_ids").into_iter().map(str::to_owned).collect(),
        })
    }

    /// How many events it shows at most.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether it shows this one.
    pub(crate) fn shows(&self, event: &Event, now: Timestamp) -> bool {
        self.title.as_ref().is_none_or(|title| title.is_match(&event.title))
            && self.status.is_none_or(|status| status.holds(event, now))
            && self.shows_creator(&event.created_by)
            && self.shows_invitees(event)
            && self.app.as_ref().is_none_or(|app| event.third_party.app.as_ref() == Some(app))
            && (self.groups.is_empty()
                || event.third_party.group_ids.iter().any(|group| self.groups.contains(group)))
    }

    /// Any of the creators; addresses are ignored when there are ids, as documented.
    fn shows_creator(&self, creator: &Person) -> bool {
        let People { users, .. } = &self.creators;
        if self.creators.is_empty() {
            return true;
        }
        if users.is_empty() {
            self.creators.has_email(creator)
        } else {
            self.creators.has_user(creator)
        }
    }

    /// All of the invitees, by id and by address.
    fn shows_invitees(&self, event: &Event) -> bool {
        let people = || event.invitees.iter().map(|invitee| &invitee.person);
        let user = |id: &String| people().any(|person| person.user.as_ref() == Some(id));
        let email = |address: &String| {
            people().any(|person| {
                person.email.as_ref().is_some_and(|email| email.to_lowercase() == *address)
            })
        };
        self.invitees.users.iter().all(user) && self.invitees.emails.iter().all(email)
    }
}

impl Status {
    /// Confirmed, or going to be: at the date decided for, or at any that is proposed. Cancelled is neither.
    fn holds(self, event: &Event, now: Timestamp) -> bool {
        let decided = event.confirmed.date_id.as_ref();
        let mut dates = event.dates.iter().filter(|date| decided.is_none_or(|id| *id == date.id));
        event.cancelled.is_none()
            && match self {
                Self::Confirmed => event.confirmed.flag,
                Self::Upcoming => dates.any(|date| date.end_date >= now),
            }
    }
}

/// Without regard to case, in time linear in the title.
fn pattern(text: &str) -> Result<Regex, Refusal> {
    let mut builder = RegexBuilder::new(text);
    let size = limits::SCHEDULING_PATTERN_SIZE_MAX;
    let pattern = builder.case_insensitive(true).size_limit(size).dfa_size_limit(size).build();
    pattern.map_err(|_| Refusal::field("q", "must be a regular expression of moderate size"))
}
