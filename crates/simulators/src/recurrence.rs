//! On which days a series takes place (RFC 5545 section 3.3.10): as much of RRULE as calendars use. Our own,
//! so that the simulators do not share a mistake with what they test.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// `DAILY`.
    Daily,
    /// `WEEKLY`.
    Weekly,
    /// `MONTHLY`.
    Monthly,
    /// `YEARLY`.
    Yearly,
}

/// A rule. Its time of day, and what UNTIL means for it, is the caller's affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How often.
    pub frequency: Frequency,
    /// Every so many days, weeks, months or years; at least 1.
    pub interval: i32,
    /// So many days in all.
    pub count: Option<usize>,
    /// The text of UNTIL.
    pub until: Option<String>,
    /// Weekdays, with the n-th of the month (negative: from the end; 0: each).
    pub by_day: Vec<(i8, Weekday)>,
    /// Days of the month; negative: from the end.
    pub by_month_day: Vec<i8>,
    /// Months.
    pub by_month: Vec<i8>,
    /// Which of the days of a period; negative: from the end. Empty: all.
    pub by_set_pos: Vec<i32>,
    /// On which day a week begins.
    pub week_start: Weekday,
}

impl Rule {
    /// Such a rule without further parts.
    pub fn every(frequency: Frequency, interval: i32) -> Self {
        Self {
            frequency,
            interval: interval.max(1),
            count: None,
            until: None,
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_month: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: Weekday::Monday,
        }
    }

    /// Reads the value of RRULE, such as `FREQ=WEEKLY;BYDAY=MO,WE`; `None` when there is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<(&str, &str)> =
            text.split(';').map(|part| part.split_once('=')).collect::<Option<_>>()?;
        let frequency = parts.iter().find(|(name, _)| *name == "FREQ").map(|(_, value)| *value)?;
        let mut rule = Self::every(
            match frequency {
                "DAILY" => Frequency::Daily,
                "WEEKLY" => Frequency::Weekly,
                "MONTHLY" => Frequency::Monthly,
                "YEARLY" => Frequency::Yearly,
                _ => return None,
            },
            1,
        );
        for (name, value) in parts {
            match name {
                "FREQ" => {}
                "INTERVAL" => rule.interval = value.parse().ok().filter(|n| *n > 0)?,
                "COUNT" => rule.count = Some(value.parse().ok().filter(|n| *n > 0)?),
                "UNTIL" => rule.until = Some(value.to_owned()),
                "BYDAY" => {
                    rule.by_day = value.split(',').map(nth_weekday).collect::<Option<_>>()?;
                }
                "BYMONTHDAY" => rule.by_month_day = numbers(value)?,
                "BYMONTH" => rule.by_month = numbers(value)?,
                "BYSETPOS" => rule.by_set_pos = numbers(value)?,
                "WKST" => rule.week_start = weekday(value)?,
                _ => return None,
            }
        }
        // The n-th such weekday of a year, not of a month: nobody here makes such series.
        let of_year = rule.frequency == Frequency::Yearly && rule.by_month.is_empty();
        let nth = rule.by_day.iter().any(|(nth, _)| *nth != 0);
        (!(of_year && nth)).then_some(rule)
    }

    /// The days up to `last`, the first day included; COUNT is obeyed, UNTIL is not.
    pub fn days(&self, first: Date, last: Date) -> Vec<Date> {
        let mut days = vec![first];
        let mut period = self.first_period(first);
        while period <= last && self.count.is_none_or(|count| days.len() < count) {
            days.extend(self.days_of(period, first).into_iter().filter(|day| *day > first));
            let Some(next) = self.next_period(period) else { break };
            period = next;
        }
        days.truncate(self.count.unwrap_or(usize::MAX));
        days.retain(|day| *day <= last);
        days
    }

    fn first_period(&self, first: Date) -> Date {
        match self.frequency {
            Frequency::Daily => first,
            Frequency::Weekly => {
                let since = first.weekday().since(self.week_start);
                first.checked_sub(i64::from(since).days()).unwrap_or(first)
            }
            Frequency::Monthly => first.first_of_month(),
            Frequency::Yearly => first.first_of_year(),
        }
    }

    fn next_period(&self, period: Date) -> Option<Date> {
        let step = match self.frequency {
            Frequency::Daily => self.interval.days(),
            Frequency::Weekly => self.interval.weeks(),
            Frequency::Monthly => self.interval.months(),
            Frequency::Yearly => self.interval.years(),
        };
        period.checked_add(step).ok()
    }

    /// The days of the rule in the day, week, month or year that begins with `period`, in order.
    fn days_of(&self, period: Date, first: Date) -> Vec<Date> {
        let mut days: Vec<Date> = match self.frequency {
            Frequency::Daily => vec![period],
            Frequency::Weekly => period.series(1.day()).take(7).collect(),
            Frequency::Monthly => days_of_month(period),
            Frequency::Yearly => {
                let months = period.series(1.month()).take(12);
                months.flat_map(days_of_month).collect()
            }
        };
        days.retain(|day| self.takes(*day, first));
        if self.by_set_pos.is_empty() {
            return days;
        }
        let length = i32::try_from(days.len()).unwrap_or(i32::MAX);
        let chosen = |index: usize| {
            let place = i32::try_from(index).unwrap_or(i32::MAX) + 1;
            self.by_set_pos.contains(&place) || self.by_set_pos.contains(&(place - length - 1))
        };
        days.into_iter()
            .enumerate()
            .filter(|(index, _)| chosen(*index))
            .map(|(_, day)| day)
            .collect()
    }

    fn takes(&self, day: Date, first: Date) -> bool {
        let named_day = !self.by_day.is_empty() || !self.by_month_day.is_empty();
        let month = match (self.by_month.is_empty(), self.frequency) {
            (false, _) => self.by_month.contains(&day.month()),
            (true, Frequency::Yearly) => named_day || day.month() == first.month(),
            (true, _) => true,
        };
        let from_end = day.day() - day.days_in_month() - 1;
        let month_day = self.by_month_day.is_empty()
            || self.by_month_day.contains(&day.day())
            || self.by_month_day.contains(&from_end);
        let weekday = self.by_day.is_empty() || self.by_day.iter().any(|by| is_nth(day, *by));
        // Without a part that names days, the first day does.
        let like_first = match self.frequency {
            _ if named_day => true,
            Frequency::Daily => true,
            Frequency::Weekly => day.weekday() == first.weekday(),
            Frequency::Monthly | Frequency::Yearly => day.day() == first.day(),
        };
        month && month_day && weekday && like_first
    }
}

