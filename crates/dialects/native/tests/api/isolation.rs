//! Guarantee 9: one app never sees another's data. Generated from the OpenAPI document: every operation is
//! called with the ids and cursors of another app, and must answer exactly as for unknown ones.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::{Value, json};

use crate::openapi::{Operation, operations};
use crate::world::{Answer, Tenant, World, request};

/// What ids stand for in paths, queries and bodies: the name of the thing and an id of it.
pub(crate) type Names = BTreeMap<&'static str, String>;

/// Well-formed ids of nothing.
pub(crate) static UNKNOWN: std::sync::LazyLock<Names> = std::sync::LazyLock::new(|| {
    let kinds = [
        ("account", "acc"),
        ("app", "app"),
        ("calendar", "col"),
        ("change", "chg"),
        ("delivery", "dlv"),
        ("event", "ev"),
        ("event_type", "evt"),
        ("hook", "hook"),
        ("inbox", "inb"),
        ("key", "key"),
        ("replay", "rpl"),
        ("user", "usr"),
    ];
    kinds
        .into_iter()
        .map(|(name, prefix)| (name, format!("{prefix}_00000000000000000009")))
        .collect()
});

/// A path with the ids of `names`.
pub(crate) fn target(path: &str, names: &Names) -> String {
    let target = names
        .iter()
        .fold(path.to_owned(), |path, (name, id)| path.replace(&format!("{{{name}_id}}"), id));
    assert!(!target.contains('{'), "unknown kind of id in {path}");
    target
}

/// A body with the ids of `names` in the fields that name things.
pub(crate) fn fill(body: &Value, names: &Names) -> Value {
    let mut body = body.clone();
    for (name, id) in names {
        if let Some(field) = body.get_mut(name) {
            *field = json!(id);
        }
    }
    body
}

#[tokio::test]
async fn another_apps_ids_and_cursors_look_unknown_in_every_operation() {
    let world = World::new().await;
    let (ours, theirs) = (world.tenant("ours").await, world.tenant("theirs").await);
    let our_names = furnish(&world, &ours).await;
    let their_names = furnish(&world, &theirs).await;
    let before = sight(&world, &theirs).await;
    let case = Case { world: &world, ours, theirs, our_names, their_names };

    let mut tried = BTreeSet::new();
    for operation in operations(&world).await {
        for kind in ["path", "query", "body", "cursor"] {
            let compared = match kind {
                "path" => case.path_ids(&operation).await,
                "query" => case.query_ids(&operation).await,
                "body" => case.body_ids(&operation).await,
                _ => case.cursors(&operation).await,
            };
            if compared > 0 {
                tried.insert(format!("{kind} {}", operation.id));
            }
        }
        if operation.path.contains('{') {
            assert!(tried.contains(&format!("path {}", operation.id)), "{}", operation.id);
        }
    }
    insta::assert_json_snapshot!("isolation", tried);
    assert_eq!(before, sight(&world, &case.theirs).await, "something of the other app has changed");
}

struct Case<'w> {
    world: &'w World,
    ours: Tenant,
    theirs: Tenant,
    our_names: Names,
    their_names: Names,
}

