use super::*;

const KEPT: &str = "[default]\nurl = \"https://kept.example\"\napp = \"app_kept\"\nkey = \"kept\"\n\
                    [other]\nurl = \"https://other.example\"\nkey = \"other\"\n";

fn globals(url: Option<&str>, profile: Option<&str>) -> Globals {
    Globals {
        url: url.map(str::to_owned),
        key_file: None,
        app: None,
        profile: profile.map(str::to_owned),
        ca_file: None,
        output: Format::Text,
    }
}

fn variables(home: &Path, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let mut variables: Vec<_> = more.iter().map(owned).collect();
    variables.push(("HOME".to_owned(), home.display().to_string()));
    variables
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_a_profile() {
    let home = tempfile::tempdir().unwrap();
    write_private(&home.path().join(".config/tidings/profiles.toml"), KEPT.as_bytes()).unwrap();
    let set = [("TIDINGS_URL", "https://set.example"), ("TIDINGS_KEY", "set")];
    for (url, profile, environment, wanted) in [
        (None, None, &[][..], ("https://kept.example/", Some("kept"), Some("app_kept"))),
        (None, None, &set, ("https://set.example/", Some("set"), None)),
        (None, Some("other"), &set, ("https://other.example/", Some("other"), None)),
        (Some("http://flag.example"), None, &set, ("http://flag.example/", Some("set"), None)),
        // The key of a profile is not sent to another server.
        (Some("http://flag.example"), None, &[], ("http://flag.example/", None, None)),
        (
            Some("https://other.example/x"),
            Some("other"),
            &[],
            ("https://other.example/x", Some("other"), None),
        ),
        (
            None,
            None,
            &[("TIDINGS_KEY", "set")],
            ("https://kept.example/", Some("set"), Some("app_kept")),
        ),
        (
            None,
            None,
            &[("TIDINGS_PROFILE", "other")],
            ("https://other.example/", Some("other"), None),
        ),
    ] {
        let place =
            Place::find(&globals(url, profile), &variables(home.path(), environment)).unwrap();
        let found =
            (place.url.as_str(), place.key.as_deref().map(String::as_str), place.app.as_deref());
        assert_eq!(found, wanted, "{url:?} {profile:?} {environment:?}");
        assert!(!format!("{place:?}").contains("key"), "{place:?}");
    }
    let unknown = Place::find(&globals(None, Some("nobody")), &variables(home.path(), &[]));
    assert!(matches!(unknown, Err(Error::Usage(why)) if why.contains("tidings login")));
}

#[test]
fn a_file_that_others_may_read_or_that_is_broken_is_refused_without_quoting_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".config/tidings/profiles.toml");
    let read = || Profiles::read(&variables(home.path(), &[])).err().map(|error| error.to_string());
    assert_eq!(read(), None);
    write_private(&file, b"[default]\nkey = tdk_secret\n").unwrap();
    assert!(read().is_some_and(|why| !why.contains("tdk_secret")), "{:?}", read());
    write_private(&file, KEPT.as_bytes()).unwrap();
    assert_eq!(read(), None);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(read().is_some_and(|why| why.contains("chmod 600")));
}

#[test]
fn a_server_is_an_http_url_without_a_password() {
    for (text, good) in [
        ("http://127.0.0.1:8480", true),
        ("https://tidings.example/below", true),
        ("tidings.example", false),
        ("ftp://tidings.example", false),
        ("https://ada:secret@tidings.example", false),
        ("", false),
    ] {
        let parsed = parse(text);
        assert_eq!(parsed.is_ok(), good, "{text}");
        assert!(!format!("{parsed:?}").contains("secret"));
    }
}
