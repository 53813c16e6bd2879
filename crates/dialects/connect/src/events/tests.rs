use super::*;

fn asked(query: &str) -> Asked {
    let now = Timestamp::parse("2026-12-15T12:00:00Z").unwrap();
    read(query, now).unwrap_or_else(|refusal| panic!("{query}: {refusal:?}"))
}

#[test]
fn a_list_begins_with_the_current_month_and_250_events() {
    for (query, start, end, size) in [
        ("", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z", 250),
        (
            "pageSize=50&start=2025-10-01T00:00:00Z&end=2025-10-31T23:59:59Z",
            "2025-10-01T00:00:00.000Z",
            "2025-10-31T23:59:59.001Z",
            50,
        ),
        ("pageSize=5000", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z", 1_000),
        ("start=2027-02-03", "2027-02-03T00:00:00.000Z", "2027-03-01T00:00:00.000Z", 250),
        ("start=2026-11-03", "2026-11-03T00:00:00.000Z", "2027-01-01T00:00:00.000Z", 250),
    ] {
        let asked = asked(query);
        assert_eq!((asked.start.to_string(), asked.end.to_string()), (start.into(), end.into()));
        assert_eq!((asked.page_size, asked.single_events), (size, true), "{query}");
    }
}

#[test]
fn calendars_are_chosen_by_provider_or_by_id_alone() {
    let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
    for (query, expected) in [
        ("", CalendarChoice::All),
        (
            "calendarIds=%5B%22personal@gmail.com%22,%22work@company.com%22%5D",
            CalendarChoice::Ids(ids(&["personal@gmail.com", "work@company.com"])),
        ),
        (
            "calendarIds=%7B%22google%22%3A%5B%22primary%22%5D%2C%22microsoft%22%3A%5B%5D%7D",
            CalendarChoice::ByProvider(
                [("google".to_owned(), ids(&["primary"])), ("microsoft".to_owned(), ids(&[]))]
                    .into(),
            ),
        ),
    ] {
        assert_eq!(asked(query).calendars, expected, "{query}");
    }
}

#[test]
fn a_page_token_repeats_what_was_asked_for() {
    let query = "start=2026-01-01&end=2026-02-01&singleEvents=false&calendarIds=%5B%22a%22%5D";
    let place = EventPlace {
        at: 1_767_225_600_000,
        provider: "google".into(),
        calendar: "a".into(),
        id: "événement".into(),
    };
    let first = asked(query);
    let (start, end) = (first.start, first.end);
    let token = token(first, place.clone());
    let escaped: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    for text in [token.clone(), escaped, token.replace('+', " ")] {
        let next = asked(&format!("pageSize=7&nextPageToken={text}"));
        assert_eq!((next.start, next.end, next.page_size), (start, end, 7));
        assert_eq!(next.calendars, CalendarChoice::Ids(vec!["a".into()]));
        assert_eq!((next.single_events, next.after), (false, Some(place.clone())));
    }
}

#[test]
fn wrong_parameters_are_named() {
    let foreign = "nextPageToken=eyJnb29nbGUiOnsidG9rZW4iOnsiY2FsMTIzIjp7Im5leHRQYWdlVG9rZW4iOiJhYmMifX0sImlzRGVwbGV0ZWQiOmZhbHNlfX0=";
    for (query, field) in [
        ("pageSize=0", "pageSize"),
        ("pageSize=many", "pageSize"),
        ("start=tomorrow", "start"),
        ("end=2026-13-01", "end"),
        ("start=2026-02-01&end=2026-01-01", "end"),
        ("singleEvents=maybe", "singleEvents"),
        ("calendarIds=primary", "calendarIds"),
        ("calendarIds=%5B1%5D", "calendarIds"),
        ("calendarIds=7", "calendarIds"),
        ("nextPageToken=%21", "nextPageToken"),
        (foreign, "nextPageToken"),
    ] {
        let (status, why) = read(query, Timestamp(0)).unwrap_err().into_words();
        assert!(status == 400 && why.starts_with(field), "{query}: {why}");
    }
}
