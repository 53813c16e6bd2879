//! The calendar whose changes the demo shows.

use std::sync::Arc;
use std::time::Duration;

use tidings_core::id::AccountId;
use tidings_service::{Caller, NewAccount, Password};

use super::caldav::{CalendarClient, event};
use super::google::GoogleCalendar;
use super::place::{CaldavPlace, Place};
use super::stage::NAME;
use crate::error::{Error, Result};
use crate::server::Server;

/// A subscription at the provider takes no longer.
pub(super) const WATCH_DEADLINE: Duration = Duration::from_secs(30);

/// What happens to the demo's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Add,
    Change,
    Delete,
}

/// A connected calendar in which one event is changed.
pub(super) enum Calendar {
    Caldav(CaldavPlace, Box<CalendarClient>),
    Google(GoogleCalendar),
}

impl Calendar {
    /// Connects the account of `place`; `uid` will be the event's.
    pub(super) async fn connect(
        place: Place,
        server: &Server,
        caller: &Caller,
        uid: &str,
    ) -> Result<(Self, AccountId)> {
        let place = match place {
            Place::Caldav(place) => place,
            Place::Google(google) => {
                let (calendar, id) = GoogleCalendar::connect(google, server, caller).await?;
                return Ok((Self::Google(calendar), id));
            }
        };
        let client = CalendarClient::find(Arc::clone(&server.egress), &place, uid).await?;
        let account = server.service.connect_account(caller, account(&place)).await;
        let account = account.map_err(Error::failed("the account"))?;
        Ok((Self::Caldav(place, Box::new(client)), account.id))
    }

    /// Waits until a change would be noticed; the first sync is done.
    pub(super) async fn watched(
        &mut self,
        server: &Server,
        caller: &Caller,
        account: AccountId,
    ) -> Result<()> {
        match self {
            Self::Caldav(..) => Ok(()),
            Self::Google(google) => google.watched(&server.service, caller, account).await,
        }
    }

    /// What a step is about to do, in words.
    pub(super) fn words(&self, step: Step) -> String {
        let (how, at) = match self {
            Self::Caldav(_, client) => match step {
                Step::Delete => ("DELETE", format!(" {}", client.event())),
                Step::Add | Step::Change => ("PUT", format!(" {}", client.event())),
            },
            Self::Google(_) => ("in the calendar of the simulated Google", String::new()),
        };
        match step {
            Step::Add => format!("adding an event: {how}{at}"),
            Step::Change => format!("\nchanging it: {how}"),
            Step::Delete => format!("\ndeleting it: {how}"),
        }
    }

    /// Makes a change.
    pub(super) async fn change(&mut self, step: Step, uid: &str) -> Result<()> {
        match (self, step) {
            (Self::Google(google), step) => {
                google.change(step, uid);
                Ok(())
            }
            (Self::Caldav(_, client), Step::Add) => {
                client.put(event(uid, "Tea", "20300102T150000Z", 0)).await
            }
            (Self::Caldav(_, client), Step::Change) => {
                client.put(event(uid, "Tea and cake", "20300102T160000Z", 1)).await
            }
            (Self::Caldav(_, client), Step::Delete) => client.delete().await,
        }
    }

    /// The provider's pushes since this was last asked, in words; `None` when it cannot push.
    pub(super) async fn pushed(&mut self) -> Option<String> {
        match self {
            Self::Caldav(..) => None,
            Self::Google(google) => Some(google.pushed().await),
        }
    }

    /// Leaves no event behind in a calendar that outlives the demo; otherwise, what to do by hand.
    pub(super) async fn clear(&self) -> Option<String> {
        let Self::Caldav(place, client) = self else { return None };
        if place.built_in {
            return None;
        }
        let error = client.delete().await.err()?;
        Some(format!("delete the event {} by hand: {error}", client.event()))
    }

    /// How a person can change the calendar.
    pub(super) fn by_hand(&self) -> String {
        let (place, client) = match self {
            Self::Google(google) => return google.by_hand(),
            Self::Caldav(place, client) => (place, client),
        };
        let (user, password) = match place.built_in {
            true => (place.user.as_str(), place.password.as_str()),
            false => (place.user.as_str(), "PASSWORD"),
        };
        let mut address = client.event().clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop().push("lunch.ics");
        }
        let text = event("lunch", "Lunch", "20300103T120000Z", 0).replace("\r\n", "\\r\\n");
        format!(
            "printf '{text}' | curl -u '{user}:{password}' -X PUT -H 'content-type: text/calendar' \
             --data-binary @- '{address}'"
        )
    }
}

fn account(place: &CaldavPlace) -> NewAccount {
    NewAccount {
        provider: "caldav".to_owned(),
        user: None,
        external_id: None,
        name: Some(NAME.to_owned()),
        server_url: Some(place.server.to_string()),
        username: place.user.clone(),
        password: Password::new(place.password.to_string()),
    }
}
