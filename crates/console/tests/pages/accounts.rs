//! Connecting accounts, looking at them, ending them.

use http::HeaderMap;
use tidings_providers::settings::{GoogleSettings, Settings};
use tidings_service::{AccountQuery, PageInput};

use crate::world::{Browser, OWNER, PASSWORD, World};

const SECRET: &str = "an app password of mine";

/// Connects a CalDAV account; its page.
async fn connect(world: &World, browser: &mut Browser) -> String {
    let form = format!("/console/apps/{}/accounts/connect/caldav", world.app);
    let fields = [
        ("server_url", "https://dav.example.com/"),
        ("username", "ada"),
        ("password", SECRET),
        ("name", "Ada <b>"),
        ("user", "u-1"),
    ];
    let made = browser.submit(&form, &form, &fields).await;
    assert_eq!(made.status, 303, "{made:?}");
    made.location().to_owned()
}

async fn count(world: &World, browser: &Browser) -> usize {
    let caller = world.owner(browser).await;
    let query = AccountQuery::default();
    world.service.accounts(&caller, query, &PageInput::default()).await.unwrap().items.len()
}

#[tokio::test]
async fn a_caldav_account_is_connected_looked_at_renamed_synced_and_deleted() {
    let (world, mut owner) = World::owned().await;
    let list = format!("/console/apps/{}/accounts", world.app);
    let none = owner.get(&list).await;
    assert!(none.body.contains("There is none yet") && none.body.contains("/accounts/connect\""));
    let here = connect(&world, &mut owner).await;
    let page = owner.get(&here).await;
    for part in
        ["Ada &lt;b&gt;", "u-1", "https://dav.example.com/", "Sync now", "not yet", "data-live"]
    {
        assert!(page.body.contains(part), "{part}: {page:?}");
    }
    assert!(!page.body.contains(SECRET));
    let listed = owner.get(&list).await;
    assert!(listed.body.contains(&format!("href=\"{here}\"")) && listed.body.contains("CalDAV"));
    let inactive = owner.get(&format!("{list}?status=inactive")).await;
    assert!(inactive.body.contains("No account is in this state"), "{inactive:?}");

    let synced = owner.submit(&here, &format!("{here}/sync"), &[]).await;
    assert_eq!((synced.status.as_u16(), synced.location()), (303, here.as_str()));
    let named = owner.submit(&here, &here, &[("name", "Home")]).await;
    assert_eq!(named.status, 303, "{named:?}");
    let wrong = owner.submit(&here, &here, &[("username", "bob"), ("password", "")]).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let again = [("username", "ada"), ("password", "another one")];
    assert_eq!(owner.submit(&here, &here, &again).await.status, 303);

    let ask = format!("{here}/delete");
    let wrong = owner.submit(&ask, &ask, &[("confirm", "Away")]).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    assert!(wrong.body.contains("Is not the name of the account"), "{wrong:?}");
    assert_eq!(count(&world, &owner).await, 1);
    let gone = owner.submit(&ask, &ask, &[("confirm", "Home")]).await;
    assert_eq!((gone.status.as_u16(), gone.location()), (303, list.as_str()));
    assert_eq!(count(&world, &owner).await, 0);
    assert_eq!(owner.get(&here).await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_with_an_account_stands_beside_its_field() {
    let (world, mut owner) = World::owned().await;
    let base = format!("/console/apps/{}/accounts/connect", world.app);
    for (provider, server, username, password, why) in [
        ("caldav", "ftp://x/", "ada", SECRET, "f-server_url-error"),
        ("caldav", "https://dav.example.com/", "a:b", SECRET, "f-username-error"),
        ("caldav", "https://dav.example.com/", "ada", "", "f-password-error"),
        ("apple", "", "", SECRET, "f-username-error"),
    ] {
        let form = format!("{base}/{provider}");
        let fields = [("server_url", server), ("username", username), ("password", password)];
        let refused = owner.submit(&form, &form, &fields).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.body.contains(why), "{why}: {refused:?}");
        assert!(!refused.body.contains(SECRET), "a password is never shown again");
    }
    assert_eq!(count(&world, &owner).await, 0);
    assert_eq!(owner.get(&format!("{base}/google")).await.status, 404);
    let chosen = owner.get(&base).await;
    assert!(chosen.body.contains("google.client_id"), "what is not set up says how to: {chosen:?}");
}

#[tokio::test]
async fn a_consent_ends_in_the_browser_that_began_it_and_nowhere_else() {
    let (world, _) = World::owned().await;
    let (desk, _errands) = tokio::sync::mpsc::channel(1);
    let settings = Settings {
        google: Some(GoogleSettings::new("g", "secret")),
        public_url: Some("http://127.0.0.1:8480".parse().unwrap()),
        ..Settings::default()
    };
    let world = world.served_by(|service| service.with_providers(settings, desk));
    let mut owner = world.browser();
    assert_eq!(owner.sign_in(OWNER, PASSWORD).await.status, 303);
    let base = format!("/console/apps/{}/accounts", world.app);
    let mut begin = async || {
        let page = format!("{base}/connect");
        let fields = [("provider", "google"), ("user", "u-1")];
        let onward = owner.submit(&page, &format!("{base}/consent"), &fields).await;
        assert_eq!(onward.status, 200, "{onward:?}");
        let state = regex::Regex::new("[?&;]state=([A-Za-z0-9_-]+)").unwrap();
        assert!(onward.body.contains("https://accounts.google.com/"), "{onward:?}");
        state.captures(&onward.body).unwrap()[1].to_owned()
    };
    let states = [begin().await, begin().await, begin().await];
    let mut headers = HeaderMap::new();
    headers.insert("cookie", format!("tidings={}", owner.cookies["tidings"]).parse().unwrap());
    let here = tidings_console::browser(&headers, false).unwrap();
    assert!(!here.contains(&owner.cookies["tidings"]), "it does not tell the session");
    let denied = || Err("access_denied".to_owned());
    for (state, browsers, code) in [
        (&states[0], vec![], "unknown_state"),
        (&states[1], vec!["another".to_owned()], "unknown_state"),
        (&states[2], vec!["another".to_owned(), here], "access_denied"),
    ] {
        let ended = world.service.finish_connection_in(&browsers, "google", state, denied());
        let ended = ended.await.unwrap();
        assert_eq!(ended.outcome.unwrap_err().code, code);
        let back = ended.return_to.map(String::from);
        let expected = format!("http://127.0.0.1:8480{base}/connected");
        assert_eq!(back, (code == "access_denied").then_some(expected));
    }
    let back = format!("{base}/connected?error=access_denied&error_description=Call+1-800");
    let page = owner.get(&back).await;
    assert!(page.body.contains("The consent was not given"), "{page:?}");
    assert!(!page.body.contains("Call 1-800"), "an address can be made up by anybody: {page:?}");
    let done = owner.get(&format!("{base}/connected?account=acc_01k4qzv6s8t2m9r3n5b0")).await;
    assert_eq!(done.location(), format!("{base}/acc_01k4qzv6s8t2m9r3n5b0"));
}
