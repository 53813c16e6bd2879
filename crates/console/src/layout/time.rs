//! Moments and durations as people read them.

use maud::{Markup, html};
use tidings_core::clock::Timestamp;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment: in words as seen from `now`, exactly in its title; the script keeps the words true.
pub(crate) fn time(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(at) title=(exact(at)) { (ago(at, now)) } }
}

/// As [`time`], or these words.
pub(crate) fn time_or(at: Option<Timestamp>, now: Timestamp, otherwise: &str) -> Markup {
    match at {
        Some(at) => time(at, now),
        None => html! { span.quiet { (otherwise) } },
    }
}

/// `2026-03-12 09:01:12 UTC`.
fn exact(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((date, rest)) => format!("{date} {} UTC", rest.get(..8).unwrap_or(rest)),
        None => text,
    }
}

/// `just now`, `5 min ago`, `in a moment`, `in 3 h`, `2 days ago`; the date beyond 30 days.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let passed = now.0.saturating_sub(at.0);
    let away = if passed < 0 { rounded(passed.saturating_neg()) } else { passed };
    let (count, unit) = match away {
        less if less < 5 * SECOND && passed < 0 => return "in a moment".into(),
        less if less < 5 * SECOND => return "just now".into(),
        less if less < MINUTE => (less / SECOND, "s"),
        less if less < HOUR => (less / MINUTE, "min"),
        less if less < DAY => (less / HOUR, "h"),
        less if less < 2 * DAY => (1, "day"),
        less if less < 30 * DAY => (less / DAY, "days"),
        _ => return exact(at).get(..10).unwrap_or_default().to_owned(),
    };
    if passed < 0 { format!("in {count} {unit}") } else { format!("{count} {unit} ago") }
}

/// What is to come is told to the nearest unit: a day that has just begun is 24 h, not 23.
fn rounded(ms: i64) -> i64 {
    let unit = [DAY, HOUR, MINUTE, SECOND].into_iter().find(|unit| ms >= 5 * SECOND && ms >= *unit);
    unit.map_or(ms, |unit| ms.saturating_add(unit / 2) / unit * unit)
}

/// A duration in the unit that fits: `0.4 ms`, `38 ms`, `2.4 s`, `5 min`, `2 h`.
pub(crate) fn duration_ms(ms: f64) -> String {
    match ms {
        ms if ms < 9.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms if ms < 59_950.0 => format!("{:.1} s", ms / 1e3),
        ms if ms < 3_570_000.0 => format!("{:.0} min", ms / 6e4),
        ms if ms < 169_200_000.0 => format!("{:.0} h", ms / 3.6e6),
        ms => format!("{:.0} days", ms / 8.64e7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_from_now() {
        let now = Timestamp::parse("2026-03-12T09:01:12Z").unwrap();
        for (ms, words) in [
            (0, "just now"),
            (-4_999, "just now"),
            (4_999, "in a moment"),
            (DAY - 20, "in 1 day"),
            (12 * HOUR - 20, "in 12 h"),
            (-30_000, "30 s ago"),
            (-90_000, "1 min ago"),
            (3 * HOUR, "in 3 h"),
            (-DAY, "1 day ago"),
            (-5 * DAY, "5 days ago"),
            (-40 * DAY, "2026-01-31"),
        ] {
            assert_eq!(ago(now.plus_ms(ms), now), words, "{ms}");
        }
        let html = time(now, now).into_string();
        assert!(html.contains(r#"datetime="2026-03-12T09:01:12.000Z""#), "{html}");
        assert!(html.contains(r#"title="2026-03-12 09:01:12 UTC""#), "{html}");
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        for (ms, words) in [
            (0.0, "0.0 ms"),
            (9.94, "9.9 ms"),
            (38.4, "38 ms"),
            (2_400.0, "2.4 s"),
            (300_000.0, "5 min"),
            (7_200_000.0, "2 h"),
            (3.0 * 86_400_000.0, "3 days"),
        ] {
            assert_eq!(duration_ms(ms), words);
        }
    }
}
