use super::*;

#[test]
fn dates_are_read_in_the_documented_forms() {
    let day = Timestamp::parse("2022-01-31T00:00:00Z");
    for (text, expected) in [
        ("01-31-2022", day),
        ("1/31/2022", day),
        ("2022-01-31", day),
        ("2022-01-31T00:00:00Z", day),
        ("2022-01-31T01:00:00+01:00", day),
        ("1643587200000", day),
        ("1643587200", day),
        ("31-01-2022", None),
        ("2022", None),
        ("tomorrow", None),
        ("999999999999999999", None),
        ("", None),
    ] {
        assert_eq!(moment(text), expected, "{text}");
    }
}

#[test]
fn filters_of_the_older_parameter_count_as_parameters() {
    let text = r#"{"singleEvents":true,"maxAttendees":3,"eventTypes":["default","birthday"]}"#;
    let query = Query(vec![("filters".into(), text.into())]);
    let mut faults = Vec::new();
    let merged = with_filters(&query, &mut faults);
    assert_eq!((merged.get("singleEvents"), merged.get("maxAttendees")), (Some("true"), Some("3")));
    assert_eq!(merged.all("eventTypes").collect::<Vec<_>>(), ["default", "birthday"]);
    assert_eq!(faults, []);
}
