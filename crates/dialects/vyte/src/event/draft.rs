//! Reading an event that is to be created, and making it.

use jiff::tz::TimeZone;
use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::is_deceptive;

use super::{
    By, Confirmed, Date, Event, Invitee, Message, Pen, Person, Place, Stats, ThirdParty, Vote,
    Voted, Votes, moment,
};
use crate::refusal::Refusal;
use crate::request::Fields;

/// The languages that Vyte documents.
pub(crate) const LANGUAGES: [&str; 8] = ["fr", "en", "es", "it", "pt", "de", "sv", "nl"];

/// An event to create, as asked for.
pub(crate) struct Draft<'a> {
    fields: Fields<'a>,
    title: &'a str,
    confirmed: bool,
    /// Who creates it, by what was given: an id, else an address.
    pub(crate) creator: Creator<'a>,
}

/// How a request names who creates an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creator<'a> {
    /// A user of the organization, by id.
    User(&'a str),
    /// Anybody, by address.
    Email(&'a str),
}

/// Who is to be invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) email: String,
    full_name: Option<String>,
    phone: Option<String>,
}

impl<'a> Draft<'a> {
    /// Reads what is needed before the creator is known.
    pub(crate) fn read(fields: Fields<'a>) -> Result<Self, Refusal> {
        let title = fields.required("title", limits::EVENT_TITLE_BYTES_MAX)?;
        let by = fields.object("created_by")?;
        let by =
            by.ok_or_else(|| fields.refuse("created_by", "is required: an email or a user"))?;
        let creator = creator(&by)?;
        let confirmed = match fields.object("confirmed")? {
            Some(confirmed) => confirmed.flag("flag")?.unwrap_or(false),
            None => false,
        };
        Ok(Self { fields, title, confirmed, creator })
    }

    /// The addresses in it that may belong to users.
    pub(crate) fn addresses(&self) -> Result<Vec<String>, Refusal> {
        let guests = guests(&self.fields)?;
        let creator = match self.creator {
            Creator::Email(email) => Some(email.to_lowercase()),
            Creator::User(_) => None,
        };
        Ok(guests.into_iter().map(|guest| guest.email.to_lowercase()).chain(creator).collect())
    }

    /// The event that `creator` asks for.
    pub(crate) fn make(&self, creator: Person, pen: &Pen<'_>) -> Result<Event, Refusal> {
        let fields = &self.fields;
        let timezone = time_zone(fields)?;
        let zone = moment::zone(timezone.as_deref().or(creator.timezone.as_deref()));
        let by = creator.by();
        let mut event = Event {
            id: (pen.id)(),
            title: self.title.to_owned(),
            cancelled: None,
            confirmed: Confirmed { multi: Some(false), ..Confirmed::default() },
            dates: made(dates(fields, &zone, &by, pen)?),
            places: made(places(fields, &by, pen)?),
            invitees: Vec::new(),
            invitees_length: 0,
            messages: messages(fields, &creator, pen)?,
            declines: Vec::new(),
            lang: language(fields, "lang")?.unwrap_or_else(|| "en".into()),
            locale: language(fields, "locale")?.unwrap_or_else(|| "en".into()),
            timezone,
            vyteme: fields.flag("vyteme")?.unwrap_or(false),
            third_party: third_party(fields)?,
            ics_sequence: 0,
            version: 0,
            group_pro: false,
            identification_alternatives: Vec::new(),
            api: true,
            links: Value::Null,
            created_at: pen.now,
            updated_at: pen.now,
            v: 0,
            created_by: Person { timezone: None, locale: None, ..creator.clone() },
        };
        event.invitees.push(first(creator, &event, pen));
        event.invite(guests(fields)?, pen)?;
        if self.confirmed {
            event.decide(None, None, pen)?;
        }
        Ok(event)
    }
}

/// Proposals of an event that has none yet, whose ids are ours to make.
fn made<T>(given: Option<Vec<Proposed<'_, T>>>) -> Vec<T> {
    given.unwrap_or_default().into_iter().map(|(_, proposal)| proposal).collect()
}

/// A date or place, and the id by which the client says that the event has it already.
pub(super) type Proposed<'a, T> = (Option<&'a str>, T);