impl Case<'_> {
    /// All ids of the path foreign, then only the last one.
    async fn path_ids(&self, operation: &Operation) -> usize {
        let ids = operation.path.matches('{').count();
        if ids == 0 {
            return 0;
        }
        let call = async |names: Names| {
            self.call(operation, target(&operation.path, &names), &names).await
        };
        self.same(operation, &call(self.their_names.clone()).await, &call(UNKNOWN.clone()).await);
        if ids > 1 {
            let last = operation.path.rsplit('{').next().unwrap();
            let last = last.split("_id").next().unwrap();
            let mixed = |names: &Names| {
                let mut mixed = self.our_names.clone();
                *mixed.get_mut(last).unwrap() = names[last].clone();
                mixed
            };
            let theirs = call(mixed(&self.their_names)).await;
            self.same(operation, &theirs, &call(mixed(&UNKNOWN)).await);
        }
        ids
    }

    /// Each query parameter that names a thing.
    async fn query_ids(&self, operation: &Operation) -> usize {
        let mut compared = 0;
        for name in operation.query().filter(|name| UNKNOWN.contains_key(name)) {
            let path = target(&operation.path, &self.our_names);
            let call = |names: &Names| {
                self.call(operation, format!("{path}?{name}={}", names[name]), &self.our_names)
            };
            self.same(operation, &call(&self.their_names).await, &call(&UNKNOWN).await);
            compared += 1;
        }
        compared
    }

    /// Each field of the body that names a thing.
    async fn body_ids(&self, operation: &Operation) -> usize {
        let fields = operation.schema["properties"].as_object().cloned().unwrap_or_default();
        let mut compared = 0;
        for name in fields.keys().filter(|name| UNKNOWN.contains_key(name.as_str())) {
            let call = async |names: &Names| {
                let mut body = fill(operation.body.as_ref().unwrap(), &self.our_names);
                body[name] = json!(names[name.as_str()]);
                let path = target(&operation.path, &self.our_names);
                let request = request(operation.method.clone(), &self.ours.key, &path, Some(body));
                self.world.send(request).await
            };
            let (theirs, unknown) = (call(&self.their_names).await, call(&UNKNOWN).await);
            assert_eq!(theirs.status, 404, "{}: {theirs:?}", operation.id);
            self.same(operation, &theirs, &unknown);
            compared += 1;
        }
        compared
    }

    /// A cursor that the other app was given for the same list.
    async fn cursors(&self, operation: &Operation) -> usize {
        let mut compared = 0;
        for name in operation.query().filter(|name| ["cursor", "after"].contains(name)) {
            let list = match operation.id.as_str() {
                // Its cursors are those of the pages.
                "stream_changes" => "/api/v1/changes?limit=1".to_owned(),
                "list_events" => {
                    format!("/api/v1/calendars/{}/events?limit=1", self.their_names["calendar"])
                }
                "list_deliveries" => {
                    format!("{}?limit=1&hook={}", operation.path, self.their_names["hook"])
                }
                _ => format!("{}?limit=1", target(&operation.path, &self.their_names)),
            };
            let page = request(Method::GET, &self.theirs.key, &list, None);
            let page = self.world.send(page).await.json();
            // The list of apps has but one for them, and so no cursor.
            let Some(cursor) = page["next_cursor"].as_str() else { continue };
            let filter = operation.query().find(|name| *name == "hook");
            let filter = filter.map(|_| format!("hook={}&", self.our_names["hook"]));
            let filter = filter.unwrap_or_default();
            let call = |cursor: &str| {
                let path = target(&operation.path, &self.our_names);
                let target = format!("{path}?{filter}{name}={cursor}");
                self.call(operation, target, &self.our_names)
            };
            let theirs = call(cursor).await;
            assert_eq!(theirs.status, 400, "{}: {theirs:?}", operation.id);
            self.same(operation, &theirs, &call("AAAAAAAAAAAAAAAAAAAAAA").await);
            compared += 1;
        }
        compared
    }

    async fn call(&self, operation: &Operation, target: String, names: &Names) -> Answer {
        let body = operation.body.as_ref().map(|body| fill(body, names));
        self.world.send(request(operation.method.clone(), &self.ours.key, &target, body)).await
    }

    #[track_caller]
    fn same(&self, operation: &Operation, theirs: &Answer, unknown: &Answer) {
        assert_eq!(theirs.comparable(), unknown.comparable(), "{}", operation.id);
        let length = |answer: &Answer| answer.headers.get("content-length").cloned();
        assert_eq!(length(theirs), length(unknown), "{}", operation.id);
    }
}

