//! What people and programs typed is text on every page; and every link leads to a page.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use regex::Regex;
use serde_json::json;
use tidings_service::{
    AppChanges, Caller, EventTypeInput, GrantKind, InboxRequest, NewHook, NewKey, NewPublication,
    NewRecordAccount, NewUser, Scope, Serving,
};

use crate::world::{Browser, World};

/// What an attacker would like to be more than text, in text and in attributes.
const MARK: &str = "<script>alert(1)</script>\"'";
/// Pages that a walk looks at, at most.
const PAGES_MAX: usize = 400;

#[tokio::test]
async fn asvs_1_2_1_what_was_typed_is_text_on_every_page() {
    let (world, mut owner) = World::owned().await;
    let caller = world.owner(&owner).await;
    fill(&world, &caller).await;
    rename_owner(&world, &mut owner).await;
    let pages = walk(&mut owner).await;
    let mut shown = 0;
    for (path, body) in &pages {
        assert!(!body.contains("<script>alert"), "{path} has a script of a stranger: {body}");
        assert!(!body.contains("</script>\"'"), "{path} has a mark as it was typed");
        shown += usize::from(body.contains("&lt;script&gt;alert(1)"));
    }
    assert!(shown > 10, "only {shown} of {} pages show what was typed", pages.len());
    for part in [
        "/webhooks/hook_",
        "/accounts/acc_",
        "/changes/chg_",
        "/event-types/",
        "/keys",
        "/settings",
    ] {
        assert!(pages.iter().any(|(path, _)| path.contains(part)), "no page of {part} was seen");
    }
}

/// Puts the mark wherever a text is taken.
async fn fill(world: &World, caller: &Caller) {
    let service = &world.service;
    let changes = AppChanges {
        name: Some(format!("App {MARK}")),
        external_id: Some(Some(format!("ext {MARK}"))),
        ..AppChanges::default()
    };
    service.update_app(caller, world.app, changes).await.unwrap();
    let key = NewKey {
        kind: GrantKind::App,
        name: format!("Key {MARK}"),
        scopes: vec![Scope::Read],
        expires_at: None,
    };
    service.create_key(caller, key).await.unwrap();
    let user = NewUser {
        external_id: Some(format!("user {MARK}")),
        name: Some(format!("User {MARK}")),
        details: json!({}),
    };
    service.create_user(caller, user, |_| Vec::new()).await.unwrap();
    let account = NewRecordAccount {
        external_id: Some(format!("account {MARK}")),
        name: format!("Account {MARK}"),
        ..NewRecordAccount::default()
    };
    let (account, _) = service.put_record_account(caller, account, |_| Vec::new()).await.unwrap();
    let event_type = EventTypeInput {
        description: format!("Type {MARK}"),
        example: Some(json!({ "text": MARK }).to_string()),
        schema: Some(json!({ "type": "object", "description": MARK }).to_string()),
        deprecated: false,
    };
    service.create_event_type(caller, "invoice.paid".into(), event_type).await.unwrap();
    let hook = NewHook {
        url: Some("https://example.com/hook?x=%3Cscript%3E".into()),
        description: Some(format!("Hook {MARK}")),
        triggers: vec!["invoice.*".into()],
        external_id: Some(format!("hook {MARK}")),
        serving: Serving::default(),
        ..NewHook::default()
    };
    service.create_hook(caller, hook).await.unwrap();
    let large = "<script>alert(1)</script>".repeat(8_000);
    for data in
        [json!({ "text": MARK, MARK: 1 }).to_string(), json!({ "large": large }).to_string()]
    {
        let change = NewPublication {
            kind: "invoice.paid".into(),
            data: Bytes::from(data),
            id: None,
            account: Some(account.id),
            order_key: Some(format!("order {MARK}")),
            occurred_at: None,
        };
        service.publish(caller, change, None, None).await.unwrap();
    }
    let inbox = service.create_inbox(caller).await.unwrap();
    let request = InboxRequest {
        received_at: service.now(),
        method: "POST".into(),
        target: format!("/inbox/x?{MARK}"),
        headers: vec![("x-mark".into(), MARK.into())],
        body: Bytes::from(MARK),
    };
    service.receive_inbox_request(&inbox.token, request).unwrap();
}

async fn rename_owner(world: &World, owner: &mut Browser) {
    let path = format!("/console/operators/{}", world.session(owner).await.operator.id);
    let name = format!("Olga {MARK}");
    let answer = owner.submit(&path, &path, &[("name", &name), ("role", "owner")]).await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

/// Every page that links lead to from the start, each once.
async fn walk(browser: &mut Browser) -> Vec<(String, String)> {
    let links = Regex::new(r#"href="(/[^"]*)""#).unwrap();
    let mut waiting = VecDeque::from(["/console/".to_owned()]);
    let mut known = BTreeSet::from(["/console/".to_owned()]);
    let mut pages = Vec::new();
    while let Some(path) = waiting.pop_front() {
        assert!(pages.len() < PAGES_MAX, "the walk does not end: {known:?}");
        let answer = browser.get(&path).await;
        assert!(matches!(answer.status.as_u16(), 200 | 303), "{path}: {answer:?}");
        for found in links.captures_iter(&answer.body) {
            let link = found[1].replace("&amp;", "&");
            let is_page = link.starts_with("/console/") && !link.starts_with("/console/assets/");
            if is_page && known.insert(link.clone()) {
                waiting.push_back(link);
            }
        }
        pages.push((path, answer.body));
    }
    pages
}

#[tokio::test]
async fn a_secret_is_in_no_list() {
    let (world, mut owner) = World::owned().await;
    let caller = world.owner(&owner).await;
    let secret = format!("whsec_{}", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY=");
    let hook = NewHook {
        url: Some("https://example.com/hook".into()),
        triggers: vec!["invoice.*".into()],
        secret: Some(secret.clone()),
        ..NewHook::default()
    };
    world.service.create_hook(&caller, hook).await.unwrap();
    let key = NewKey {
        kind: GrantKind::App,
        name: "ci".into(),
        scopes: vec![Scope::Admin],
        expires_at: None,
    };
    let key = world.service.create_key(&caller, key).await.unwrap();
    let inbox = world.service.create_inbox(&caller).await.unwrap();
    for (path, body) in walk(&mut owner).await {
        for hidden in [secret.as_str(), key.token.reveal()] {
            assert!(!body.contains(hidden), "{path} shows a secret");
        }
        // The address of an inbox is for its own pages, and for the webhook that is made for it.
        if !path.contains("inbox") {
            assert!(!body.contains(&inbox.token), "{path} shows the token of an inbox");
        }
    }
}

#[tokio::test]
async fn every_link_leads_to_a_page_also_where_nothing_is_there_yet() {
    let (_world, mut owner) = World::owned().await;
    let pages = walk(&mut owner).await;
    assert!(pages.len() > 20, "{}", pages.len());
    for (path, body) in pages.iter().filter(|(_, body)| body.contains("<main")) {
        assert_eq!(body.matches("<h1>").count(), 1, "{path} has one heading: {body}");
        assert!(body.contains("aria-label=\"Breadcrumb\""), "{path} says where it is");
    }
}
