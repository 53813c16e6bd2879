use tidings_service::{AppChanges, Error, NewApp, PageInput, Scope};

use crate::setup::{Setup, pointers, publication};

#[tokio::test]
async fn apps_are_created_listed_page_by_page_and_updated() {
    let setup = Setup::new().await;
    for n in 0..4 {
        let input = NewApp {
            name: format!("app {n}"),
            external_id: Some(format!("x{n}")),
            webhook_url: Some("https://example.com/".into()),
        };
        setup.service.create_app(&setup.owner, input).await.unwrap();
    }
    let mut names = Vec::new();
    let mut page = PageInput { cursor: None, limit: Some(2) };
    loop {
        let found = setup.service.apps(&setup.owner, &page).await.unwrap();
        names.extend(found.items.into_iter().map(|app| app.name));
        let Some(next) = found.next else { break };
        page.cursor = Some(next);
    }
    assert_eq!(names, ["default", "app 0", "app 1", "app 2", "app 3"]);

    let changes = AppChanges {
        name: Some("renamed".into()),
        webhook_url: Some(None),
        ..AppChanges::default()
    };
    let app = setup.service.update_app(&setup.owner, setup.app, changes).await.unwrap();
    assert_eq!((app.name.as_str(), app.webhook_url), ("renamed", None));
    let taken = AppChanges { external_id: Some(Some("x1".into())), ..AppChanges::default() };
    let refused = setup.service.update_app(&setup.owner, setup.app, taken).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn bad_fields_of_apps_are_named() {
    let setup = Setup::new().await;
    for (input, expect) in [
        (NewApp::default(), vec!["/name"]),
        (
            NewApp {
                name: "\u{202e}evil".into(),
                external_id: Some(" ".into()),
                webhook_url: Some("http://10.0.0.1/".into()),
            },
            vec!["/name", "/external_id", "/webhook_url"],
        ),
    ] {
        assert_eq!(pointers(setup.service.create_app(&setup.owner, input).await), expect);
    }
}

#[tokio::test]
async fn a_deleted_app_is_gone_and_its_content_erased() {
    let setup = Setup::new().await;
    let other = setup.other_app("other").await;
    let other_id = other.app_id().unwrap();
    setup.hook(&other).await;
    for _ in 0..3 {
        let input = publication("invoice.paid", r#"{"secret":1}"#);
        setup.service.publish(&other, input, None, None).await.unwrap();
    }
    setup.service.delete_app(&setup.owner, other_id).await.unwrap();
    let gone = setup.service.app(&setup.owner, other_id).await;
    assert_eq!(gone.err(), Some(Error::NotFound("app")));
    setup.service.resume_erasures().await.unwrap();
    let deleted = setup.store.deleted_apps().await.unwrap();
    let kept = setup.store.changes(deleted[0], 0, 10).await.unwrap();
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|change| change.new.body.is_empty()));
    assert!(setup.store.hooks(deleted[0], None, 0, 10).await.unwrap().is_empty());
    assert!(setup.service.app(&setup.owner, setup.app).await.is_ok());
}

#[tokio::test]
async fn an_admin_tends_its_own_app_and_does_not_delete_it() {
    let setup = Setup::new().await;
    let admin = setup.with_scopes(&[Scope::Admin]).await;
    let changes = AppChanges { name: Some("mine".into()), ..AppChanges::default() };
    assert!(setup.service.update_app(&admin, setup.app, changes).await.is_ok());
    let refused = setup.service.delete_app(&admin, setup.app).await;
    assert_eq!(refused.err(), Some(Error::Forbidden("owner")));
    setup.other_app("other").await;
    let seen = setup.service.apps(&admin, &PageInput::default()).await.unwrap();
    assert_eq!(seen.items.len(), 1);
}