#[tokio::test]
async fn a_key_cannot_name_another_app() {
    let world = World::new().await;
    let (ours, theirs) = (world.tenant("ours").await, world.tenant("theirs").await);
    let mut answers = Vec::new();
    for app in [theirs.app.as_str(), UNKNOWN["app"].as_str(), "not-an-id"] {
        let mut request = request(Method::GET, &ours.key, "/api/v1/hooks", None);
        request.headers_mut().insert("tidings-app", app.parse().unwrap());
        let answer = world.send(request).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        answers.push(answer.comparable());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_batch_cannot_name_another_apps_account() {
    let world = World::new().await;
    let (ours, theirs) = (world.tenant("ours").await, world.tenant("theirs").await);
    let their_names = furnish(&world, &theirs).await;
    let mut answers = Vec::new();
    for names in [&their_names, &*UNKNOWN] {
        let changes = json!([{"type": "a.b", "data": 1},
            {"type": "a.b", "data": 1, "account": names["account"]}]);
        let answer = world.post(&ours.key, "/changes/batch", json!({"changes": changes})).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        answers.push(answer.comparable());
    }
    assert_eq!(answers[0], answers[1]);
    let journal = world.get(&ours.key, "/changes").await.json();
    assert_eq!(journal["data"], json!([]), "a part of the batch was published");
}

/// Gives an app two of everything, and returns an id of each kind.
async fn furnish(world: &World, tenant: &Tenant) -> Names {
    let made = async |path: &str, body: Value| {
        let answer = world.post(&tenant.key, path, body).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.json()
    };
    let mut names = Names::from([("app", tenant.app.clone())]);
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    for n in 0..2 {
        let user = made("/users", json!({"external_id": format!("u-{n}")})).await;
        let account = json!({"provider": "caldav", "server_url": "https://dav.example.com/",
            "username": format!("ada-{n}"), "password": "secret", "user": id(&user)});
        let key = made("/keys", json!({"name": "other", "scopes": ["read"]})).await;
        let hook = made("/hooks", json!({"url": "https://example.com/h"})).await;
        let change = made("/changes", json!({"type": "a.b", "data": {}})).await;
        names.insert("user", id(&user));
        names.insert("account", id(&made("/accounts", account).await));
        names.insert("key", id(&key["key"]));
        names.insert("hook", id(&hook["hook"]));
        names.insert("change", id(&change));
        made("/record-accounts", json!({"name": "records", "user": id(&user)})).await;
        let kind = json!({"name": format!("of.{}.{n}", tenant.app)});
        names.insert(
            "event_type",
            made("/event-types", kind).await["name"].as_str().unwrap().into(),
        );
        names.insert("inbox", id(&made("/inboxes", json!({})).await));
    }
    let replays = format!("/hooks/{}/replays", names["hook"]);
    names.insert("replay", id(&made(&replays, json!({"from": {"seq": 1}})).await));
    world.fail_attempts(&names["hook"], 2).await;
    let deliveries = world.get(&tenant.key, &format!("/deliveries?hook={}", names["hook"])).await;
    names.insert("delivery", id(&deliveries.json()["data"][0]));
    let calendar = world.calendar(&names["account"]).await;
    for event in ["one", "two"] {
        let event = format!("{event}-{}", tenant.app);
        world.mirror(&calendar, &event, "e1").await;
        names.insert("event", event);
    }
    names.insert("calendar", calendar);
    names
}

/// Everything that an app shows of itself, but its audit log.
async fn sight(world: &World, tenant: &Tenant) -> Vec<String> {
    let mut seen = Vec::new();
    for list in
        ["/apps", "/users", "/accounts", "/keys", "/hooks", "/changes", "/inboxes", "/event-types"]
    {
        let mut page = world.get(&tenant.key, list).await.json();
        for item in page["data"].as_array_mut().unwrap() {
            item.as_object_mut().unwrap().remove("last_used_at");
        }
        seen.push(page.to_string());
    }
    seen
}
