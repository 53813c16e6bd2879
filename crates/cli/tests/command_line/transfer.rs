//! `tidings export` and `tidings import`.

use serde_json::Value;

use crate::place::Place;

fn steps(done: &Value) -> Vec<&str> {
    done["steps"].as_array().unwrap().iter().map(|step| step["did"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_exported_app_is_made_again_once_and_without_secrets() {
    let place = Place::start().await;
    let other = place.id(&["app", "create", "other"]).await;
    let apps = place.json(&["app", "list"]).await;
    let one = apps[0]["id"].as_str().unwrap().to_owned();
    let in_one =
        async |arguments: &[&str]| place.json(&[&["--app", &one], arguments].concat()).await;
    let in_other =
        async |arguments: &[&str]| place.json(&[&["--app", &other], arguments].concat()).await;
    in_one(&["app", "update", "--validation", "warn", "--set", "retention={\"journal_days\": 30}"])
        .await;
    in_one(&["event-type", "create", "invoice.paid", "--example", "{\"invoice\": \"in_1\"}"]).await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let access = "access={\"headers\": {\"x-token\": \"hidden\"}}";
    let given = format!("secret={secret}");
    let first = ["hook", "create", "http://localhost:3000/a", "--trigger", "invoice.*", "--set"];
    in_one(&[&first[..], &[given.as_str(), "--set", access]].concat()).await;
    let second =
        ["hook", "create", "http://localhost:3000/b", "--format", "connect@1", "--trigger"];
    in_one(&[&second[..], &["event.*", "--set", "concurrency=4"]].concat()).await;
    in_one(&["export", "--file", "app.json"]).await;
    let text = std::fs::read_to_string(place.home.path().join("app.json")).unwrap();
    assert!(!text.contains(secret) && !text.contains("hidden"), "{text}");

    assert_eq!(steps(&in_one(&["import", "app.json"]).await), [""; 0]);
    let planned = in_other(&["import", "app.json", "--dry-run"]).await;
    assert_eq!(steps(&planned).len(), 4, "{planned}");
    assert_eq!(in_other(&["hook", "list"]).await, serde_json::json!([]));
    let done = in_other(&["import", "app.json"]).await;
    assert_eq!(steps(&done), steps(&planned));
    let secrets =
        done["steps"].as_array().unwrap().iter().filter(|step| step["secret"].is_string());
    assert_eq!(secrets.count(), 2);
    assert_eq!(steps(&in_other(&["import", "app.json"]).await), [""; 0]);
    in_other(&["export", "--file", "again.json"]).await;
    let again = std::fs::read_to_string(place.home.path().join("again.json")).unwrap();
    assert_eq!(again, text);

    let hook = in_other(&["hook", "list"]).await[0]["id"].as_str().unwrap().to_owned();
    in_other(&["hook", "update", &hook, "--set", "concurrency=2", "--description", ""]).await;
    let mended = in_other(&["import", "app.json"]).await;
    assert_eq!(steps(&mended).len(), 1, "{mended}");
    assert_eq!(in_other(&["hook", "show", &hook]).await["concurrency"], 16);

    std::fs::write(place.home.path().join("other.json"), "{}").unwrap();
    let stranger = place.run(&["--app", &other, "import", "other.json"]).await;
    assert_eq!(stranger.status.code(), Some(2));
}