/// What its proposer thinks of a proposal.
fn own(by: &By, pen: &Pen<'_>) -> Votes {
    Votes { yes: vec![Vote { id: (pen.id)(), created_by: by.clone() }], no: Vec::new() }
}

/// The creator, as the first of the invitees.
fn first(creator: Person, event: &Event, pen: &Pen<'_>) -> Invitee {
    let voted = Voted { dates: !event.dates.is_empty(), places: !event.places.is_empty() };
    Invitee {
        id: (pen.id)(),
        created_by: creator.by(),
        person: creator,
        phone: None,
        stats: Some(Stats { voted }),
        star: false,
        su: Some(true),
    }
}

impl Event {
    /// Adds whom it does not have yet; returns whether there was any.
    pub(super) fn invite(&mut self, guests: Vec<Guest>, pen: &Pen<'_>) -> Result<bool, Refusal> {
        let by = self.created_by.by();
        let before = self.invitees.len();
        for guest in guests {
            if self.invitee(&guest.email).is_some() {
                continue;
            }
            let known = (pen.known)(&guest.email.to_lowercase()).unwrap_or_default();
            let full_name = guest.full_name.or(known.full_name);
            self.invitees.push(Invitee {
                id: (pen.id)(),
                created_by: by.clone(),
                person: Person { email: Some(guest.email), full_name, ..known },
                phone: guest.phone,
                stats: None,
                star: false,
                su: None,
            });
        }
        if self.invitees.len() > limits::EVENT_ATTENDEES_MAX {
            let why = format!("an event has at most {} of them", limits::EVENT_ATTENDEES_MAX);
            return Err(Refusal::field("invitees", &why));
        }
        self.invitees_length = self.invitees.len();
        Ok(self.invitees.len() > before)
    }

    /// The invitee with this address.
    pub(super) fn invitee(&self, email: &str) -> Option<&Invitee> {
        let is = |own: &String| own.to_lowercase() == email.to_lowercase();
        self.invitees.iter().find(|invitee| invitee.person.email.as_ref().is_some_and(is))
    }
}

fn creator<'a>(by: &Fields<'a>) -> Result<Creator<'a>, Refusal> {
    if let Some(user) = by.text("user", 64)? {
        return Ok(Creator::User(user));
    }
    match by.value("email") {
        Some(_) => address(by).map(Creator::Email),
        None => Err(by.refuse("email", "is required, or user")),
    }
}

/// The guests of `invitees`.
fn guests(fields: &Fields<'_>) -> Result<Vec<Guest>, Refusal> {
    let given = fields.objects("invitees", limits::EVENT_ATTENDEES_MAX)?;
    given.unwrap_or_default().iter().map(guest).collect()
}

/// The guests of a body that is an array of them.
pub(crate) fn invitees(body: &Value) -> Result<Vec<Guest>, Refusal> {
    let guests = Fields::each("invitees", body, limits::EVENT_ATTENDEES_MAX)?;
    guests.iter().map(guest).collect()
}

fn guest(fields: &Fields<'_>) -> Result<Guest, Refusal> {
    Ok(Guest {
        email: address(fields)?.to_owned(),
        full_name: fields.owned("full_name", limits::EVENT_TITLE_BYTES_MAX)?,
        phone: fields.owned("phone", limits::EVENT_TITLE_BYTES_MAX)?,
    })
}

/// An e-mail address, in so far as one can tell without sending something to it.
pub(crate) fn address<'a>(fields: &Fields<'a>) -> Result<&'a str, Refusal> {
    let email = fields.required("email", limits::NAME_BYTES_MAX)?;
    if is_address(email) {
        Ok(email)
    } else {
        Err(fields.refuse("email", "is not an e-mail address"))
    }
}

