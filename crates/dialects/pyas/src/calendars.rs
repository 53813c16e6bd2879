//! Calendars, as their provider prints them.

use serde_json::{Value, json};
use tidings_service::Calendar;

use crate::refusal::{Fault, Refusal};
use crate::request::{Answer, Asked, Provider, Query, checked, done};

pub(crate) const ACCOUNT: &str = "an account id is required.";

/// `GET /{google|microsoft}/calendars?accountId`.
pub(crate) async fn list(asked: Asked) -> Answer {
    let account = account_id(&asked)?;
    let account = asked.account(&account).await?;
    let calendars = asked.service.calendars(&asked.caller, account.id).await?;
    let told: Vec<Value> = calendars.into_iter().map(|calendar| told(&asked, calendar)).collect();
    Ok(done(json!({ "success": true, "data": { "calendars": told } })))
}

/// `GET /{google|microsoft}/calendars/{id}?accountId`.
pub(crate) async fn get(asked: Asked) -> Answer {
    let account = account_id(&asked)?;
    let account = asked.account(&account).await?;
    let calendar = asked.calendar(&account, &asked.id).await?;
    Ok(done(json!({ "success": true, "calendar": told(&asked, calendar) })))
}

fn account_id(asked: &Asked) -> Result<String, Refusal> {
    with_calendars(asked)?;
    let mut faults: Vec<Fault> = Vec::new();
    let id = need_account(&asked.query, &mut faults);
    checked(faults)?;
    Ok(id)
}

pub(crate) fn need_account(query: &Query, faults: &mut Vec<Fault>) -> String {
    query.need("accountId", &[ACCOUNT], faults)
}

/// Zoom has meetings instead.
pub(crate) fn with_calendars(asked: &Asked) -> Result<(), Refusal> {
    if asked.provider == Provider::Zoom { Err(Refusal::not_found()) } else { Ok(()) }
}

/// The provider's own object. What was listed by a version of this server that did not keep it is put
/// together from what is known, until the list is read whole again.
fn told(asked: &Asked, calendar: Calendar) -> Value {
    if let Some(original) = calendar.original {
        return original;
    }
    let primary = calendar.primary.unwrap_or(false);
    let writable = calendar.writable.unwrap_or(false);
    let Calendar { external_id, name, time_zone, color, .. } = calendar;
    let mut told = match asked.provider {
        Provider::Google => json!({
            "kind": "calendar#calendarListEntry",
            "id": external_id,
            "summary": name,
            "timeZone": time_zone,
            "backgroundColor": color,
            "accessRole": if writable { "writer" } else { "reader" },
            "primary": primary.then_some(true),
        }),
        _ => json!({
            "id": external_id,
            "name": name,
            "hexColor": color,
            "isDefaultCalendar": primary,
            "canEdit": writable,
        }),
    };
    if let Some(members) = told.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    told
}
