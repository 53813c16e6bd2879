//! Times as clients write them: ISO 8601, and what becomes of it on the way.

use tidings_core::clock::Timestamp;

/// The bytes of a date, `2026-12-02`.
const DATE_BYTES: usize = 10;

/// Whether a text is a date without a time.
pub(crate) fn is_date(text: &str) -> bool {
    text.len() == DATE_BYTES && Timestamp::parse(&format!("{text}T00:00:00Z")).is_some()
}

/// The date that a text begins with.
pub(crate) fn date_of(text: &str) -> Option<&str> {
    text.get(..DATE_BYTES).filter(|date| is_date(date))
}

/// A moment. A date is its first instant; a time without an offset is UTC; a `+` that a query string
/// turned into a space, a missing `T`, seconds or colon of the offset are made good.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let text = Some(text.trim()).filter(|text| text.is_ascii())?;
    let (date, rest) = (date_of(text)?, &text[DATE_BYTES..]);
    if rest.is_empty() {
        return Timestamp::parse(&format!("{date}T00:00:00Z"));
    }
    let time = rest.strip_prefix(['T', 't', ' '])?.replace(' ', "+").replace('z', "Z");
    let at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at(at);
    let seconds = if clock.len() == "09:00".len() { ":00" } else { "" };
    let offset = match offset.len() {
        0 => "Z".to_owned(),
        3 => format!("{offset}:00"),
        5 if !offset.contains(':') => format!("{}:{}", &offset[..3], &offset[3..]),
        _ => offset.to_owned(),
    };
    Timestamp::parse(&format!("{date}T{clock}{seconds}{offset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_iso_8601_is_made_good_and_nonsense_is_not() {
        for (text, expected) in [
            ("2025-10-01T00:00:00Z", Some("2025-10-01T00:00:00.000Z")),
            ("2025-10-31T23:59:59.123Z", Some("2025-10-31T23:59:59.123Z")),
            ("2025-10-01", Some("2025-10-01T00:00:00.000Z")),
            ("2025-10-01 12:00:00", Some("2025-10-01T12:00:00.000Z")),
            ("2025-10-01T12:00", Some("2025-10-01T12:00:00.000Z")),
            ("2025-10-01T12:00:00 02:00", Some("2025-10-01T10:00:00.000Z")),
            ("2025-10-01T12:00:00+0200", Some("2025-10-01T10:00:00.000Z")),
            ("2025-10-01T12:00:00+02", Some("2025-10-01T10:00:00.000Z")),
            ("2025-10-01T12:00:00-05:30", Some("2025-10-01T17:30:00.000Z")),
            ("2025-10-01t12:00:00z", Some("2025-10-01T12:00:00.000Z")),
            ("", None),
            ("yesterday", None),
            ("2025-13-01", None),
            ("2025-10-01T", None),
            ("2025-10-01T12:00:00+ü1", None),
            ("2025-10-0é", None),
        ] {
            assert_eq!(parse(text).map(|at| at.to_string()).as_deref(), expected, "{text}");
        }
    }
}
