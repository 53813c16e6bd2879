//! A store that an earlier version wrote goes on, on both stores: what it held is there, and it takes more.
#![expect(clippy::unwrap_used, reason = "this is a test")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::hook::HookStatus;
use tidings_core::id::{ChangeId, Ids};
use tidings_store::{AuditEntry, Store};
use tidings_testkit::postgres::PostgresDatabase;

const NOW: Timestamp = Timestamp(1_795_248_000_000);

/// What every version can hold. `<hex>` is a literal of bytes.
const SPINE: &str = "
INSERT INTO app (app_no, id, name, seq, created_at, updated_at) VALUES (1, <000000000000000000000001>, 'old', 2, 1, 1);
INSERT INTO end_user (user_no, id, app_no, external_id, created_at) VALUES (1, <000000000000000000000002>, 1, 'ada', 1);
INSERT INTO access_grant (grant_no, id, app_no, kind, name, scopes, token_hash, hint, created_at)
  VALUES (1, <000000000000000000000003>, 1, 'app', 'key', '[\"admin\"]', <0707070707070707070707070707070707070707070707070707070707070707>, 'abcd', 1);
INSERT INTO account (account_no, id, app_no, user_no, provider, name, server_url, status, baseline_done, next_sync_at, created_at, updated_at)
  VALUES (1, <000000000000000000000004>, 1, 1, 'caldav', 'ada', 'https://dav.example', 'active', 1, 9, 1, 1);
INSERT INTO collection (collection_no, id, app_no, account_no, external_id, name, sync_token, baseline_done, created_at)
  VALUES (1, <000000000000000000000005>, 1, 1, '/work/', 'Work', 'token-1', 1, 1);
INSERT INTO item (collection_no, item_key, resource, etag, version, body)
  VALUES (1, 'uid-1', '/work/1.ics', 'e1', <01>, <7b7d>);
INSERT INTO change (app_no, seq, id, type, account_no, occurred_at, recorded_at, origin)
  VALUES (1, 1, <000000000000000000000006>, 'event.created', 1, 1, 1, 'provider'), (1, 2, <000000000000000000000007>, 'thing.happened', NULL, 1, 1, 'api');
INSERT INTO change_body (app_no, seq, body) VALUES (1, 1, <7b7d>), (1, 2, <7b226e223a327d>);
INSERT INTO hook (hook_no, id, app_no, url, service, status, runs, failures, created_at, updated_at)
  VALUES (1, <000000000000000000000008>, 1, 'https://receiver.example/hook', '{}', 'active', 3, 1, 1, 1);
INSERT INTO hook_version (hook_no, from_seq, selection) VALUES (1, 1, '{\"format\":\"native@1\",\"triggers\":[\"*\"]}');
INSERT INTO hook_secret (secret_no, hook_no, id, sealed, created_at) VALUES (1, 1, <000000000000000000000009>, <ff>, 1);
INSERT INTO attempt (attempt_no, hook_no, cursor_no, first_seq, last_seq, members, n, outcome, started_at, total_us, url, status)
  VALUES (1, 1, 0, 1, 1, 1, 1, 'delivered', 1, 900, 'https://receiver.example/hook', 204);
INSERT INTO parked (hook_no, cursor_no, first_seq, last_seq, members, attempts, due_at, reason, parked_at)
  VALUES (1, 0, 2, 2, 1, 1, 9, 'status 500', 1);
INSERT INTO audit (app_no, at, actor, action, object, outcome)
  VALUES (1, 1, 'system', 'app.create', '', 'done'), (NULL, 1, 'system', 'key.create', '', 'done');
";

/// What came with the second migration.
const ENGINE: &str = "
INSERT INTO event_type (type_no, app_no, name, created_at, updated_at) VALUES (1, 1, 'thing.happened', 1, 1);
INSERT INTO signing_key (key_no, id, app_no, public, sealed, created_at)
  VALUES (1, <00000000000000000000000a>, 1, <0808080808080808080808080808080808080808080808080808080808080808>, <ff>, 1);
";

/// What came with the third.
const PROVIDERS: &str = "
INSERT INTO subscription (subscription_no, id, app_no, account_no, collection_no, provider, external_id, status, created_at, next_try_at)
  VALUES (1, <00000000000000000000000b>, 1, 1, 1, 'google', 'channel-1', 'active', 1, 9);
";

enum Old {
    Sqlite(TempDir),
    Postgres(PostgresDatabase),
}

