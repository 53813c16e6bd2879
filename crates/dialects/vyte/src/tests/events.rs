//! The reference "Events", request by request, and what each call tells hooks.

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tidings_core::limits;
use tidings_service::{Expect, RecordPut, RecordWrite};

use super::likeness::{assert_like, names};
use super::world::World;

/// Of the printed event: addresses and pages of the vendor's own, which are nowhere here.
const NOT_OURS: [&str; 2] = ["email", "key_store"];

/// The example of `POST /v2/events`.
fn documented() -> Value {
    json!({
        "title": "First created event",
        "created_by": { "email": "creator@example.com" },
        "dates": [
            { "all_day": false, "date": "2020-07-16T09:00:00", "end_date": "2020-07-16T10:00:00" },
            { "all_day": false, "date": "2020-07-16T14:00:00+0100", "end_date": "2020-07-16T15:00:00" },
        ],
        "places": [{ "name": "Place for the meeting." }],
    })
}

/// Its printed answer.
fn printed() -> Value {
    let by = json!({ "user": "5eecc40bb2181073ac6ff375" });
    let votes =
        json!({ "yes": [{ "created_by": by, "_id": "5f0d7eb02003d04dab2a961f" }], "no": [] });
    let date = |date: &str, end_date: &str| {
        json!({ "created_by": by, "votes": votes, "all_day": false, "confirmed": false,
            "confirmed_invitees": [], "_id": "5f0d7eb02003d0174a2a961c", "date": date,
            "end_date": end_date, "updatedAt": "2020-07-14T09:45:20.862Z",
            "createdAt": "2020-07-14T09:45:20.862Z" })
    };
    json!({
        "created_by": { "user": "5eecc40bb2181073ac6ff375", "picture_url": "",
            "full_name": "Jean Dupont" },
        "confirmed": { "flag": false, "updated_at": null, "multi": false },
        "third_party": { "group_ids": [] },
        "ics_sequence": 0, "version": 0, "group_pro": false, "identification_alternatives": [],
        "_id": "5f0d7eb02003d0971e2a961a",
        "title": "First created event",
        "dates": [
            date("2020-07-16T07:00:00.000Z", "2020-07-16T08:00:00.000Z"),
            date("2020-07-16T13:00:00.000Z", "2020-07-16T13:00:00.000Z"),
        ],
        "places": [{ "created_by": by, "votes": votes, "source": "app",
            "_id": "5f0d7eb02003d081072a961d", "name": "Place for the meeting.",
            "updatedAt": "2020-07-14T09:45:20.862Z", "createdAt": "2020-07-14T09:45:20.862Z" }],
        "api": true,
        "invitees": [{ "created_by": by, "stats": { "voted": { "dates": true, "places": true } },
            "star": false, "_id": "5f0d7eb02003d097742a961e", "user": "5eecc40bb2181073ac6ff375",
            "su": true, "full_name": "Jean Dupont", "picture_url": "", "timezone": "Europe/Paris",
            "locale": "fr" }],
        "messages": [], "declines": [], "lang": "en", "locale": "en",
        "updatedAt": "2020-07-14T09:45:20.862Z", "createdAt": "2020-07-14T09:45:20.862Z",
        "invitees_length": 1,
        "email": "reply-to-participants-to-first-created-event-atpcovzku@vytein.mailgun.org",
        "key_store": {}, "links": null, "__v": 0,
    })
}

fn path(event: &Value, rest: &str) -> String {
    format!("/v2/events/{}{rest}", event["_id"].as_str().unwrap())
}

#[tokio::test]
async fn creating_as_printed_answers_the_event_as_printed() {
    let world = World::new().await;
    let jean = world.jean().await;
    let event = world.post("/v2/events", documented()).await;
    assert_like(&printed(), &event, &NOT_OURS);
    for by in ["/created_by", "/invitees/0"] {
        let by = event.pointer(by).unwrap();
        assert_eq!((&by["email"], &by["user"]), (&json!("creator@example.com"), &json!(jean)));
    }
    let printed = printed();
    let ours = names(&event).into_iter().filter(|name| printed.get(name).is_none());
    assert_eq!(ours.collect::<Vec<_>>(), ["vyteme"], "documented as an attribute");
    assert_eq!(world.get(&path(&event, "")).await, event);
    assert_eq!(world.kinds().await, ["scheduling.created"]);
}