fn days_of_month(first: Date) -> Vec<Date> {
    let length = usize::from(first.days_in_month().unsigned_abs());
    first.series(1.day()).take(length).collect()
}

fn is_nth(day: Date, (nth, weekday): (i8, Weekday)) -> bool {
    let (place, from_end) = ((day.day() - 1) / 7 + 1, (day.days_in_month() - day.day()) / 7 + 1);
    day.weekday() == weekday && (nth == 0 || nth == place || nth == -from_end)
}

fn nth_weekday(text: &str) -> Option<(i8, Weekday)> {
    let (number, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let nth = if number.is_empty() { 0 } else { number.parse().ok()? };
    Some((nth, weekday(name)?))
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

fn numbers<T: std::str::FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_rules_as_in_rfc_5545() {
        for (rule, first, days) in [
            ("FREQ=DAILY;COUNT=3", "1997-09-02", "09-02 09-03 09-04"),
            ("FREQ=DAILY;INTERVAL=10;COUNT=3", "1997-09-02", "09-02 09-12 09-22"),
            ("FREQ=WEEKLY;COUNT=3", "1997-09-02", "09-02 09-09 09-16"),
            ("FREQ=WEEKLY;BYDAY=TU,TH;COUNT=4", "1997-09-02", "09-02 09-04 09-09 09-11"),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;COUNT=4", "1997-08-05", "08-05 08-10 08-19 08-24"),
            (
                "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU;COUNT=4",
                "1997-08-05",
                "08-05 08-17 08-19 08-31",
            ),
            ("FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "1997-09-05", "09-05 10-03 11-07"),
            ("FREQ=MONTHLY;COUNT=3;BYDAY=-2MO", "1997-09-22", "09-22 10-20 11-17"),
            ("FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=3", "1997-09-28", "09-28 10-29 11-28"),
            ("FREQ=MONTHLY;COUNT=3", "1997-08-31", "08-31 10-31 12-31"),
            (
                "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3",
                "1997-09-30",
                "09-30 10-31 11-28",
            ),
            ("FREQ=YEARLY;COUNT=2;BYMONTH=6,7", "1997-06-10", "06-10 07-10"),
            ("FREQ=YEARLY;BYDAY=1SU,-1SU;BYMONTH=10;COUNT=2", "1997-10-05", "10-05 10-26"),
        ] {
            let parsed = Rule::parse(rule).unwrap_or_else(|| panic!("{rule} is a rule"));
            let found = parsed.days(first.parse().unwrap(), "1999-01-01".parse().unwrap());
            let found: Vec<String> =
                found.iter().map(|day| day.strftime("%m-%d").to_string()).collect();
            assert_eq!(found.join(" "), days, "{rule}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in
            ["", "FREQ=HOURLY", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;BYDAY=XX", "FREQ=DAILY;X=1"]
        {
            assert_eq!(Rule::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_series_without_an_end_stops_at_the_last_day() {
        let days = Rule::every(Frequency::Yearly, 1)
            .days("2026-02-28".parse().unwrap(), "2028-02-27".parse().unwrap());
        assert_eq!(days.len(), 2);
    }
}
