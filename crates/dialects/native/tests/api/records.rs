//! The application's own records: loaded line by line, read page by page.

use http::{Method, Request};
use serde_json::{Value, json};
use tidings_core::limits;

use crate::world::{Answer, World, request};

impl World {
    async fn record_account(&self) -> String {
        let account = json!({"name": "Bank", "external_id": "credential-7"});
        let answer = self.post(&self.app.key, "/record-accounts", account).await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn load(&self, account: &str, query: &str, lines: &str) -> Answer {
        self.load_as(account, query, lines, "application/x-ndjson").await
    }

    async fn load_as(&self, account: &str, query: &str, lines: &str, media_type: &str) -> Answer {
        let target = format!("/api/v1/accounts/{account}/records{query}");
        let request = Request::builder()
            .method(Method::POST)
            .uri(target)
            .header("authorization", format!("Bearer {}", self.app.key))
            .header("content-type", media_type)
            .body(lines.as_bytes().to_vec());
        self.send(request.unwrap()).await
    }

    /// The records of `transactions`: ordinal and data of each.
    async fn read(&self, account: &str, query: &str) -> Vec<(u64, Value)> {
        let path = format!("/accounts/{account}/records?collection=transactions{query}");
        let answer = self.get(&self.app.key, &path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let found = answer.json()["data"].as_array().unwrap().clone();
        found
            .into_iter()
            .map(|one| (one["ordinal"].as_u64().unwrap(), one["data"].clone()))
            .collect()
    }
}

fn line(key: &str, amount: i64) -> String {
    let line = json!({"collection": "transactions", "key": key, "data": {"amount": amount}});
    format!("{line}\n")
}

#[tokio::test]
async fn records_are_loaded_together_told_once_and_read_by_ordinal() {
    let world = World::new().await;
    let account = world.record_account().await;
    assert_eq!(world.record_account().await, account, "the external id names one account");
    let count = 2 * limits::RECORD_COMMIT_ROWS as i64 + 3;
    let lines: String = (1..=count).map(|n| line(&format!("t-{n}"), n)).collect();
    let answer = world.load(&account, "", &lines).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let counts = json!({"created": count, "updated": 0, "deleted": 0, "total": count});
    assert_eq!(answer.json()["counts"]["transactions"], counts);

    let changes = world.get(&world.app.key, "/changes").await.json();
    let [told] = &changes["data"].as_array().unwrap()[..] else { panic!("{changes}") };
    assert_eq!(told["type"], "records.refreshed");
    assert_eq!(told["account"], json!(account));
    assert_eq!(told["data"]["counts"]["transactions"], counts);
    assert_eq!(told["data"]["account"]["external_id"], "credential-7");
    assert_eq!(told["data"]["refresh"]["id"], answer.json()["id"]);

    let mut read = Vec::new();
    for skip in (0..count).step_by(400) {
        read.extend(world.read(&account, &format!("&skip={skip}&limit=400")).await);
    }
    let expected: Vec<_> = (1..=count).map(|n| (n.unsigned_abs(), json!({"amount": n}))).collect();
    assert_eq!(read, expected);

    let again = world.load(&account, "", &lines).await.json();
    assert_eq!(again["counts"]["transactions"]["updated"], 0);
    let changes = world.get(&world.app.key, "/changes").await.json();
    assert_eq!(changes["data"].as_array().unwrap().len(), 1, "nothing changed, nothing is told");

    let two = [line("t-2", 7), line("new", 8)].concat();
    let whole = world.load(&account, "?whole=true", &two).await;
    let counts = &whole.json()["counts"]["transactions"];
    assert_eq!(
        *counts,
        json!({"created": 1, "updated": 1, "deleted": count - 1, "total": count + 1})
    );
    let left = world.read(&account, "&limit=5000").await;
    let last = count.unsigned_abs() + 1;
    assert_eq!(left, [(2, json!({"amount": 7})), (last, json!({"amount": 8}))]);
    let names = world.get(&world.app.key, &format!("/accounts/{account}/collections")).await;
    assert_eq!(names.json()["data"], json!({"transactions": count + 1}));
}

#[tokio::test]
async fn a_wrong_line_is_named_and_leaves_everything_as_it_was() {
    let world = World::new().await;
    let account = world.record_account().await;
    assert_eq!(world.load(&account, "", &line("kept", 1)).await.status, 200);
    let seq = world.seq().await;
    let good = line("a", 1);
    let many: String = (0..=limits::RECORD_COMMIT_ROWS).map(|n| line(&n.to_string(), 1)).collect();
    let after_many = limits::RECORD_COMMIT_ROWS + 2;
    let long = format!(
        "{{\"collection\":\"t\",\"key\":\"a\",\"data\":{{\"x\":\"{}\"}}}}",
        "x".repeat(limits::RECORD_BYTES_MAX)
    );
    let longer = "x".repeat(limits::RECORD_LINE_BYTES_MAX + 1);
    for (lines, status, named, pointer) in [
        (format!("{good}\n{{"), 400, "line 3: ", ""),
        (format!("{good}[]\n{good}"), 422, "line 2: ", ""),
        (format!("{good}{{\"collection\":\"t\",\"key\":\"a\"}}"), 422, "line 2: ", "/data"),
        (
            format!("{{\"collection\":\"t\",\"key\":\"a\",\"data\":[]}}\n{good}"),
            422,
            "line 1: ",
            "/data",
        ),
        (
            format!("{good}{{\"collection\":\"t\",\"key\":\"\",\"data\":{{}}}}"),
            422,
            "line 2: ",
            "/key",
        ),
        (
            format!("{good}{{\"collection\":\"t\",\"key\":\"a\",\"more\":1,\"data\":{{}}}}"),
            422,
            "line 2: ",
            "/more",
        ),
        (
            format!("{many}{{\"collection\":\" \",\"key\":\"a\",\"data\":{{}}}}"),
            422,
            &format!("line {after_many}: "),
            "/collection",
        ),
        (long, 422, "line 1: ", "/data"),
        (longer, 413, "line 1: ", ""),
    ] {
        let answer = world.load(&account, "?whole=true", &lines).await;
        let shown: String = lines.chars().rev().take(80).collect();
        assert_eq!(answer.status, status, "{shown:?}: {answer:?}");
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().starts_with(named), "{problem}");
        if !pointer.is_empty() {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let kept = vec![(1, json!({"amount": 1}))];
        assert_eq!(world.read(&account, "&deleted=with&limit=5000").await, kept);
    }
    assert_eq!(world.seq().await, seq, "a refused load was told");
    let other = world.load_as(&account, "", &good, "application/json").await;
    assert_eq!(other.status, 415, "{other:?}");
    assert_eq!(world.load(&account, "", &good).await.status, 200);
}

#[tokio::test]
async fn a_record_account_is_no_calendar_account() {
    let world = World::new().await;
    let (account, key) = (world.record_account().await, &world.app.key);
    assert_eq!(world.load(&account, "", &line("a", 1)).await.status, 200);
    let path = |rest: &str| format!("/accounts/{account}{rest}");
    assert_eq!(world.get(key, &path("/calendars")).await.json()["data"], json!([]));
    assert_eq!(world.post(key, &path("/sync"), json!({})).await.status, 409);
    let shown = world.get(key, &path("")).await.json();
    assert_eq!((&shown["provider"], &shown["status"]), (&json!("record"), &json!("active")));
    let password = json!({"username": "ada", "password": "secret"});
    let patch = request(Method::PATCH, key, &format!("/api/v1{}", path("")), Some(password));
    assert_eq!(world.send(patch).await.status, 422);

    let details = json!({"details": {"country": "ES"}});
    let target = format!("/api/v1/record-accounts/{account}");
    let described = world.send(request(Method::PATCH, key, &target, Some(details))).await;
    assert_eq!(described.json()["details"]["country"], "ES", "{described:?}");
    let gone =
        world.send(request(Method::DELETE, key, &format!("/api/v1{}", path("")), None)).await;
    assert_eq!(gone.status, 204, "{gone:?}");
    assert_eq!(world.get(key, &format!("/record-accounts/{account}")).await.status, 404);
    assert_eq!(world.load(&account, "", &line("a", 1)).await.status, 404);
}