impl Old {
    fn folder(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    fn run(&self, script: &str) {
        let bytes = match self {
            Self::Sqlite(_) => ["x'", "'"],
            Self::Postgres(_) => ["'\\x", "'"],
        };
        let script = literals(script, bytes);
        match self {
            Self::Sqlite(directory) => {
                let path = directory.path().join("tidings.sqlite");
                rusqlite::Connection::open(path).unwrap().execute_batch(&script).unwrap();
            }
            Self::Postgres(database) => {
                database.query(&script);
            }
        }
    }

    fn open(&self) -> Store {
        match self {
            Self::Sqlite(directory) => Store::open(directory.path()).unwrap(),
            Self::Postgres(database) => Store::connect(&database.url).unwrap(),
        }
    }

    /// Makes the store as the version with `count` migrations left it.
    fn write(&self, count: usize) {
        self.run(
            "CREATE TABLE migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum BYTEA NOT NULL);"
                .replace("BYTEA", if self.folder() == "sqlite" { "BLOB" } else { "BYTEA" })
                .as_str(),
        );
        for (at, (name, text)) in migrations(self.folder()).into_iter().take(count).enumerate() {
            self.run(&text);
            let checksum: String =
                Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            self.run(&format!(
                "INSERT INTO migration VALUES ({}, '{name}', <{checksum}>);",
                at + 1
            ));
        }
        for rows in [SPINE, ENGINE, PROVIDERS].into_iter().take(count) {
            self.run(rows);
        }
    }
}

/// Puts `<hex>` as the literal of the store; other angle brackets are SQL and stay.
fn literals(script: &str, [open, close]: [&str; 2]) -> String {
    let mut parts = script.split('<');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('>').filter(|(hex, _)| is_hex(hex)) {
            Some((hex, rest)) => out.extend([open, hex, close, rest]),
            None => out.extend(["<", part]),
        }
    }
    out
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn migrations(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let named = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files.iter().map(named).collect()
}

/// Opens what the version with `count` migrations wrote, and looks at all of it.
async fn goes_on(old: Old, count: usize) {
    old.write(count);
    let store = old.open();
    let app = store.app(1).await.unwrap().unwrap();
    assert_eq!((app.name.as_str(), app.seq), ("old", 2), "{count}");
    let changes = store.changes(1, 0, 10).await.unwrap();
    let told: Vec<_> = changes.iter().map(|c| (c.new.kind.as_str(), c.new.body.as_ref())).collect();
    assert_eq!(told, [("event.created", &b"{}"[..]), ("thing.happened", b"{\"n\":2}")], "{count}");
    let (grant, _) = store.grant_by_token([7; 32], NOW).await.unwrap().unwrap();
    assert_eq!(grant.scopes, ["admin"], "{count}");
    let account = store.accounts(1, Default::default(), 0, 9).await.unwrap().remove(0);
    assert_eq!((account.name.as_str(), account.baseline_done), ("ada", true), "{count}");
    let collections = store.collections(account.account_no).await.unwrap();
    assert_eq!(collections[0].sync_token.as_deref(), Some("token-1"), "{count}");
    assert_eq!(
        store.items_of(1, vec!["/work/1.ics".into()]).await.unwrap()[0].key,
        "uid-1",
        "{count}"
    );
    let hook = store.hook_by_no(1).await.unwrap().unwrap();
    assert_eq!((hook.status, hook.runs, hook.failures), (HookStatus::Active, 3, 1), "{count}");
    assert_eq!(hook.selection().triggers, ["*"], "{count}");
    assert_eq!(store.next_parked(1, 9).await.unwrap().len(), 1, "{count}");
    let new = NewChange {
        id: ChangeId(Ids::seeded(1).next(NOW)),
        kind: "thing.happened".into(),
        subject: Subject::default(),
        order_key: None,
        occurred_at: NOW,
        origin: Origin::Api,
        actor: None,
        traceparent: None,
        body: Bytes::from_static(b"{}"),
    };
    let entry = AuditEntry {
        actor: "system".into(),
        action: "app.update",
        object: String::new(),
        denied: false,
        address: None,
        detail: serde_json::json!({}),
    };
    store.audit(Some(1), entry, NOW).await.unwrap();
    let verdict = store.audit_log().verify().await.unwrap();
    assert_eq!((verdict.lines, verdict.before_chain, verdict.broken), (3, 2, None), "{count}");
    let next = store.publish(1, vec![new], None, NOW).await.unwrap();
    assert_eq!(next.appended.changes[0].seq, 3, "{count}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_store_goes_on_sqlite() {
    for count in 1..migrations("sqlite").len() {
        goes_on(Old::Sqlite(tempfile::tempdir().unwrap()), count).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_store_goes_on_postgres() {
    for count in 1..migrations("postgres").len() {
        goes_on(Old::Postgres(PostgresDatabase::create()), count).await;
    }
}
