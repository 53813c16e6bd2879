//! The event document: what is kept in a record, and printed as it is kept. Everything here is a pure
//! function of documents; `events.rs` reads and writes them.

mod changing;
mod choosing;
mod draft;
mod listing;
mod moment;
mod voting;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidings_core::clock::Timestamp;

pub(crate) use changing::Edit;
pub(crate) use draft::{Creator, Draft, invitees, is_address, language, time_zone};
pub(crate) use listing::Listing;
pub(crate) use voting::Ballot;

/// A person whom the organization knows, or only an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    /// Their e-mail address, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// Their id, when they are a user of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) picture_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) full_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) locale: Option<String>,
}

impl Person {
    /// The person as the maker of something: by id when they have one.
    fn by(&self) -> By {
        match &self.user {
            Some(user) => By { user: Some(user.clone()), email: None },
            None => By { user: None, email: self.email.clone() },
        }
    }
}

/// Who made something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct By {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
}

/// What a change of a document is made with: the time, ids, and the people known.
pub(crate) struct Pen<'a> {
    pub(crate) now: Timestamp,
    pub(crate) id: &'a dyn Fn() -> String,
    /// Finds a user of the organization by their address in lower case.
    pub(crate) known: &'a dyn Fn(&str) -> Option<Person>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) created_by: Person,
    /// When it was cancelled; absent while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cancelled: Option<Timestamp>,
    pub(crate) confirmed: Confirmed,
    pub(crate) dates: Vec<Date>,
    pub(crate) places: Vec<Place>,
    pub(crate) invitees: Vec<Invitee>,
    pub(crate) invitees_length: usize,
    pub(crate) messages: Vec<Message>,
    pub(crate) declines: Vec<Value>,
    pub(crate) lang: String,
    pub(crate) locale: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timezone: Option<String>,
    pub(crate) vyteme: bool,
    pub(crate) third_party: ThirdParty,
    /// How often it was moved or cancelled after invitations went out.
    pub(crate) ics_sequence: u32,
    pub(crate) version: u32,
    pub(crate) group_pro: bool,
    pub(crate) identification_alternatives: Vec<Value>,
    pub(crate) api: bool,
    pub(crate) links: Value,
    #[serde(rename = "createdAt")]
    pub(crate) created_at: Timestamp,
    #[serde(rename = "updatedAt")]
    pub(crate) updated_at: Timestamp,
    #[serde(rename = "__v")]
    pub(crate) v: u32,
}

/// Whether, when and for which date and place it is decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Confirmed {
    pub(crate) flag: bool,
    /// When it was confirmed or cancelled.
    pub(crate) updated_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) date_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place_id: Option<String>,
    /// Printed while it is open only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) multi: Option<bool>,
}

/// A date that is proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Date {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    pub(crate) created_by: By,
    pub(crate) votes: Votes,
    pub(crate) all_day: bool,
    pub(crate) confirmed: bool,
    pub(crate) confirmed_invitees: Vec<Value>,
    pub(crate) date: Timestamp,
    pub(crate) end_date: Timestamp,
    #[serde(rename = "createdAt")]
    pub(crate) created_at: Timestamp,
    #[serde(rename = "updatedAt")]
    pub(crate) updated_at: Timestamp,
}

/// A place that is proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    pub(crate) created_by: By,
    pub(crate) votes: Votes,
    pub(crate) source: String,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    #[serde(rename = "createdAt")]
    pub(crate) created_at: Timestamp,
    #[serde(rename = "updatedAt")]
    pub(crate) updated_at: Timestamp,
}

/// Who is for a date or place, and who is against it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Votes {
    pub(crate) yes: Vec<Vote>,
    pub(crate) no: Vec<Vote>,
}

/// One vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vote {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    pub(crate) created_by: By,
}

/// Who is invited; the first is who created the event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Invitee {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    pub(crate) created_by: By,
    #[serde(flatten)]
    pub(crate) person: Person,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<Stats>,
    pub(crate) star: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) su: Option<bool>,
}

/// What an invitee did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) voted: Voted,
}

/// On what an invitee voted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Voted {
    pub(crate) dates: bool,
    pub(crate) places: bool,
}

/// A message in the event's conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    pub(crate) created_by: By,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    pub(crate) body: String,
    #[serde(rename = "createdAt")]
    pub(crate) created_at: Timestamp,
    #[serde(rename = "updatedAt")]
    pub(crate) updated_at: Timestamp,
}

/// The application and the groups that an event belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ThirdParty {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ct: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) group_ids: Vec<String>,
}

#[cfg(test)]
mod tests;