/// Whether a text looks like an e-mail address.
pub(crate) fn is_address(text: &str) -> bool {
    let plain = !text.chars().any(|c| c.is_whitespace() || c == ',' || is_deceptive(c));
    let parts = text.split_once('@');
    plain
        && parts
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// A language of the documented ones.
pub(crate) fn language(fields: &Fields<'_>, name: &str) -> Result<Option<String>, Refusal> {
    match fields.text(name, 16)? {
        Some(language) if LANGUAGES.contains(&language) => Ok(Some(language.to_owned())),
        Some(_) => Err(fields.refuse(name, &format!("must be one of {}", LANGUAGES.join(", ")))),
        None => Ok(None),
    }
}

/// The time zone of an event or user.
pub(crate) fn time_zone(fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let given = fields.text("timezone", 64)?.filter(|name| !name.is_empty());
    if given.is_some_and(|name| !moment::is_time_zone(name)) {
        return Err(fields.refuse("timezone", "must be a name of the TZ database, Europe/Paris"));
    }
    Ok(given.map(str::to_owned))
}

/// The dates of a body; none when it has no `dates`.
pub(super) fn dates<'a>(
    fields: &Fields<'a>,
    zone: &TimeZone,
    by: &By,
    pen: &Pen<'_>,
) -> Result<Option<Vec<Proposed<'a, Date>>>, Refusal> {
    let Some(given) = fields.objects("dates", limits::SCHEDULING_DATES_MAX)? else {
        return Ok(None);
    };
    let date = |fields: &Fields<'a>| {
        let at = |name: &str| -> Result<Timestamp, Refusal> {
            let wrong = || fields.refuse(name, "must be a time, such as 2020-07-16T09:00:00Z");
            moment::parse(fields.required(name, 64)?, zone).ok_or_else(wrong)
        };
        let (date, end_date) = (at("date")?, at("end_date")?);
        if end_date < date {
            return Err(fields.refuse("end_date", "must not lie before date"));
        }
        let date = Date {
            id: (pen.id)(),
            created_by: by.clone(),
            votes: own(by, pen),
            all_day: fields.flag("all_day")?.unwrap_or(false),
            confirmed: false,
            confirmed_invitees: Vec::new(),
            date,
            end_date,
            created_at: pen.now,
            updated_at: pen.now,
        };
        Ok((fields.text("_id", 64)?, date))
    };
    given.iter().map(date).collect::<Result<_, _>>().map(Some)
}

/// The places of a body; none when it has no `places`.
pub(super) fn places<'a>(
    fields: &Fields<'a>,
    by: &By,
    pen: &Pen<'_>,
) -> Result<Option<Vec<Proposed<'a, Place>>>, Refusal> {
    let given = fields.objects("places", limits::SCHEDULING_PLACES_MAX)?;
    let Some(given) = given else { return Ok(None) };
    let place = |fields: &Fields<'a>| {
        let address = fields.text("address", limits::EVENT_TITLE_BYTES_MAX)?;
        let place = Place {
            id: (pen.id)(),
            created_by: by.clone(),
            votes: own(by, pen),
            source: fields.text("source", 64)?.unwrap_or("app").to_owned(),
            name: fields.required("name", limits::EVENT_TITLE_BYTES_MAX)?.to_owned(),
            address: address.map(str::to_owned),
            created_at: pen.now,
            updated_at: pen.now,
        };
        Ok((fields.text("_id", 64)?, place))
    };
    given.iter().map(place).collect::<Result<_, _>>().map(Some)
}

fn messages(fields: &Fields<'_>, from: &Person, pen: &Pen<'_>) -> Result<Vec<Message>, Refusal> {
    let given = fields.objects("messages", limits::SCHEDULING_MESSAGES_MAX)?.unwrap_or_default();
    let message = |fields: &Fields<'_>| {
        Ok(Message {
            id: (pen.id)(),
            created_by: from.by(),
            from: from.email.clone(),
            body: fields.required("body", limits::EVENT_TEXT_BYTES_MAX)?.to_owned(),
            created_at: pen.now,
            updated_at: pen.now,
        })
    };
    given.iter().map(message).collect()
}

fn third_party(fields: &Fields<'_>) -> Result<ThirdParty, Refusal> {
    let Some(given) = fields.object("third_party")? else { return Ok(ThirdParty::default()) };
    let text = |name| given.owned(name, limits::NAME_BYTES_MAX);
    Ok(ThirdParty {
        ct: text("ct")?,
        app: text("app")?,
        name: text("name")?,
        group_ids: given.texts("group_ids", limits::SCHEDULING_GROUPS_MAX)?.unwrap_or_default(),
    })
}
