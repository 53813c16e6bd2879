use tempfile::TempDir;

use super::*;

/// A well-formed owner key.
const KEY: &str = "tdk_";
const MASTER: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

struct World(TempDir);

impl World {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file and says where it is.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Flags that name a configuration file with this text.
    fn flags(&self, file: &str) -> Flags {
        Flags { config: Some(self.write("tidings.toml", file).into()), ..Flags::default() }
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn owner_key() -> String {
    let ids = tidings_core::id::Ids::seeded(1);
    Token::generate(TokenKind::ApiKey, &ids).reveal().to_owned()
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let world = World::new();
    let file = r#"listen = "127.0.0.1:2""#;
    let environment = [("TIDINGS_LISTEN", "127.0.0.1:3")];
    let flag = Some("127.0.0.1:4".to_owned());
    for (file, environment, flag, port) in [
        ("", &[][..], None, 8480),
        (file, &[], None, 2),
        (file, &environment, None, 3),
        (file, &environment, flag.clone(), 4),
        ("", &[], flag, 4),
    ] {
        let flags = Flags { listen: flag, ..world.flags(file) };
        let config = Config::load(&flags, &variables(environment)).unwrap();
        assert_eq!(config.listen.port(), port);
    }
}

#[test]
fn sections_merge_key_by_key_and_both_spellings_name_a_key() {
    let world = World::new();
    let flags = world.flags("[egress]\nallow = [\"10.0.0.0/8\"]\n[sync]\nidle_seconds = 9\n");
    for name in ["TIDINGS_EGRESS__ALLOW_HTTP", "TIDINGS_EGRESS_ALLOW_HTTP"] {
        let config = Config::load(&flags, &variables(&[(name, "true")])).unwrap();
        let expected =
            EgressPolicy::public_only().allow("10.0.0.0/8".parse().unwrap()).allow_http(true);
        assert_eq!(config.egress, expected, "{name}");
        assert_eq!(config.cadence, Cadence { idle: 9_000, ..Cadence::default() });
    }
    let lists = [("TIDINGS_EGRESS_ALLOW", "10.1.0.0/16, fd00::/8"), ("TIDINGS_EGRESS_PORTS", "81")];
    let config = Config::load(&flags, &variables(&lists)).unwrap();
    let expected = EgressPolicy::public_only()
        .allow("10.1.0.0/16".parse().unwrap())
        .allow("fd00::/8".parse().unwrap())
        .ports(vec![81]);
    assert_eq!(config.egress, expected);
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::new();
    for (file, pair, named) in [
        ("lisen = 1", None, "lisen"),
        ("[egress]\nalow = []", None, "line 2: unknown field `alow`"),
        ("[sync]\nfast_seconds = \"x\"", None, "line 2"),
        ("listen = 7", None, "line 1"),
        ("= 7", None, "line 1"),
        ("", Some(("TIDINGS_LISEN", "x")), "TIDINGS_LISEN"),
        ("", Some(("TIDINGS_EGRESS_ALLOW_HTTP", "maybe")), "TIDINGS_EGRESS_ALLOW_HTTP"),
        ("", Some(("TIDINGS_SYNC_FAST_SECONDS", "soon")), "TIDINGS_SYNC_FAST_SECONDS"),
        ("", Some(("TIDINGS_SYNC_FAST_SECONDS", "0")), "sync.fast_seconds"),
        ("", Some(("TIDINGS_LOG_FORMAT", "xml")), "xml"),
        ("", Some(("TIDINGS_LISTEN", "8480")), "listen"),
        ("", Some(("TIDINGS_EGRESS_ALLOW", "10.0.0.0/99")), "egress.allow"),
        ("", Some(("TIDINGS_EGRESS_EXTRA_CA_FILE", "/none")), "egress.extra_ca_file"),
        ("", Some(("TIDINGS_EGRESS_PROXY", "socks5://op:c2hvcnQ=@proxy")), "egress.proxy"),
        ("[egress]\nproxy = \"http://c2hvcnQ=@\"", None, "egress.proxy"),
        ("[egress]\nproxy_filtering = true", None, "egress.proxy_filtering"),
        ("", Some(("TIDINGS_PUBLIC_URL", "ftp://a")), "public_url"),
        ("", Some(("TIDINGS_DATABASE_URL", "mysql://a:c2hvcnQ=@b/c")), "database_url"),
        ("[retention]\njournal_days = 8", None, "retention.journal_days"),
        ("", Some(("TIDINGS_RETENTION_JOURNAL_BYTES", "7")), "retention.journal_bytes"),
        ("", Some(("TIDINGS_RETENTION_ATTEMPT_DAYS", "0")), "retention.attempt_days"),
        ("[google]\nclient_id = \"a\"", None, "google.client_secret"),
        ("[zoom]\nclient_secret = \"c2hvcnQ=\"", None, "zoom.client_id"),
        (
            "[microsoft]\nclient_id = \"a\"\nclient_secret = \"c2hvcnQ=\"\ntenant = \"a/b\"",
            None,
            "microsoft.tenant",
        ),
        (
            "[google]\nclient_id = \"a\"\nclient_secret = \"c2hvcnQ=\"\napi_url = \"ftp://a\"",
            None,
            "google.api_url",
        ),
        ("", Some(("TIDINGS_ZOOM_CLIENT_SECRET_FILE", "/none")), "zoom.client_secret_file"),
        ("[pryv]\nregistration = \"maybe\"", None, "line 2"),
        ("[pryv]\nregistration = \"invited\"", None, "pryv.invitations"),
        ("[pryv]\ninvitations = [\"c2hvcnQ=\"]", None, "pryv.invitations"),
        ("", Some(("TIDINGS_PRYV_INVITATIONS", "c2hvcnQ=")), "pryv.invitations"),
        ("[pryv]\ndomain = \"https://pryv.example\"", None, "pryv.domain"),
        ("[pryv]\ntrusted_origins = [\"app.example\"]", None, "pryv.trusted_origins"),
        ("[pryv]\nmin_interval_ms = 99", None, "pryv.min_interval_ms"),
        ("[pryv]\nmax_retries = 21", None, "pryv.max_retries"),
        ("", Some(("TIDINGS_PRYV__RUNS_SIZE", "0")), "pryv.runs_size"),
        ("disk_reserve = -1", None, "line 1"),
        ("", Some(("TIDINGS_MASTER_KEY", "c2hvcnQ=")), "master_key"),
        ("", Some(("TIDINGS_MASTER_KEY_FILE", "/none")), "master_key_file"),
        ("", Some(("TIDINGS_BOOTSTRAP_KEY", "tdk_forged")), "bootstrap_key"),
    ] {
        let pairs: Vec<_> = pair.into_iter().collect();
        let error = Config::load(&world.flags(file), &variables(&pairs)).unwrap_err();
        assert!(matches!(error, Error::Usage(_)), "{file} {pair:?}");
        let text = error.to_string();
        assert!(text.contains(named), "{text} does not name {named}");
        assert!(!text.contains("c2hvcnQ=") && !text.contains(KEY), "{text}");
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let world = World::new();
    let flags = Flags { config: Some(world.0.path().join("none.toml")), ..Flags::default() };
    let error = Config::load(&flags, &[]).unwrap_err();
    assert!(error.to_string().contains("none.toml"), "{error}");
}

#[test]
fn secrets_come_from_files_too_and_the_higher_source_decides_which_way() {
    let world = World::new();
    let key = owner_key();
    let file = world.write("bootstrap", &format!("{key}\n"));
    let from_file = [("TIDINGS_BOOTSTRAP_KEY_FILE", file.as_str())];
    let below = format!("bootstrap_key = \"tdk_ignored\"\nmaster_key = \"{MASTER}\"");
    let config = Config::load(&world.flags(&below), &variables(&from_file)).unwrap();
    assert_eq!(config.bootstrap_key.unwrap().reveal(), key);
    assert_eq!(config.master_key.unwrap().reveal(), MASTER);
    let both = [from_file[0], ("TIDINGS_BOOTSTRAP_KEY", key.as_str())];
    let error = Config::load(&world.flags(""), &variables(&both)).unwrap_err();
    assert!(error.to_string().contains("either bootstrap_key or bootstrap_key_file"), "{error}");
}

#[test]
fn no_secret_is_shown() {
    let world = World::new();
    let key = owner_key();
    let flags = world.flags(&format!("master_key = \"{MASTER}\""));
    let proxy = ("TIDINGS_EGRESS_PROXY", "http://op:hush@proxy.corp:3128");
    let database = ("TIDINGS_DATABASE_URL", "postgres://tidings:hunter2@localhost/tidings");
    let environment = variables(&[("TIDINGS_BOOTSTRAP_KEY", key.as_str()), proxy, database]);
    let shown = show(&flags, &environment).unwrap();
    let debug = format!("{:?}", Config::load(&flags, &environment).unwrap());
    for text in [&shown, &debug] {
        for secret in [MASTER, &key, "hush", "hunter2"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(shown.contains(r#"master_key = "(set, not shown)""#), "{shown}");
    assert!(shown.contains("listen = \"127.0.0.1:8480\""), "{shown}");
}

fn text() -> Option<String> {
    Some("x".to_owned())
}

fn path() -> Option<PathBuf> {
    Some(PathBuf::from("x"))
}

fn secret_text() -> Option<SecretText> {
    Some(SecretText::from("x".to_owned()))
}

fn full_google() -> typed::TypedClient {
    typed::TypedClient {
        client_id: text(),
        client_secret: secret_text(),
        client_secret_file: path(),
        api_url: text(),
        authorize_url: text(),
        token_url: text(),
        revoke_url: text(),
        scopes: Some(vec![]),
    }
}

fn full_microsoft() -> typed::TypedMicrosoft {
    typed::TypedMicrosoft {
        client_id: text(),
        client_secret: secret_text(),
        client_secret_file: path(),
        tenant: text(),
        api_url: text(),
        authorize_url: text(),
        token_url: text(),
        revoke_url: text(),
        scopes: Some(vec![]),
    }
}

fn full_zoom() -> typed::TypedZoom {
    typed::TypedZoom {
        client_id: text(),
        client_secret: secret_text(),
        client_secret_file: path(),
        webhook_secret: secret_text(),
        webhook_secret_file: path(),
        api_url: text(),
        authorize_url: text(),
        token_url: text(),
        revoke_url: text(),
        scopes: Some(vec![]),
    }
}

#[test]
fn every_key_has_a_variable() {
    let (path, secret) = (path(), secret_text());
    let full = Typed {
        listen: text(),
        data_dir: path.clone(),
        database_url: secret.clone(),
        database_url_file: path.clone(),
        public_url: text(),
        disk_reserve: Some(1),
        master_key: secret.clone(),
        master_key_file: path.clone(),
        bootstrap_key: secret.clone(),
        bootstrap_key_file: path.clone(),
        egress: typed::TypedEgress {
            allow: Some(vec![]),
            allow_http: Some(true),
            ports: Some(vec![]),
            extra_ca_file: path.clone(),
            proxy: secret.clone(),
            proxy_filtering: Some(true),
        },
        log: typed::TypedLog { format: Some(LogFormat::Json), level: text() },
        retention: typed::TypedRetention {
            journal_days: Some(1),
            journal_bytes: Some(1),
            attempt_days: Some(1),
        },
        sync: typed::TypedSync {
            fast_seconds: Some(1),
            normal_seconds: Some(1),
            idle_seconds: Some(1),
        },
        google: full_google(),
        microsoft: full_microsoft(),
        zoom: full_zoom(),
        pryv: typed::TypedPryv {
            registration: Some(typed::RegistrationKind::Open),
            invitations: Some(vec![]),
            domain: Some("pryv.example".into()),
            trusted_origins: Some(vec![]),
            name: Some("Lab".into()),
            min_interval_ms: Some(1),
            max_retries: Some(1),
            runs_size: Some(1),
        },
        metrics: typed::TypedMetrics { listen: text(), open: Some(true) },
    };
    let mut keys = Vec::new();
    for (key, value) in Table::try_from(full).unwrap() {
        match value {
            Value::Table(section) => {
                keys.extend(section.keys().map(|inner| format!("{key}.{inner}")));
            }
            _ => keys.push(key),
        }
    }
    let mut known: Vec<_> = environment::keys().map(str::to_owned).collect();
    keys.sort();
    known.sort();
    assert_eq!(keys, known);
}

#[test]
fn a_provider_is_used_when_it_has_a_client_and_is_where_the_operator_says() {
    let world = World::new();
    let none = Config::load(&world.flags(""), &[]).unwrap().providers;
    assert!(none.google.is_none() && none.microsoft.is_none() && none.zoom.is_none());

    let file = world.write("zoom-webhook", "hush\n");
    let flags = world.flags(
        "public_url = \"https://tidings.example.com\"\n[google]\nclient_id = \"g\"\n\
         client_secret = \"hush\"\n[microsoft]\nclient_id = \"m\"\nclient_secret = \"hush\"\n\
         tenant = \"contoso.example\"\napi_url = \"https://graph.microsoft.us/v1.0\"\n\
         [zoom]\nclient_id = \"z\"\nclient_secret = \"hush\"\n",
    );
    let environment = variables(&[
        ("TIDINGS_GOOGLE__TOKEN_URL", "http://127.0.0.1:1/token"),
        ("TIDINGS_GOOGLE_SCOPES", "openid, email"),
        ("TIDINGS_ZOOM_WEBHOOK_SECRET_FILE", &file),
    ]);
    let config = Config::load(&flags, &environment).unwrap();
    let shown = format!("{config:?} {}", show(&flags, &environment).unwrap());
    assert!(!shown.contains("hush"), "{shown}");
    let Settings { google, microsoft, zoom, public_url } = config.providers;
    let (google, microsoft, zoom) = (google.unwrap(), microsoft.unwrap(), zoom.unwrap());
    assert_eq!(google.oauth.token_url.as_str(), "http://127.0.0.1:1/token");
    assert_eq!(google.oauth.scopes, ["openid", "email"]);
    assert_eq!(google.api.as_str(), "https://www.googleapis.com/calendar/v3");
    assert_eq!(microsoft.api.as_str(), "https://graph.microsoft.us/v1.0");
    assert!(microsoft.oauth.authorize_url.as_str().contains("/contoso.example/"));
    assert_eq!(zoom.webhook_secret.unwrap().reveal(), "hush");
    assert_eq!(public_url.unwrap().as_str(), "https://tidings.example.com/");
}

#[test]
fn people_register_as_the_operator_says() {
    let world = World::new();
    for (file, shown) in [
        ("", "Closed"),
        ("[pryv]\nregistration = \"open\"", "Open"),
        ("[pryv]\nregistration = \"invited\"\ninvitations = [\"hush\", \"hush2\"]", "Invited(2)"),
    ] {
        let flags = world.flags(file);
        let config = Config::load(&flags, &[]).unwrap();
        assert_eq!(format!("{:?}", config.registration), shown);
        let all = format!("{config:?} {}", show(&flags, &[]).unwrap());
        assert!(!all.contains("hush"), "{all}");
    }
    let environment = variables(&[
        ("TIDINGS_PRYV__REGISTRATION", "invited"),
        ("TIDINGS_PRYV__INVITATIONS", "hush, hush2"),
    ]);
    let config = Config::load(&world.flags(""), &environment).unwrap();
    let Registration::Invited(all) = config.registration else { panic!("not invited") };
    assert_eq!(all.iter().map(|one| one.as_str()).collect::<Vec<_>>(), ["hush", "hush2"]);
}

#[test]
fn on_a_public_server_only_its_own_pages_log_persons_in_unless_it_says_more() {
    let world = World::new();
    let public = "public_url = \"https://tidings.example.com\"";
    for (file, trusted) in [
        ("", &[][..]),
        (public, &["https://tidings.example.com/"]),
        (&format!("{public}\n[pryv]\ndomain = \"pryv.example\""), &[]),
        (&format!("{public}\n[pryv]\ntrusted_origins = [\"*\"]"), &["*"]),
    ] {
        let platform = Config::load(&world.flags(file), &[]).unwrap().platform;
        assert_eq!(platform.trusted_origins, trusted, "{file}");
    }
}

#[test]
fn the_configuration_page_has_every_key() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (key, _) in environment::KEYS {
        let is_row = |line: &str| line.starts_with('|') && line.contains(&format!("`{key}`"));
        assert!(page.lines().any(is_row), "docs/configuration.md has no row for {key}");
    }
}
