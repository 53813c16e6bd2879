//! Keys are made by whoever gave the password lately, shown once, and revoked.

use crate::world::{PASSWORD, World};

const MINUTE_MS: i64 = 60_000;

#[tokio::test]
async fn asvs_7_5_3_a_key_is_made_only_after_the_password_was_given_lately() {
    let (world, mut owner) = World::owned().await;
    let new = format!("/console/apps/{}/keys/new", world.app);
    assert_eq!(owner.get(&new).await.status, 200, "the password was given a moment ago");
    let csrf = owner.csrf().await;
    world.clock.advance_ms(11 * MINUTE_MS);
    let fields = [("name", "ci"), ("scopes", "read")];
    let late = owner.post(&new, &csrf, &fields).await;
    let asked = "/console/confirm?next=%2Fconsole%2Fapps%2F";
    assert!(late.location().starts_with(asked), "{late:?}");
    let path = late.location().to_owned();
    let next = [("password", "not it"), ("next", new.as_str())];
    assert_eq!(owner.submit(&path, "/console/confirm", &next).await.status, 401);
    let next = [("password", PASSWORD), ("next", new.as_str())];
    let confirmed = owner.submit(&path, "/console/confirm", &next).await;
    assert_eq!((confirmed.status.as_u16(), confirmed.location()), (303, new.as_str()));
    let made = owner.submit(&new, &new, &fields).await;
    assert_eq!(made.status, 200, "{made:?}");
    let token = regex::Regex::new("tdk_[A-Za-z0-9]+").unwrap();
    let token = token.find(&made.body).expect("the key is shown").as_str().to_owned();
    assert!(world.service.authenticate(&token, None).await.is_ok());
    let listed = owner.get(&format!("/console/apps/{}/keys", world.app)).await;
    assert!(listed.body.contains("ci") && !listed.body.contains(&token), "{listed:?}");
    let revoke = regex::Regex::new(r#"href="([^"]+/revoke)""#).unwrap();
    let revokes: Vec<_> =
        revoke.captures_iter(&listed.body).map(|found| found[1].to_owned()).collect();
    for path in revokes {
        assert_eq!(owner.submit(&path, &path, &[]).await.status, 303, "{path}");
    }
    assert!(
        world.service.authenticate(&token, None).await.is_err(),
        "a revoked key lets nobody in"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_key_stands_in_its_form() {
    let (world, mut owner) = World::owned().await;
    let new = format!("/console/apps/{}/keys/new", world.app);
    let long = "x".repeat(300);
    for (fields, why) in [
        (vec![("name", " "), ("scopes", "read")], "Must not be blank"),
        (vec![("name", "ci")], "must name at least one scope"),
        (vec![("name", long.as_str()), ("scopes", "read")], "Must be at most"),
    ] {
        let answer = owner.submit(&new, &new, &fields).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(answer.body.contains(why), "{why}: {answer:?}");
    }
}
