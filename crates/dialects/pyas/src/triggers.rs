//! The triggers of Pyas, and what they ask for.

use tidings_core::change::types;

/// Every trigger, and the type of change that it asks for. `account.` is singular and the others are
/// plural, as documented; there is no `calendars.updated`.
const TRIGGERS: [(&str, &str); 8] = [
    ("account.connected", types::ACCOUNT_CONNECTED),
    ("account.inactive", types::ACCOUNT_INACTIVE),
    ("account.deleted", types::ACCOUNT_DELETED),
    ("calendars.created", types::CALENDAR_CREATED),
    ("calendars.deleted", types::CALENDAR_DELETED),
    ("events.created", types::EVENT_CREATED),
    ("events.updated", types::EVENT_UPDATED),
    ("events.deleted", types::EVENT_DELETED),
];

/// The trigger under which a type of change is sent; none for types that Pyas does not have.
pub(crate) fn trigger_of(kind: &str) -> Option<&'static str> {
    TRIGGERS.iter().find(|(_, of)| *of == kind).map(|(trigger, _)| *trigger)
}

/// Every trigger, in the order of the documentation.
pub(crate) fn all() -> Vec<&'static str> {
    TRIGGERS.iter().map(|(trigger, _)| *trigger).collect()
}

pub(crate) fn knows(trigger: &str) -> bool {
    TRIGGERS.iter().any(|(known, _)| *known == trigger)
}

pub(crate) fn asks(trigger: &str, kind: &str) -> bool {
    trigger_of(kind) == Some(trigger)
}

/// Calendar triggers are documented for Google only, event triggers for Google and Microsoft, account
/// triggers for every provider; accounts that hold records are none of a calendar provider.
pub(crate) fn documents(kind: &str, provider: &str) -> bool {
    match trigger_of(kind).and_then(|trigger| trigger.split_once('.')) {
        Some(("account", _)) => provider != "record",
        Some(("calendars", _)) => provider == "google",
        Some(("events", _)) => provider == "google" || provider == "microsoft",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FORMAT;

    #[test]
    fn the_eight_triggers_ask_for_one_type_each() {
        for (trigger, kind) in TRIGGERS {
            assert!((FORMAT.knows)(trigger), "{trigger}");
            for (_, other) in TRIGGERS {
                assert_eq!((FORMAT.asks)(trigger, other), kind == other, "{trigger} {other}");
            }
        }
        for stranger in
            ["calendars.updated", "calendar.created", "event.created", "events.*", "*", ""]
        {
            assert!(!(FORMAT.knows)(stranger), "{stranger}");
            assert!(!(FORMAT.asks)(stranger, types::EVENT_CREATED), "{stranger}");
        }
        assert!(!(FORMAT.asks)("calendars.created", types::CALENDAR_UPDATED));
    }

    #[test]
    fn documented_providers_are_those_of_the_seed() {
        for (trigger, kind) in TRIGGERS {
            for provider in ["google", "microsoft", "zoom", "caldav", "apple"] {
                let expected = trigger.starts_with("account.")
                    || provider == "google"
                    || (provider == "microsoft" && trigger.starts_with("events."));
                assert_eq!((FORMAT.documents)(kind, provider), expected, "{trigger} {provider}");
            }
        }
        assert!(!(FORMAT.documents)(types::CALENDAR_UPDATED, "google"));
        assert!(!(FORMAT.documents)("invoice.paid", "google"));
        for kind in [types::ACCOUNT_CONNECTED, types::ACCOUNT_INACTIVE, types::ACCOUNT_DELETED] {
            assert!(!(FORMAT.documents)(kind, "record"), "{kind}");
        }
    }
}