#[tokio::test]
async fn confirming_as_printed_answers_the_event_as_printed() {
    let world = World::new().await;
    world.jean().await;
    let event = world.post("/v2/events", documented()).await;
    // The printed body ends with a comma, which is no JSON.
    let title = json!({ "title": "First created event (updated)" });
    let event = world.put(&path(&event, ""), title).await;
    let confirmed = world.call("POST", &path(&event, "/confirm"), Value::Null).await.ok();
    let mut expected = printed();
    expected["title"] = json!("First created event (updated)");
    expected["confirmed"] = json!({ "flag": true, "updated_at": "2020-07-15T16:10:52.855Z",
        "date_id": "5f0d7eb02003d0174a2a961c", "place_id": "5f0d7eb02003d081072a961d" });
    assert_like(&expected, &confirmed, &NOT_OURS);
    assert_eq!(names(&confirmed["confirmed"]), ["date_id", "flag", "place_id", "updated_at"]);
    assert_eq!(confirmed["confirmed"]["date_id"], confirmed["dates"][0]["_id"]);
    assert_eq!(world.kinds().await, ["scheduling.created", "scheduling.confirmed"]);

    // Edited now, it is reconfirmed: the printed answer of PUT is of a confirmed event.
    let edited = world.put(&path(&event, ""), json!({ "title": "Edited" })).await;
    assert_eq!(edited["confirmed"]["flag"], true);
    assert_eq!(world.kinds().await.last().unwrap(), "scheduling.updated");
}

#[tokio::test]
async fn a_date_and_a_place_are_named_in_the_query_or_the_body() {
    let world = World::new().await;
    for in_query in [true, false] {
        let event = world.post("/v2/events", documented()).await;
        let (d, p) = (event["dates"][1]["_id"].as_str().unwrap(), &event["places"][0]["_id"]);
        let confirmed = if in_query {
            let rest = format!("/confirm?d={d}&p={}", p.as_str().unwrap());
            world.post(&path(&event, &rest), Value::Null).await
        } else {
            world.post(&path(&event, "/confirm"), json!({ "d": d, "p": p })).await
        };
        assert_eq!(confirmed["confirmed"]["date_id"], d, "{in_query}");
        assert_eq!(&confirmed["confirmed"]["place_id"], p, "{in_query}");
    }
}

#[tokio::test]
async fn an_event_created_already_confirmed_tells_both() {
    let world = World::new().await;
    let mut body = documented();
    body["confirmed"] = json!({ "flag": true });
    let event = world.post("/v2/events", body).await;
    assert_eq!(event["confirmed"]["flag"], true);
    let told = world.told_since(0).await;
    let kinds: Vec<_> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["scheduling.created", "scheduling.confirmed"]);
    assert!(told.iter().all(|(_, data)| data["resource"] == event));
}

