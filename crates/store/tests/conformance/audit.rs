//! The audit log's chain.

use tidings_core::id::AppId;
use tidings_store::{App, AuditBreak, AuditEntry, AuditVerdict};

use crate::support::{NOW, World, did};

/// Writes lines of an app, or of the installation.
async fn write(world: &World, app: Option<&App>, actions: &[&'static str]) {
    for &action in actions {
        let detail = serde_json::json!({ "what": "äöü \" \\ 😀", "n": [1, 2] });
        let address = Some("2001:db8::1".to_owned());
        let entry = AuditEntry { detail, address, ..did(action) };
        world.store.audit(app.map(|app| app.app_no), entry, NOW).await.unwrap();
    }
}

async fn verdict(world: &World) -> AuditVerdict {
    world.store.audit_log().verify().await.unwrap()
}

pub(crate) async fn an_untouched_log_is_as_it_was_written_also_while_it_grows(world: &World) {
    assert_eq!(verdict(world).await, AuditVerdict::default());
    let (a, b) = (world.app("a").await, world.app("b").await);
    // Many at once, of several chains, and some that are taken back: they share commits.
    let mut writing = Vec::new();
    for n in 0..120 {
        let store = world.store.clone();
        let app_no = [Some(a.app_no), Some(b.app_no), None][n % 3];
        writing.push(tokio::spawn(async move {
            store.audit(app_no, did("thing.done"), NOW).await.unwrap();
            let failed = store.update_hook(999, Default::default(), did("never"), NOW).await;
            assert!(failed.is_err());
        }));
    }
    let mut looked = 0;
    while writing.iter().any(|task| !task.is_finished()) || looked == 0 {
        let found = verdict(world).await;
        assert_eq!((found.broken, found.before_chain), (None, 0), "while it grows");
        looked += 1;
    }
    for task in writing {
        task.await.unwrap();
    }
    let whole = AuditVerdict { apps: 2, lines: 122, before_chain: 0, broken: None };
    assert_eq!(verdict(world).await, whole);
}

pub(crate) async fn whatever_is_tampered_with_is_found(world: &World) {
    let app = world.app("a").await;
    write(world, Some(&app), &["one.done", "two.done", "three.done", "four.done"]).await;
    write(world, None, &["key.create", "key.revoke"]).await;
    assert_eq!(verdict(world).await.broken, None);
    let row = |action: &str| format!("action = '{action}'");
    let (two, last) = (row("two.done"), row("four.done"));
    let copied = "app_no, at, actor, action, object, outcome, detail, address, hash";
    world.backend.tamper(
        "CREATE TABLE kept AS SELECT * FROM audit;
         CREATE TABLE kept_head AS SELECT * FROM audit_head;",
    );
    for (what, sql, at) in [
        ("who", format!("UPDATE audit SET actor = 'key_x' WHERE {two}"), "two.done"),
        ("what", format!("UPDATE audit SET action = 'two.don' WHERE {two}"), "two.done"),
        ("to what", format!("UPDATE audit SET object = 'x' WHERE {two}"), "two.done"),
        ("when", format!("UPDATE audit SET at = at + 1 WHERE {two}"), "two.done"),
        ("outcome", format!("UPDATE audit SET outcome = 'denied' WHERE {two}"), "two.done"),
        ("detail", format!("UPDATE audit SET detail = '{{}}' WHERE {two}"), "two.done"),
        ("address", format!("UPDATE audit SET address = NULL WHERE {two}"), "two.done"),
        ("hash", format!("UPDATE audit SET hash = NULL WHERE {two}"), "two.done"),
        ("taken out", format!("DELETE FROM audit WHERE {two}"), "three.done"),
        ("the last one taken out", format!("DELETE FROM audit WHERE {last}"), "four.done"),
        (
            "the first one taken out",
            "DELETE FROM audit WHERE action = 'app.create'".into(),
            "one.done",
        ),
        ("another app's", format!("UPDATE audit SET app_no = NULL WHERE {two}"), "three.done"),
        (
            "put in",
            format!("INSERT INTO audit ({copied}) SELECT {copied} FROM audit WHERE {two}"),
            "put in",
        ),
        (
            "all hashes",
            format!("UPDATE audit SET hash = NULL WHERE app_no = {}", app.app_no),
            "four.done",
        ),
        ("all lines", format!("DELETE FROM audit WHERE app_no = {}", app.app_no), "four.done"),
        ("the head", format!("DELETE FROM audit_head WHERE app_no = {}", app.app_no), "four.done"),
    ] {
        let number = world.backend.pair(&format!(
            "SELECT coalesce(min(audit_no), 0), 0 FROM audit WHERE action = '{at}'"
        ));
        world.backend.tamper(&sql);
        let newest = world.backend.pair("SELECT max(audit_no), 0 FROM audit").0;
        let at = if at == "put in" { newest } else { number.0 };
        let broken = verdict(world).await.broken;
        let expected = Some(AuditBreak { app: Some(app.id), audit_no: at });
        match what {
            // It stands in the installation's chain too, whose break is told first.
            "another app's" => {
                let found = broken.unwrap();
                assert!(found.app.is_none(), "{what}: {found:?}");
            }
            _ => assert_eq!(broken, expected, "{what}"),
        }
        world.backend.tamper(
            "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept;
             DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM kept_head;",
        );
        assert_eq!(verdict(world).await.broken, None, "after {what}");
    }
}

pub(crate) async fn lines_from_before_the_chain_are_counted_apart(world: &World) {
    let old = "INSERT INTO audit (app_no, at, actor, action, object, outcome)
        VALUES (NULL, 1, 'system', 'key.create', '', 'done'), (7, 1, 'system', 'old.done', '', 'done')";
    world.backend.tamper(old);
    write(world, None, &["key.create", "key.revoke"]).await;
    let whole = AuditVerdict { apps: 1, lines: 4, before_chain: 2, broken: None };
    assert_eq!(verdict(world).await, whole);
    // A line without a hash among those that have one is not from before.
    world.backend.tamper(old);
    let broken = verdict(world).await.broken.unwrap();
    assert_eq!(broken.app, None::<AppId>);
}

pub(crate) async fn a_chain_goes_on_after_its_app_was_deleted_and_by_the_next_process(
    world: &World,
) {
    let app = world.app("a").await;
    world.store.delete_app(app.app_no, NOW, did("app.delete")).await.unwrap();
    while world.store.erase_app_step(app.app_no, NOW).await.unwrap() {}
    let whole = AuditVerdict { apps: 1, lines: 2, before_chain: 0, broken: None };
    assert_eq!(verdict(world).await, whole);
    world.store.close().await;
    let next = world.reopened();
    write(&next, Some(&app), &["late.done"]).await;
    assert_eq!(verdict(&next).await, AuditVerdict { lines: 3, ..whole });
    let rows = next.store.audit_rows(Some(app.app_no), None, 1).await.unwrap();
    assert_eq!(rows[0].address.as_deref(), Some("2001:db8::1"));
    next.store.close().await;
}
