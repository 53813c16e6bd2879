//! Checks of records and of what is announced with them.

use tidings_core::change::{is_operational, is_type};
use tidings_core::{json, limits};
use tidings_store::{RecordPut, RecordWrite};

use crate::validate::Checks;
use crate::{Announcement, Error, Result};

/// A write; `place` is where it stands in the request.
pub(super) fn write(checks: &mut Checks, place: &str, write: &RecordWrite) {
    match write {
        RecordWrite::Put(new, _) => put(checks, place, new),
        RecordWrite::Delete { collection, key, body, .. } => {
            name(checks, &format!("{place}/collection"), collection);
            name(checks, &format!("{place}/key"), key);
            if let Some(body) = body {
                document(checks, &format!("{place}/data"), body);
            }
        }
    }
}

/// A record to put.
pub(super) fn put(checks: &mut Checks, place: &str, new: &RecordPut) {
    name(checks, &format!("{place}/collection"), &new.collection);
    name(checks, &format!("{place}/key"), &new.key);
    document(checks, &format!("{place}/data"), &new.body);
}

/// The name of a collection, or a key.
fn name(checks: &mut Checks, pointer: &str, text: &str) {
    if text.len() > limits::RECORD_KEY_BYTES_MAX {
        let why = format!("must be at most {} bytes", limits::RECORD_KEY_BYTES_MAX);
        checks.refuse(pointer, "too_long", why);
    } else {
        checks.name(pointer, text);
    }
}

fn document(checks: &mut Checks, pointer: &str, body: &[u8]) {
    if body.len() > limits::RECORD_BYTES_MAX {
        let why = format!("must be at most {} bytes", limits::RECORD_BYTES_MAX);
        checks.refuse(pointer, "too_long", why);
    } else if !body.trim_ascii_start().starts_with(b"{") {
        checks.refuse(pointer, "object", "must be a JSON object");
    } else if let Err(error) = json::validate(body) {
        checks.refuse(pointer, "json", error.to_string());
    }
}

/// The details of a record account.
pub(super) fn details(checks: &mut Checks, details: Option<&serde_json::Value>) {
    let Some(details) = details else { return };
    if !details.is_object() {
        checks.refuse("/details", "object", "must be a JSON object");
    } else if details.to_string().len() > limits::RECORD_DETAILS_BYTES_MAX {
        let why = format!("must be at most {} bytes", limits::RECORD_DETAILS_BYTES_MAX);
        checks.refuse("/details", "too_long", why);
    }
}

/// What a dialect announces. It is the dialect's to get right, so what is wrong is our fault.
pub(super) fn announcements(announce: &[Announcement]) -> Result<()> {
    let good = |one: &Announcement| is_type(&one.kind) && !is_operational(&one.kind);
    if announce.len() > limits::RECORD_ANNOUNCEMENTS_MAX {
        let most = limits::RECORD_ANNOUNCEMENTS_MAX;
        return Err(Error::TooLarge(format!("a write announces at most {most} changes")));
    }
    if let Some(bad) = announce.iter().find(|one| !good(one)) {
        tracing::error!(kind = bad.kind, "a dialect announces a type that is none");
        return Err(Error::Internal);
    }
    Ok(())
}
