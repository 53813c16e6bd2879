//! The Graph simulator does what Graph does, the traps included.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "graph/asking.rs"]
mod asking;
#[path = "graph/client.rs"]
mod client;
#[path = "graph/delta.rs"]
mod delta;
#[path = "graph/events.rs"]
mod events;
#[path = "graph/sign_in.rs"]
mod sign_in;
#[path = "graph/subscriptions.rs"]
mod subscriptions;

use serde_json::{Value, json};

/// An hour on a day of December 2026, from nine o'clock.
fn hour(title: &str, day: u8) -> Value {
    let at = |hour: u8| json!({ "dateTime": format!("2026-12-{day:02}T{hour:02}:00:00"), "timeZone": "UTC" });
    json!({ "subject": title, "start": at(9), "end": at(10) })
}

/// The same every week from the second, four times.
fn weekly(title: &str) -> Value {
    let mut event = hour(title, 2);
    event["recurrence"] = json!({
        "pattern": { "type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"] },
        "range": { "type": "numbered", "startDate": "2026-12-02", "numberOfOccurrences": 4 },
    });
    event
}
