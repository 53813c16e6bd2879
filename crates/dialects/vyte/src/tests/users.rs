//! The references "Users" and "Calendars", and the link by which users join.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tidings_core::id::{Bits96, UserId};
use tidings_service::{Deleted, NewAccount, Password, RecordQuery, Scope, UserChanges};

use super::likeness::assert_like;
use super::world::World;

/// The example of `POST /v2/users`.
fn documented(world: &World) -> Value {
    json!({
        "organization": world.organization,
        "user": {
            "email": "john.doe@example.com", "first_name": "John", "last_name": "Doe",
            "language": "en", "timezone": "Europe/London",
            "picture_url": "https://www.example.com/picture/jean",
            "account": { "organization": { "extid": "userIdInThirdPartyAppDatabase" } },
        },
        "login": { "credentials": { "username": "john.doe@example.com",
            "password": "youllneverguessit" } },
    })
}

/// Its printed answer.
fn printed() -> Value {
    json!({ "user": {
        "calendars": { "google": false, "office365": false, "exchange": false, "icloud": false,
            "caldav": false },
        "modules": { "brand": false, "assistant": false, "vyteme": false, "vyteme_pro": false,
            "availabilities": false, "billing": false, "group_pro": false, "team": false },
        "account": {
            "organization": { "name": "default", "id": "5f198da1c1ac5d1a30fc00f3",
                "extid": "userIdInThirdPartyAppDatabase" },
            "plan": "pro", "app_url": "https://my-page.vyte.in",
        },
        "emails": ["john.doe@example.com"], "_id": "5f2d28fb1e0662e70071d46b",
        "first_name": "John", "last_name": "Doe", "language": "en", "timezone": "Europe/London",
        "picture_url": "https://www.example.com/picture/jean", "signedup_with": "api",
        "full_name": "John Doe", "updatedAt": "2020-08-07T10:12:11.260Z",
        "createdAt": "2020-08-07T10:12:11.260Z", "__v": 0,
    } })
}

/// The page of a user on the vendor's site is nowhere here.
const NOT_OURS: [&str; 1] = ["app_url"];

