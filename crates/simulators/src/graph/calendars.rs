//! `/me` and `/me/calendars`.

use serde_json::{Value, json};

use super::mailbox::{Calendar, Mailbox};
use super::world::World;
use super::{error, event};
use crate::server::{Answer, Call};

impl World {
    pub(super) fn me(&self, owner: usize) -> Answer {
        let Mailbox { user, email, name, .. } = &self.mailboxes[owner];
        Answer::json(
            200,
            &json!({
                "businessPhones": [], "displayName": name, "givenName": name, "jobTitle": null,
                "mail": email, "mobilePhone": null, "officeLocation": null,
                "preferredLanguage": null, "surname": null, "userPrincipalName": email, "id": user,
            }),
        )
    }

    pub(super) fn list_calendars(&mut self, owner: usize, call: &Call) -> Answer {
        if let Some(token) = call.parameter("$skiptoken") {
            return self.next_page(call, &token);
        }
        let mailbox = &self.mailboxes[owner];
        let select = call.parameter("$select").unwrap_or_default();
        let printed = mailbox.calendars.iter().map(|calendar| print(mailbox, calendar));
        let printed: Vec<Value> = printed.map(|one| event::selected(one, &select)).collect();
        let top = call.parameter("$top").and_then(|top| top.parse().ok());
        self.first_page(call, printed, top, None)
    }

    pub(super) fn post_calendar(&mut self, owner: usize, call: &Call) -> Answer {
        let name = call.json().and_then(|body| body["name"].as_str().map(str::to_owned));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return error::invalid("name is required.");
        };
        if self.mailboxes[owner].calendars.iter().any(|calendar| calendar.name == name) {
            let message = "A folder with the specified name already exists.";
            return error::refused(409, "ErrorFolderExists", message);
        }
        let id = self.add_calendar(owner, &name);
        let mailbox = &self.mailboxes[owner];
        let calendar = mailbox.calendar(&id).expect("it was just made");
        Answer::json(201, &print(mailbox, calendar))
    }

    /// GET, PATCH, DELETE of one calendar.
    pub(super) fn calendar(&mut self, owner: usize, id: &str, call: &Call) -> Answer {
        let mailbox = &mut self.mailboxes[owner];
        let Some(place) = mailbox.calendars.iter().position(|calendar| calendar.id == id) else {
            return error::not_found();
        };
        match call.method.as_str() {
            "GET" => {}
            "PATCH" => {
                let body = call.json().unwrap_or_default();
                let version = mailbox.bump();
                let calendar = &mut mailbox.calendars[place];
                calendar.version = version;
                for (field, value) in
                    [(&mut calendar.name, &body["name"]), (&mut calendar.color, &body["color"])]
                {
                    if let Some(text) = value.as_str() {
                        text.clone_into(field);
                    }
                }
            }
            "DELETE" if mailbox.calendars[place].default => {
                let message = "The default calendar cannot be deleted.";
                return error::refused(400, "ErrorDeleteDistinguishedFolder", message);
            }
            "DELETE" => {
                self.remove_calendar(owner, id);
                return Answer::empty(204);
            }
            _ => return Answer::empty(405),
        }
        let mailbox = &self.mailboxes[owner];
        Answer::json(200, &print(mailbox, &mailbox.calendars[place]))
    }
}

fn print(mailbox: &Mailbox, calendar: &Calendar) -> Value {
    json!({
        "id": calendar.id,
        "name": calendar.name,
        "color": calendar.color,
        "hexColor": "",
        "isDefaultCalendar": calendar.default,
        "changeKey": event::change_key(calendar.version),
        "canShare": true,
        "canViewPrivateItems": true,
        "canEdit": calendar.writable,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "isTallyingResponses": true,
        "isRemovable": !calendar.default,
        "owner": { "name": mailbox.name, "address": mailbox.email },
    })
}
