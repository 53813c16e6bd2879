//! The two forms of an event's id. Inside, an event has a key; an occurrence has its master's key and its
//! day. Outside, there are immutable ids and ids that tell the calendar, so that they change on a move.
//! Neighbouring ids differ in nothing but the case of a letter: ids are case-sensitive.

use jiff::civil::Date;

const IMMUTABLE: &str = "AAkALgAAAAAAHYQDEapm-";
const MOVING: &str = "AQMkADAwATM_";

/// The key of the `number`th event of a mailbox.
pub(super) fn key(number: u64) -> String {
    format!("{:06}{}", number / 2, if number.is_multiple_of(2) { 'A' } else { 'a' })
}

/// The key of what takes place on `day` of the series `master`.
pub(super) fn occurrence(master: &str, day: Date) -> String {
    format!("{master}{}", day.strftime("%Y%m%d"))
}

/// Master and day of the key of an occurrence.
pub(super) fn parts(key: &str) -> Option<(&str, Date)> {
    let (master, day) = (key.get(..7)?, key.get(7..)?);
    Date::strptime("%Y%m%d", day).ok().map(|day| (master, day))
}

/// The id that a client sees.
pub(super) fn outward(key: &str, immutable: bool, calendar: &str) -> String {
    match immutable {
        true => format!("{IMMUTABLE}{key}="),
        false => format!("{MOVING}{:03}-{key}=", u64::from(short(calendar))),
    }
}

/// The key in an id that a client sent, whichever form it has.
pub(super) fn inward(id: &str) -> Option<&str> {
    let id = id.strip_suffix('=')?;
    id.strip_prefix(IMMUTABLE).or_else(|| id.strip_prefix(MOVING)?.split_once('-').map(|(_, k)| k))
}

/// A number that differs between the few calendars of a mailbox.
fn short(calendar: &str) -> u8 {
    calendar.bytes().fold(7, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_event() {
        let day = "2026-12-09".parse().unwrap();
        for key in [key(0), key(1), occurrence(&key(12), day)] {
            let (immutable, moving) = (outward(&key, true, "c1"), outward(&key, false, "c1"));
            assert_eq!((inward(&immutable), inward(&moving)), (Some(&*key), Some(&*key)));
            assert_ne!(moving, outward(&key, false, "c2"), "it changes on a move");
        }
        assert_eq!(parts(&occurrence(&key(3), day)), Some((&*key(3), day)));
        assert_eq!(key(0).to_lowercase(), key(1).to_lowercase(), "only the case tells them apart");
    }
}