async fn create(world: &World) -> String {
    let created = world.post("/v2/users", documented(world)).await;
    created["user"]["_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn creating_as_printed_answers_the_user_as_printed() {
    let world = World::new().await;
    let answer = world.post("/v2/users", documented(&world)).await;
    let mut expected = printed();
    expected["user"]["account"]["organization"]["name"] =
        answer["user"]["account"]["organization"]["name"].clone();
    assert_like(&expected, &answer, &NOT_OURS);
    assert_eq!(answer["user"]["account"]["organization"]["id"], world.organization);
    let one = format!("/v2/users/{}", answer["user"]["_id"].as_str().unwrap());
    assert_eq!(world.get(&one).await, answer["user"]);
    assert_eq!(world.get("/v2/users").await, json!([answer["user"]]));
    assert_eq!(world.kinds().await, [""; 0], "a user who is created has not joined by the link");
    let id = UserId(Bits96::from_hex24(&one[10..]).unwrap());
    let kept = world.service.user(&world.caller, id).await.unwrap();
    assert!(!kept.details.to_string().contains("youllneverguessit"), "passwords are not kept");
}

#[tokio::test]
async fn creating_again_by_extid_or_id_updates() {
    let world = World::new().await;
    let id = create(&world).await;
    for user in [
        json!({ "last_name": "Snow",
            "account": { "organization": { "extid": "userIdInThirdPartyAppDatabase" } } }),
        json!({ "id": id, "last_name": "Snow" }),
        json!({ "_id": id, "last_name": "Snow" }),
    ] {
        let body = json!({ "organization": world.organization, "user": user });
        let answer = world.post("/v2/users", body).await;
        assert_eq!(
            (&answer["user"]["_id"], &answer["user"]["full_name"]),
            (&json!(id), &json!("John Snow"))
        );
        assert_eq!(answer["user"]["emails"], json!(["john.doe@example.com"]));
    }
    assert_eq!(world.get("/v2/users").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn updating_as_printed_answers_the_user_as_printed() {
    let world = World::new().await;
    let one = format!("/v2/users/{}", create(&world).await);
    let body = json!({ "organization": world.organization, "user": { "last_name": "Snow" } });
    let answer = world.put(&one, body).await;
    let mut expected = printed();
    expected["user"]["last_name"] = json!("Snow");
    expected["user"]["full_name"] = json!("John Snow");
    expected["user"]["account"]["organization"]["name"] =
        answer["user"]["account"]["organization"]["name"].clone();
    assert_like(&expected, &answer, &NOT_OURS);
    let renamed = json!({ "user": { "account": { "organization": { "extid": "other" } } } });
    let answer = world.put(&one, renamed).await;
    assert_eq!(answer["user"]["account"]["organization"]["extid"], "other");
}

#[tokio::test]
async fn deleting_answers_the_organization_that_is_left() {
    let world = World::new().await;
    let id = create(&world).await;
    world.jean().await;
    let answer = world.call("DELETE", &format!("/v2/users/{id}"), Value::Null).await.ok();
    let expected = json!({
        "lang": "en", "members": [{
            "calendars": { "google": false, "office365": false, "exchange": false, "icloud": false,
                "caldav": false },
            "account": { "plan": "pro" }, "emails": ["creator@example.com"],
            "_id": "5f4e16c301326e82fa691552", "full_name": "Jean Dupont" }],
        "private": false, "_id": "5f198da1c1ac5d1a30fc00f3", "plan": "pro",
        "updatedAt": "2020-09-04T09:31:01.381Z", "createdAt": "2020-07-23T13:16:17.125Z", "__v": 0,
    });
    assert_like(&expected, &answer, &[]);
    assert_eq!(answer["_id"], world.organization);
    let gone = world.call("GET", &format!("/v2/users/{id}"), Value::Null).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_updates_at_the_same_time_none_is_lost() {
    let world = World::new().await;
    let one = format!("/v2/users/{}", create(&world).await);
    let fields = ["first_name", "last_name", "language", "timezone", "picture_url", "email"];
    let values = ["Jeanne", "Snow", "fr", "Europe/Paris", "https://example.com/p", "j@example.com"];
    join_all(fields.iter().zip(values).map(|(name, value)| {
        let (world, one) = (&world, &one);
        async move { world.put(one, json!({ "user": { *name: value } })).await }
    }))
    .await;
    let user = world.get(&one).await;
    for (name, value) in fields.iter().zip(values).take(5) {
        assert_eq!(user[name], value, "{user}");
    }
    assert_eq!(user["emails"], json!(["j@example.com"]));
    assert_eq!(user["full_name"], "Jeanne Snow");
}

#[tokio::test]
async fn what_others_keep_with_a_user_stays() {
    let world = World::new().await;
    let one = create(&world).await;
    let id = UserId(Bits96::from_hex24(&one).unwrap());
    let foreign =
        json!({ "email": ["a", "b"], "language": null, "first_name": "Ada", "plan": { "n": 1 } });
    let changes = UserChanges { details: Some(foreign), ..UserChanges::default() };
    world.service.update_user(&world.caller, id, changes, |_| Vec::new()).await.unwrap();
    let path = format!("/v2/users/{one}");
    let shown = world.get(&path).await;
    assert_eq!((&shown["emails"], &shown["first_name"]), (&json!([]), &json!("Ada")));
    world.put(&path, json!({ "user": { "last_name": "Snow" } })).await;
    let kept = world.service.user(&world.caller, id).await.unwrap().details;
    let expected = json!({ "email": ["a", "b"], "language": null, "first_name": "Ada",
        "last_name": "Snow", "plan": { "n": 1 } });
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn a_user_who_is_deleted_leaves_nothing_behind() {
    let world = World::new().await;
    let link = format!("/organizations/{}/join?extid=1&email=jean@example.com", world.organization);
    let id = world.get(&link).await["user"]["_id"].as_str().unwrap().to_owned();
    let (one, page) = (format!("/v2/users/{id}"), format!("/v2/users/{id}/vyteme"));
    world.put(&page, json!({ "nickname": "jean" })).await;

    // Who may not do all of it does nothing of it.
    let owner = world.owner().await;
    for scopes in [&[Scope::Read, Scope::Records][..], &[Scope::Read, Scope::Accounts]] {
        let key = world.key_with(&owner, scopes).await;
        let headers = [("authorization", key.as_str())];
        let answer = world.send("DELETE", &one, &headers, String::new()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
    }
    assert_eq!(world.get(&page).await["nickname"], "jean");

    world.call("DELETE", &one, Value::Null).await.ok();
    let account = world.service.record_account_named(&world.caller, "vyte").await.unwrap().unwrap();
    let collections = world.service.record_counts(&world.caller, account.id).await.unwrap();
    assert_eq!(collections.len(), 4, "{collections:?}");
    let query = RecordQuery { deleted: Deleted::With, limit: 100, ..RecordQuery::default() };
    for name in collections.keys() {
        let records = world.service.records(&world.caller, account.id, name, &query).await.unwrap();
        for record in records {
            assert!(record.deleted_at.is_some(), "{record:?}");
            assert_eq!(record.body, "{}", "{record:?}");
            assert!(!record.key.contains('@'), "{record:?}");
        }
    }
    let again = world.get(&link).await;
    assert_ne!(again["user"]["_id"], id);
    assert_eq!(world.kinds().await, ["user.joined", "page.updated", "user.joined"]);
}

#[tokio::test]
async fn a_batch_that_names_who_is_not_there_writes_nothing() {
    let world = World::new().await;
    let (known, jean) = (create(&world).await, world.jean().await);
    world.put(&format!("/v2/users/{jean}/vyteme"), json!({ "nickname": "jean" })).await;
    let first = json!({ "user": { "extid": "new" }, "vyteme": { "nickname": "new" } });
    let nobody = "5f2d28fb1e0662e70071d46b";
    for (second, status, words) in [
        (json!({ "user": { "_id": nobody } }), 404, "user not found"),
        (
            json!({ "user": { "_id": jean, "extid": "userIdInThirdPartyAppDatabase" } }),
            400,
            "another user",
        ),
        (json!({ "user": { "_id": known, "first_name": "J".repeat(253) } }), 400, "last_name"),
        (json!({ "user": { "_id": known }, "vyteme": {} }), 400, "nickname is required"),
        (json!({ "user": { "_id": known }, "vyteme": { "nickname": "jean" } }), 400, "is taken"),
    ] {
        let answer = world.call("POST", "/v2/users/batch", json!([first, second])).await;
        assert_eq!(answer.status.as_u16(), status, "{second}: {}", answer.body);
        let said = answer.body["message"].as_str().unwrap();
        assert!(said.contains(words), "{second}: {said}");
        assert_eq!(world.get("/v2/users").await.as_array().unwrap().len(), 2, "{second}");
    }
    let answer = world.post("/v2/users/batch", json!([first])).await;
    let page = world.get("/v2/vytemes/new").await;
    assert_eq!(page["belongs_to"], answer["users"][0]["_id"], "a page comes with its user");
}

#[tokio::test]
async fn users_are_created_and_updated_in_batches() {
    let world = World::new().await;
    let user = |extid: &str, name: &str| json!({ "user": { "first_name": name, "account": { "organization": { "extid": extid } } } });
    for body in [
        json!([user("a", "A"), user("b", "B")]),
        json!({ "organization": world.organization, "users": [user("a", "A2"), { "extid": "c" }] }),
    ] {
        let answer = world.post("/v2/users/batch", body).await;
        assert_eq!(answer["users"].as_array().unwrap().len(), 2);
    }
    let answer = world.put("/v2/users/batch", json!([user("a", "A3")])).await;
    assert_eq!(answer["users"][0]["first_name"], "A3");
    assert_eq!(world.get("/v2/users").await.as_array().unwrap().len(), 3);
    for (body, words) in [
        (json!([user("d", "D"), { "user": { "emails": ["x"] } }]), "users[1].user.emails"),
        (json!({ "users": 5 }), "users must be an array"),
        (json!({}), "users is required"),
        (
            json!((0..101).map(|n| json!({ "extid": n.to_string() })).collect::<Vec<_>>()),
            "at most 100",
        ),
    ] {
        let answer = world.call("POST", "/v2/users/batch", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let said = answer.body["message"].as_str().unwrap();
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(world.get("/v2/users").await.as_array().unwrap().len(), 3, "nothing of a bad batch");
}

#[tokio::test]
async fn what_is_wrong_with_a_user_is_named() {
    let world = World::new().await;
    for (pointer, value, status, words) in [
        ("/organization", json!(null), 400, "organization is required"),
        ("/organization", json!("5f198da1c1ac5d1a30fc00f3"), 403, "another organization"),
        ("/user", json!(null), 400, "user is required"),
        ("/user/email", json!("nobody"), 400, "user.emails must hold one e-mail address"),
        (
            "/user/emails",
            json!(["a@b.c", "d@e.f"]),
            400,
            "user.emails must be an array of at most 1",
        ),
        ("/user/language", json!("xx"), 400, "user.language must be one of"),
        ("/user/timezone", json!("Mars"), 400, "user.timezone must be a name"),
        ("/user/first_name", json!(1), 400, "user.first_name must be a string"),
        ("/user/first_name", json!("\u{202e}nhoJ"), 400, "user.first_name must not contain"),
        ("/user/last_name", json!("D".repeat(256)), 400, "user.last_name and first_name have"),
        ("/user/email", json!("a\u{202e}@example.com"), 400, "user.emails must hold one"),
        ("/user/email", json!("a\u{200f}@example.com"), 400, "user.emails must hold one"),
        ("/user/_id", json!("5f2d28fb1e0662e70071d46b"), 404, "user not found"),
        ("/finish_signup_with", json!("email"), 400, "finish_signup_with is not offered"),
    ] {
        let mut body = documented(&world);
        match body.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                body.pointer_mut(parent).unwrap()[name] = value.clone();
            }
        }
        let answer = world.call("POST", "/v2/users", body).await;
        assert_eq!(answer.status.as_u16(), status, "{pointer} {value}: {}", answer.body);
        let said = answer.body["message"].as_str().unwrap();
        assert!(said.contains(words), "{pointer} {value}: {said}");
    }
    assert_eq!(world.get("/v2/users").await, json!([]));
}

#[tokio::test]
async fn whoever_follows_the_link_joins_once_and_extid_comes_back() {
    let world = World::new().await;
    let link =
        format!("/organizations/{}/join?extid=1234&email=jean@example.com", world.organization);
    let joined = world.get(&link).await;
    assert_eq!(joined["user"]["account"]["organization"]["extid"], "1234");
    assert_eq!(world.get(&link).await["user"], joined["user"]);
    assert_eq!(world.post(&link, Value::Null).await["user"], joined["user"]);
    let told = world.told_since(0).await;
    let [(kind, data)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(kind, "user.joined");
    assert_eq!(data["resource"], joined["user"]);
    assert_eq!(data["user"], joined["user"]["_id"]);
}

#[tokio::test]
async fn whoever_was_created_before_may_still_join() {
    let world = World::new().await;
    create(&world).await;
    let link = format!("/organizations/{}/join", world.organization);
    let body = json!({ "user": { "extid": "userIdInThirdPartyAppDatabase", "last_name": "Snow" } });
    let joined = world.post(&link, body).await;
    assert_eq!(joined["user"]["full_name"], "John Snow");
    assert_eq!(world.kinds().await, ["user.joined"]);
    // Without an id of the application's own everyone is somebody new.
    for _ in 0..2 {
        world.post(&link, Value::Null).await;
    }
    assert_eq!(world.kinds().await.len(), 3);
    assert_eq!(world.get("/v2/users").await.as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_follow_the_link_at_once_one_is_told() {
    let world = World::new().await;
    let link = format!("/organizations/{}/join?extid=1234", world.organization);
    let joined = join_all((0..8).map(|_| world.get(&link))).await;
    let ids: BTreeSet<_> = joined.iter().map(|one| one["user"]["_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(world.kinds().await, ["user.joined"]);
    assert_eq!(world.get("/v2/users").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_link_needs_the_organizations_own_key() {
    let world = World::new().await;
    let link = format!("/organizations/{}/join?extid=1", world.organization);
    let answer = world.send("GET", &link, &[], String::new()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let others = [("authorization", world.others_key.as_str())];
    let answer = world.send("GET", &link, &others, String::new()).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer =
        world.send("GET", &format!("{link}&api_key={}", world.key), &[], String::new()).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn calendars_are_the_users_connected_accounts() {
    let world = World::new().await;
    let id = create(&world).await;
    let (list, user) = (format!("/v2/users/{id}/calendars"), Bits96::from_hex24(&id).map(UserId));
    let empty = world.get(&list).await;
    assert_eq!((&empty["calendars"], &empty["belongs_to"]), (&json!([]), &json!(id)));
    let account = NewAccount {
        provider: "caldav".into(),
        user,
        external_id: None,
        name: Some("Work".into()),
        server_url: Some("http://127.0.0.1:9/".into()),
        username: "u".into(),
        password: Password::new("p".into()),
    };
    world.service.connect_account(&world.caller, account).await.unwrap();
    let shown = world.get(&list).await;
    let expected = json!({ "sync_suggestions": true, "_id": "604b9727a7a147a3195f72d2",
        "calendars": [{ "access_broken": false, "primary": true, "_id": "604b9727a7a147d4d45f72d1",
            "source": "caldav", "name": "Work", "subcalendars": [] }],
        "belongs_to": "604b97276793f6001ef96d7e", "updatedAt": "2021-03-12T16:30:32.230Z",
        "createdAt": "2021-03-12T16:30:31.835Z" });
    assert_like(&expected, &shown, &[]);
    let user = world.get(&format!("/v2/users/{id}")).await;
    assert_eq!(user["calendars"]["caldav"], true);
    let calendar = format!("{list}/{}", shown["calendars"][0]["_id"].as_str().unwrap());
    let answer = world.call("DELETE", &calendar, Value::Null).await.ok();
    assert_eq!(answer, json!({ "n": 1, "ok": 1 }));
    let answer = world.call("DELETE", &calendar, Value::Null).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(&list).await["calendars"], json!([]));
}
