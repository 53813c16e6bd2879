//! What each scope allows, operation by operation.

use std::collections::{BTreeMap, BTreeSet};

use crate::isolation::{UNKNOWN, fill, target};
use crate::openapi::operations;
use crate::world::{World, request};

/// Scopes that allow each operation besides `admin` and the owner key, which allow all but the last group.
const TABLE: &[(&str, &[&str])] = &[
    (
        "read",
        &[
            "get_app",
            "get_change",
            "get_event_type",
            "get_user",
            "list_apps",
            "list_event_types",
            "list_users",
            "get_stats",
            "pull_changes",
            "search_changes",
            "stream_changes",
        ],
    ),
    ("publish", &["publish_batch", "publish_change", "publish_example"]),
    ("read or publish", &["list_examples"]),
    (
        "hooks",
        &[
            "cancel_replay",
            "create_hook",
            "create_inbox",
            "create_replay",
            "delete_hook",
            "delete_inbox",
            "disable_hook",
            "enable_hook",
            "pause_hook",
            "preview_transform",
            "resend_delivery",
            "rotate_hook_secret",
            "test_hook",
            "update_hook",
            "verify_hook",
        ],
    ),
    (
        "accounts",
        &[
            "begin_connection",
            "connect_account",
            "delete_account",
            "delete_user",
            "mint_connect_token",
            "sync_account",
            "update_account",
            "update_user",
            "upsert_user",
        ],
    ),
    ("records", &["load_records"]),
    ("accounts or records", &["put_record_account", "update_record_account"]),
    ("read or records", &["count_records", "list_records"]),
    ("read or accounts or records", &["get_record_account", "list_record_accounts"]),
    ("calendars", &["create_event", "delete_event", "update_event"]),
    ("read or accounts", &["get_account", "list_accounts"]),
    ("read or calendars", &["get_event", "list_events"]),
    ("read or accounts or calendars", &["get_calendar", "list_calendars"]),
    (
        "read or hooks",
        &[
            "get_delivery",
            "get_hook",
            "get_hook_stats",
            "get_replay",
            "list_attempts",
            "count_ledger",
            "export_ledger",
            "list_deliveries",
            "list_hooks",
            "list_inbox_requests",
            "list_inboxes",
            "list_ledger",
            "list_replays",
        ],
    ),
    (
        "admin",
        &[
            "create_key",
            "get_key",
            "list_audit",
            "list_keys",
            "revoke_key",
            "rotate_webhook_key",
            "update_app",
            "create_event_type",
            "delete_event_type",
            "replace_event_type",
        ],
    ),
    ("accounts and hooks", &["make_portal_link"]),
    ("owner", &["create_app", "create_person", "delete_app"]),
];

fn allows(needed: &str, scope: &str) -> bool {
    match needed {
        "owner" => false,
        _ => scope == "admin" || needed.split(" or ").any(|needed| needed == scope),
    }
}

#[tokio::test]
async fn each_scope_allows_what_the_table_says_and_nothing_else() {
    let world = World::new().await;
    let table: BTreeMap<&str, &str> =
        TABLE.iter().flat_map(|(needed, ids)| ids.iter().map(move |id| (*id, *needed))).collect();
    let operations = operations(&world).await;
    let ids: BTreeSet<_> = operations.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(ids, table.keys().copied().collect(), "the table and the document differ");

    for scope in ["admin", "publish", "read", "hooks", "accounts", "calendars", "records"] {
        let key = world.key(&world.app.app, &[scope]).await;
        for operation in &operations {
            if operation.id == "stream_changes" && allows(table["stream_changes"], scope) {
                // It does not end; `stream.rs` reads it.
                continue;
            }
            let target = target(&operation.path, &UNKNOWN);
            let body = operation.body.as_ref().map(|body| fill(body, &UNKNOWN));
            let answer = world.send(request(operation.method.clone(), &key, &target, body)).await;
            let needed = table[operation.id.as_str()];
            let refused = answer.status == 403;
            assert_eq!(
                !refused,
                allows(needed, scope),
                "{} with {scope}: {answer:?}",
                operation.id
            );
        }
    }
}
