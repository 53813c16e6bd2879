//! A bulk load of records and the process that dies in it.

use serde_json::{Value, json};
use tidings_testkit::postgres::PostgresDatabase;
use tidings_testkit::receiver::TestReceiver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::tidings::{PATIENCE, Tidings};

/// Far more than the buffers of a connection hold: when it is sent, much of it is staged.
const BROKEN_OFF_BYTES: usize = 24 * 1024 * 1024;
const SITE: &str = "56cf5728784806f72b8b4568";

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_a_kill_breaks_off_is_never_seen() {
    load_broken_off(Tidings::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_on_postgresql_that_a_kill_breaks_off_is_never_seen() {
    let database = PostgresDatabase::create();
    let environment = [("TIDINGS_DATABASE_URL", database.url.as_str())];
    load_broken_off(Tidings::start_with(&environment).await).await;
    let left = "SELECT count(*), count(DISTINCT gen), min(ordinal), max(ordinal) FROM record";
    assert_eq!(database.query(left), "3|1|1|3", "what was staged first is still there");
}

async fn load_broken_off(mut tidings: Tidings) {
    let receiver = TestReceiver::start().await;
    let account = credential(&tidings, &receiver).await;
    let mut load = Load::begin(&tidings, &account).await;
    let filling = "x".repeat(20_000);
    let mut sent = 0;
    for n in 0.. {
        let line = transaction(&format!("lost-{n}"), &filling);
        load.send(&line).await;
        sent += line.len();
        if sent > BROKEN_OFF_BYTES {
            break;
        }
    }
    tidings.server.kill9().await;
    drop(load);
    tidings.server.restart().await;
    assert_eq!(shown(&tidings, &account).await, [""; 0]);

    let mut load = Load::begin(&tidings, &account).await;
    for key in ["a", "b", "c"] {
        load.send(&transaction(key, "new")).await;
    }
    let answer = load.end().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains(r#""created":3,"updated":0,"deleted":0,"total":3"#), "{answer}");
    assert_eq!(shown(&tidings, &account).await, ["a", "b", "c"]);

    let told = receiver.wait_for(1, PATIENCE).await;
    let told: Value = serde_json::from_slice(&told[0].body).unwrap();
    assert_eq!(told["event"], "refresh", "{told}");
    let pages = told["endpoints"]["transactions"].as_array().unwrap();
    assert_eq!(pages.len(), 1, "{told}");
    let (_, page) = sync(&tidings, "GET", pages[0].as_str().unwrap(), None).await;
    assert_eq!(page["response"].as_array().unwrap().len(), 3, "{page}");
    let changes = tidings.get("/changes").await;
    let changes = changes["data"].as_array().unwrap().iter();
    let refreshed = changes.filter(|change| change["type"] == "records.refreshed").count();
    assert_eq!(refreshed, 1, "the load that broke off was told");
    assert_eq!(receiver.count(), 1);
}

async fn sync(tidings: &Tidings, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    tidings.send(method, path, &tidings.server.key, &[], body.as_ref()).await
}

/// A credential of Sync whose `refresh` is told to `receiver`; its record account.
async fn credential(tidings: &Tidings, receiver: &TestReceiver) -> String {
    let post = async |path: &str, body: Value| {
        let (status, answer) = sync(tidings, "POST", path, Some(body)).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer["response"].clone()
    };
    let user = post("/v1/users", json!({"name": "Ada"})).await;
    post("/v1/webhooks", json!({"url": receiver.url("/"), "events": ["refresh"]})).await;
    let login = json!({"username": "ada"});
    let pull = json!({"id_user": user["id_user"], "id_site": SITE, "credentials": login});
    post("/v1/credentials", pull).await;
    let accounts = tidings.get("/record-accounts").await;
    accounts["data"][0]["id"].as_str().unwrap().to_owned()
}

/// Keys of the transactions that readers see.
async fn shown(tidings: &Tidings, account: &str) -> Vec<String> {
    let path = format!("/accounts/{account}/records?collection=transactions&deleted=with");
    let page = tidings.get(&path).await;
    let records = page["data"].as_array().unwrap();
    assert_eq!(page["total"], records.len(), "{page}");
    records.iter().map(|record| record["key"].as_str().unwrap().to_owned()).collect()
}

fn transaction(key: &str, description: &str) -> String {
    let data = json!({"description": description, "amount": 12.5});
    json!({"collection": "transactions", "key": key, "data": data}).to_string() + "\n"
}

/// A bulk load on a connection of its own, as slow as the test wants.
struct Load(TcpStream);

impl Load {
    async fn begin(tidings: &Tidings, account: &str) -> Self {
        let address = tidings.server.base_url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /api/v1/accounts/{account}/records?whole=true HTTP/1.1\r\nhost: {address}\r\n\
             authorization: Bearer {}\r\ncontent-type: application/x-ndjson\r\n\
             transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
            tidings.server.key
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(stream)
    }

    async fn send(&mut self, line: &str) {
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        self.0.write_all(chunk.as_bytes()).await.unwrap();
    }

    async fn end(mut self) -> String {
        self.0.write_all(b"0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
