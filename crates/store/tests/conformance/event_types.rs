//! The catalogue of event types.

use tidings_core::catalogue::Validation;
use tidings_store::{AppUpdate, EventType, NewEventType};

use crate::support::{NOW, World, did};

fn names(types: &[EventType]) -> Vec<&str> {
    types.iter().map(|found| &*found.written.name).collect()
}

pub(crate) async fn an_event_type_is_written_replaced_and_removed(world: &World) {
    let apps = [world.app("a").await, world.app("b").await];
    let app_no = apps[0].app_no;
    let new = |name: &str, schema: Option<&str>| NewEventType {
        name: name.into(),
        description: "an invoice was paid".into(),
        schema: schema.map(str::to_owned),
        example: Some("{}".into()),
        deprecated: schema.is_none(),
    };
    let create =
        |app_no, new| world.store.create_event_type(app_no, new, did("event_type.create"), NOW);
    let later = NOW.plus_ms(1);
    let replace =
        |new| world.store.replace_event_type(app_no, new, did("event_type.replace"), later);
    let missing = replace(new("invoice.paid", None)).await;
    assert!(missing.is_err_and(|error| error.is_not_found()));
    let first = create(app_no, new("invoice.paid", None)).await.unwrap();
    assert_eq!(first.written, new("invoice.paid", None));
    let again = create(app_no, new("invoice.paid", None)).await;
    assert!(again.is_err_and(|error| error.is_conflict()));
    let second = replace(new("invoice.paid", Some("true"))).await.unwrap();
    assert_eq!(second.written, new("invoice.paid", Some("true")));
    assert_eq!((second.type_no, second.created_at, second.updated_at), (first.type_no, NOW, later));
    create(app_no, new("b", None)).await.unwrap();
    create(apps[1].app_no, new("invoice.paid", None)).await.unwrap();

    let found = world.store.event_type(app_no, "invoice.paid".into()).await.unwrap();
    assert_eq!(found, Some(second.clone()));
    assert_eq!(world.store.event_type(app_no, "c".into()).await.unwrap(), None);
    let listed = world.store.event_types(app_no, 0, 10).await.unwrap();
    assert_eq!(names(&listed), ["invoice.paid", "b"]);
    let listed = world.store.event_types(app_no, second.type_no, 10).await.unwrap();
    assert_eq!(names(&listed), ["b"]);

    let remove =
        || world.store.delete_event_type(app_no, "b".into(), did("event_type.delete"), NOW);
    remove().await.unwrap();
    assert!(remove().await.is_err_and(|error| error.is_not_found()));
    world.store.delete_app(app_no, NOW, did("app.delete")).await.unwrap();
    while world.store.erase_app_step(app_no, NOW).await.unwrap() {}
    assert_eq!(world.store.event_types(app_no, 0, 10).await.unwrap(), []);
    assert_eq!(world.store.event_types(apps[1].app_no, 0, 10).await.unwrap().len(), 1);
}

pub(crate) async fn an_app_says_how_strictly_it_is_validated(world: &World) {
    let app = world.app("a").await;
    assert_eq!(app.validation, Validation::Off);
    for validation in [Validation::Warn, Validation::Enforce, Validation::Off] {
        let update = AppUpdate { validation: Some(validation), ..AppUpdate::default() };
        world.store.update_app(app.app_no, update, NOW, did("app.update")).await.unwrap();
        world.store.update_app(app.app_no, AppUpdate::default(), NOW, did("x")).await.unwrap();
        let found = world.store.app(app.app_no).await.unwrap().unwrap();
        assert_eq!(found.validation, validation);
    }
}