#[tokio::test]
async fn cancelling_answers_ok_and_tells_the_resource_with_its_time() {
    let world = World::new().await;
    // The event of the reference's example of a delivery.
    let body = json!({
        "confirmed": { "flag": true },
        "created_by": { "email": "user.name@domain.com" },
        "dates": [{ "all_day": false, "date": "2017-11-10T11:00:00.000Z",
            "end_date": "2017-11-10T12:00:00.000Z" }],
        "invitees": [{ "full_name": "Person booking a slot name", "email": "jean.dupont@domain.com",
            "phone": "0601020304" }],
        "lang": "fr", "locale": "fr",
        "messages": [{ "body": "I’m booking appointment about this" }],
        "places": [{ "name": "Office name", "address": "12 rue de Rivoli, 75004, Paris, France" }],
        "timezone": "Europe/Paris", "title": "Appointment about topic", "vyteme": true,
        "third_party": { "ct": "creator_token", "app": "app_id",
            "group_ids": ["user123", "group456", "companyABC"] },
    });
    let event = world.post("/v2/events", body.clone()).await;
    assert_eq!(event.get("cancelled"), None);
    world.clock.advance_ms(1_000);
    let answer = world.post(&path(&event, "/cancel"), Value::Null).await;
    assert_eq!(answer, json!("OK"));
    let told = world.told_since(2).await;
    let [(kind, data)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(kind, "scheduling.cancelled");
    assert_eq!(data["resource"]["cancelled"], "2020-07-14T09:45:21.862Z");
    assert_eq!(data["resource"], world.get(&path(&event, "")).await);
    // Everything printed is in it; before the invitee is who created the event.
    let mut resource = data["resource"].clone();
    resource["invitees"].as_array_mut().unwrap().remove(0);
    assert_like(&body, &resource, &[]);
    assert_eq!(world.post(&path(&event, "/cancel"), Value::Null).await, json!("OK"));
    assert_eq!(world.told_since(3).await, []);
}

#[tokio::test]
async fn invitees_are_added_and_removed_as_printed() {
    let world = World::new().await;
    let mut users = Vec::new();
    for email in ["newinviteetoadd@gmail.com", "anotherinviteetoadd@mail.com"] {
        let user = json!({ "organization": world.organization, "user": { "emails": [email] } });
        users.push(world.post("/v2/users", user).await["user"]["_id"].clone());
    }
    world.jean().await;
    let event = world.post("/v2/events", documented()).await;
    let guests = json!([{ "email": "newinviteetoadd@gmail.com" },
        { "email": "anotherinviteetoadd@mail.com" }]);
    let invitees = world.post(&path(&event, "/invitees"), guests.clone()).await;
    let printed = |email: &str| {
        json!({ "created_by": { "user": "60db26c587f89b0021659a5c" }, "star": false,
            "_id": "60db26c687f89b0021659a64", "email": email, "user": "60db26c587f89b0021659a5c" })
    };
    let expected = json!([
        printed("creator@example.com"),
        printed("newinviteetoadd@gmail.com"),
        printed("anotherinviteetoadd@mail.com")
    ]);
    assert_like(&expected, &invitees, &[]);
    assert_eq!((&invitees[1]["user"], &invitees[2]["user"]), (&users[0], &users[1]));
    assert_eq!(world.post(&path(&event, "/invitees"), guests).await, invitees);
    assert_eq!(world.kinds().await, ["scheduling.created", "scheduling.invited"]);
    for (method, place) in [("DELETE", 1), ("POST", 2)] {
        let rest = format!("/invitees/{}", invitees[place]["_id"].as_str().unwrap());
        let answer = world.call(method, &path(&event, &rest), Value::Null).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!("OK")), "{method}");
        let answer = world.call(method, &path(&event, &rest), Value::Null).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method}");
    }
    let left = world.get(&path(&event, "")).await;
    assert_eq!(
        (&left["invitees_length"], left["invitees"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
    assert_eq!(
        world.kinds().await.len(),
        2,
        "nobody is told that somebody is not invited any more"
    );
}

#[tokio::test]
async fn votes_are_cast_together_or_one_by_one_and_told() {
    let world = World::new().await;
    world.jean().await;
    let mut body = documented();
    body["invitees"] = json!([{ "email": "guest@example.com" }]);
    let event = world.post("/v2/events", body).await;
    let (date, place) = (event["dates"][1]["_id"].clone(), event["places"][0]["_id"].clone());
    let guest = json!({ "email": "guest@example.com" });
    let ballot =
        json!({ "created_by": guest, "dates": { "yes": [date] }, "places": { "no": [place] } });
    let voted = world.post(&path(&event, "/votes"), ballot.clone()).await;
    assert_eq!(voted["dates"][1]["votes"]["yes"].as_array().unwrap().len(), 2);
    assert_eq!(voted["places"][0]["votes"]["no"][0]["created_by"], guest);
    assert_eq!(world.post(&path(&event, "/votes"), ballot).await, voted, "no vote is new");
    for (kind, id, vote) in [("dates", &date, "no"), ("places", &place, "yes")] {
        let rest = format!("/{kind}/{}/votes", id.as_str().unwrap());
        let ballot = json!({ "created_by": guest, "vote": vote });
        let voted = world.post(&path(&event, &rest), ballot).await;
        let place = if kind == "dates" { 1 } else { 0 };
        let votes = voted[kind][place]["votes"][vote].as_array().unwrap();
        assert!(votes.iter().any(|vote| vote["created_by"] == guest), "{kind} {vote}");
    }
    // As more are for the second date after all, it is the one that a confirmation takes.
    let for_second = json!({ "created_by": guest, "dates": { "yes": [date] } });
    world.post(&path(&event, "/votes"), for_second).await;
    let confirmed = world.post(&path(&event, "/confirm"), Value::Null).await;
    assert_eq!(confirmed["confirmed"]["date_id"], date);
    let voted = |kind: &&String| *kind == "scheduling.voted";
    assert_eq!(world.kinds().await.iter().filter(voted).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_votes_at_the_same_time_none_is_lost() {
    const VOTERS: usize = 12;
    let world = World::new().await;
    let mut body = documented();
    let email = |n: usize| format!("voter{n}@example.com");
    body["invitees"] = (0..VOTERS).map(|n| json!({ "email": email(n) })).collect();
    let event = world.post("/v2/events", body).await;
    let date = &event["dates"][0]["_id"];
    let votes = (0..VOTERS).map(|n| {
        let ballot = json!({ "created_by": { "email": email(n) }, "dates": { "yes": [date] } });
        let (world, votes) = (&world, path(&event, "/votes"));
        async move { world.post(&votes, ballot).await }
    });
    join_all(votes).await;
    let voted = world.get(&path(&event, "")).await;
    let yes = voted["dates"][0]["votes"]["yes"].as_array().unwrap();
    assert_eq!(yes.len(), VOTERS + 1, "and the creator's own");
    let told = world.told_since(1).await;
    assert_eq!(told.len(), VOTERS, "each vote is told once");
    // Each tells of the event as it was after that vote.
    let counts: Vec<_> = told
        .iter()
        .map(|(_, data)| data["resource"]["dates"][0]["votes"]["yes"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, (2..=VOTERS + 1).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_that_is_full_takes_no_more_votes_and_is_still_decided_and_cancelled() {
    let world = World::new().await;
    let email = |n: usize| format!("voter{n}@example.com");
    let mut body = documented();
    body["dates"] = (0..limits::SCHEDULING_DATES_MAX)
        .map(|n| json!({ "date": format!("20{n:02}-07-16T09:00:00Z"), "end_date": "2120-01-01T00:00:00Z" }))
        .collect();
    body["places"] =
        (0..limits::SCHEDULING_PLACES_MAX).map(|n| json!({ "name": n.to_string() })).collect();
    let guests = limits::EVENT_ATTENDEES_MAX - 1;
    body["invitees"] = (0..guests).map(|n| json!({ "email": email(n) })).collect();
    let event = world.post("/v2/events", body).await;
    let ids = |of: &str| -> Value {
        event[of].as_array().unwrap().iter().map(|one| one["_id"].clone()).collect()
    };
    let mut full = None;
    for n in 0..guests {
        let ballot = json!({ "created_by": { "email": email(n) }, "dates": { "yes": ids("dates") },
            "places": { "yes": ids("places") } });
        let answer = world.call("POST", &path(&event, "/votes"), ballot).await;
        if answer.status != StatusCode::OK {
            full = Some(answer);
            break;
        }
    }
    let full = full.expect("not all can vote on everything");
    assert_eq!(full.status, StatusCode::BAD_REQUEST, "{}", full.body);
    assert_eq!(full.body["code"], "too_large");
    let said = full.body["message"].as_str().unwrap();
    assert!(said.contains("no room for more dates, places, invitees, votes"), "{said}");
    let confirmed = world.post(&path(&event, "/confirm"), Value::Null).await;
    assert_eq!(confirmed["confirmed"]["flag"], true);
    assert_eq!(world.post(&path(&event, "/cancel"), Value::Null).await, "OK");
}

#[tokio::test]
async fn people_are_found_by_their_address_however_it_is_written() {
    let world = World::new().await;
    // Its lower case is longer than what was given.
    let address = format!("{}@example.com", "\u{130}".repeat(100));
    let user = json!({ "organization": world.organization, "user": { "emails": [address] } });
    let user = world.post("/v2/users", user).await["user"]["_id"].clone();
    let event = world.post("/v2/events", documented()).await;
    let guests = json!([{ "email": address }, { "email": address.replace("example", "EXAMPLE") }]);
    let invitees = world.post(&path(&event, "/invitees"), guests).await;
    assert_eq!((&invitees[1]["user"], invitees.as_array().unwrap().len()), (&user, 2));

    // Who moves to another address is found by that one only.
    let moved = json!({ "user": { "emails": ["Jean@example.com"] } });
    world.put(&format!("/v2/users/{}", user.as_str().unwrap()), moved).await;
    let event = world.post("/v2/events", documented()).await;
    let guests = json!([{ "email": address }, { "email": "JEAN@example.com" }]);
    let invitees = world.post(&path(&event, "/invitees"), guests).await;
    assert_eq!((&invitees[1]["user"], &invitees[2]["user"]), (&Value::Null, &user));
}

#[tokio::test]
async fn a_list_is_filtered_by_every_documented_parameter() {
    let world = World::new().await;
    assert_eq!(world.get("/v2/events").await, json!([]));
    let jean = world.jean().await;
    let mut ids = Vec::new();
    for (title, changes) in [
        (
            "Old",
            json!({ "dates": [{ "date": "2020-01-01", "end_date": "2020-01-02" }],
            "invitees": [{ "email": "test1@mail.com" }, { "email": "test2@mail.com" }] }),
        ),
        (
            "Meeting for project",
            json!({ "confirmed": { "flag": true },
            "third_party": { "app": "5f6b14c1282630001ceeb22f", "group_ids": ["abc", "def"] },
            "invitees": [{ "email": "test1@mail.com" }] }),
        ),
        (
            "Other's",
            json!({ "created_by": { "email": "other@example.com" },
            "invitees": [{ "email": "creator@example.com" }] }),
        ),
    ] {
        world.clock.advance_ms(1_000);
        let mut body = documented();
        body["title"] = json!(title);
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        ids.push(world.post("/v2/events", body).await["_id"].as_str().unwrap().to_owned());
    }
    let as_printed = format!(
        "/?app_id=5f6b14c1282630001ceeb22f&group_ids=abc&creator_users={jean}\
         &invitee_emails=test1@mail.com&filter=confirmed"
    );
    for (query, expected) in [
        ("", &[2, 1, 0][..]),
        ("?limit=2", &[2, 1]),
        ("?q=%5Emeeting", &[1]),
        ("?q=nothing", &[]),
        ("?filter=confirmed", &[1]),
        ("?filter=upcoming", &[2, 1]),
        (&format!("?creator_users={jean}"), &[1, 0]),
        ("?creator_emails=OTHER@example.com", &[2]),
        ("?creator_emails=other@example.com,creator@example.com", &[2, 1, 0]),
        (&format!("?creator_users={jean}&creator_emails=other@example.com"), &[1, 0]),
        ("?invitee_emails=test1@mail.com", &[1, 0]),
        ("?invitee_emails=test1@mail.com,test2@mail.com", &[0]),
        (&format!("?invitee_users={jean}"), &[2, 1, 0]),
        (&format!("?invitee_users={jean}&invitee_emails=other@example.com"), &[2]),
        ("?app_id=5f6b14c1282630001ceeb22f", &[1]),
        ("?group_ids=nobody,def", &[1]),
        (as_printed.as_str(), &[1]),
    ] {
        let list = world.get(&format!("/v2/events{query}")).await;
        let found: Vec<_> =
            list.as_array().unwrap().iter().map(|event| event["_id"].as_str().unwrap()).collect();
        let expected: Vec<_> = expected.iter().map(|place: &usize| ids[*place].as_str()).collect();
        assert_eq!(found, expected, "{query}");
    }
    let list = world.get(&format!("//v2/events{as_printed}")).await;
    assert_eq!(list[0]["_id"], ids[1], "as printed, with two slashes");
    for wrong in ["limit=0", "limit=many", "filter=open", "q=%5B"] {
        let answer = world.call("GET", &format!("/v2/events?{wrong}"), Value::Null).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_list_reads_beyond_its_first_page_and_skips_what_is_no_event() {
    const MANY: i64 = 400;
    let world = World::new().await;
    let event = world.post("/v2/events", documented()).await;
    let book = world.service.record_account_named(&world.caller, "vyte").await.unwrap().unwrap();
    let write = |n: i64| {
        let id = format!("{n:024x}");
        let mut body = event.clone();
        (body["_id"], body["title"]) = (json!(id), json!(format!("Event {n}")));
        let body = if n == 7 { json!({ "no": "event" }) } else { body };
        let body = body.to_string().into();
        let put = RecordPut { collection: "events".into(), key: id, starts_at: Some(n), body };
        RecordWrite::Put(put, Expect::Any)
    };
    let writes = (1..=MANY).map(write).collect();
    world.service.write_records(&world.caller, book.id, writes, Vec::new()).await.unwrap();
    let list = world.get("/v2/events").await;
    let titles: Vec<_> = list.as_array().unwrap().iter().map(|event| &event["title"]).collect();
    assert_eq!(titles.len(), MANY as usize, "all but one, and the first");
    assert_eq!((titles[1], titles[399]), (&json!("Event 400"), &json!("Event 1")));
    let oldest = world.get("/v2/events?q=%5EEvent%203$").await;
    assert_eq!(oldest[0]["title"], "Event 3");
    assert_eq!(world.get("/v2/events?limit=300").await.as_array().unwrap().len(), 300);
}

#[tokio::test]
async fn a_creator_is_a_user_by_id_or_anybody_by_address() {
    let world = World::new().await;
    let jean = world.jean().await;
    let mut body = documented();
    body["created_by"] = json!({ "user": jean });
    let event = world.post("/v2/events", body.clone()).await;
    assert_eq!(event["created_by"]["email"], "creator@example.com");
    body["created_by"] = json!({ "email": "stranger@example.com" });
    let event = world.post("/v2/events", body.clone()).await;
    assert_eq!(event["created_by"], json!({ "email": "stranger@example.com" }));
    assert_eq!(event["dates"][0]["created_by"], json!({ "email": "stranger@example.com" }));
    assert_eq!(event["dates"][0]["date"], "2020-07-16T09:00:00.000Z", "UTC: of no known time zone");
    body["created_by"] = json!({ "user": "5eecc40bb2181073ac6ff375" });
    let answer = world.call("POST", "/v2/events", body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["message"], "created_by.user is not a user of the organization");
}

#[tokio::test]
async fn events_of_other_organizations_are_not_found() {
    let world = World::new().await;
    let event = world.post("/v2/events", documented()).await;
    let headers = [("authorization", world.others_key.as_str())];
    for (method, rest) in
        [("GET", ""), ("PUT", ""), ("POST", "/confirm"), ("POST", "/cancel"), ("POST", "/votes")]
    {
        let ballot =
            json!({ "created_by": { "email": "a@example.com" }, "dates": { "yes": ["1"] } });
        let answer = world.send(method, &path(&event, rest), &headers, ballot.to_string()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {rest}: {}", answer.body);
    }
    assert_eq!(world.kinds().await, ["scheduling.created"]);
}
