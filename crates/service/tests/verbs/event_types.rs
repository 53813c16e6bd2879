use tidings_core::catalogue::Validation;
use tidings_service::{
    AppChanges, Caller, Error, EventTypeInput, NewPublication, PageInput, Published, Scope,
};

use crate::setup::{Setup, pointers, publication};

const SCHEMA: &str = r#"{"type": "object", "required": ["amount"],
    "properties": {"amount": {"type": "number", "minimum": 0}}}"#;

fn input(schema: &str) -> EventTypeInput {
    EventTypeInput { schema: Some(schema.into()), ..EventTypeInput::default() }
}

impl Setup {
    async fn validates(&self, validation: Validation) -> Caller {
        let changes = AppChanges { validation: Some(validation), ..AppChanges::default() };
        let app = self.service.update_app(&self.owner, self.app, changes).await.unwrap();
        assert_eq!(app.validation, validation);
        self.with_scopes(&[Scope::Publish]).await
    }

    async fn publish_as(
        &self,
        caller: &Caller,
        inputs: &[NewPublication],
    ) -> Result<Published, Error> {
        match inputs {
            [one] => self.service.publish(caller, one.clone(), None, None).await,
            many => self.service.publish_batch(caller, many.to_vec(), None, None).await,
        }
    }
}

#[tokio::test]
async fn a_catalogue_is_tended() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let create = |name: &str, input| service.create_event_type(owner, name.into(), input);
    let made = create("invoice.paid", input(SCHEMA)).await.unwrap();
    assert_eq!((&*made.name, made.schema.as_deref()), ("invoice.paid", Some(SCHEMA)));
    let again = create("invoice.paid", input(SCHEMA)).await.unwrap_err();
    assert_eq!(again.code(), "conflict");
    let example = EventTypeInput { example: Some(r#"{"amount": 1}"#.into()), ..input(SCHEMA) };
    let made = service.replace_event_type(owner, "invoice.paid".into(), example).await.unwrap();
    assert_eq!(made.example.as_deref(), Some(r#"{"amount": 1}"#));
    create("a", EventTypeInput { deprecated: true, ..EventTypeInput::default() }).await.unwrap();
    let listed = setup.service.event_types(&setup.owner, &PageInput::default()).await.unwrap();
    let names: Vec<_> = listed.items.iter().map(|found| &*found.name).collect();
    assert_eq!(names, ["invoice.paid", "a"]);
    let other = setup.other_app("b").await;
    let foreign = setup.service.event_type(&other, "a".into()).await;
    assert_eq!(foreign.unwrap_err(), Error::NotFound("event type"));
    assert!(setup.service.delete_event_type(&other, "a".into()).await.is_err());
    setup.service.delete_event_type(&setup.owner, "a".into()).await.unwrap();
    assert!(setup.service.event_type(&setup.owner, "a".into()).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_in_a_catalogue_is_named() {
    let setup = Setup::new().await;
    let example = |text: &str| EventTypeInput { example: Some(text.into()), ..input(SCHEMA) };
    let long = "a".repeat(20_000);
    for (name, input, expected) in [
        ("a b", EventTypeInput::default(), &["/name"][..]),
        ("hook.failing", EventTypeInput::default(), &["/name"]),
        ("a", EventTypeInput { description: long.clone(), ..input("true") }, &["/description"]),
        ("a", input(&format!("{{\"description\": \"{long}\"}}")), &["/schema"]),
        (
            "a",
            input(r#"{"properties": {"a": {"$ref": "http://a/b"}}}"#),
            &["/schema/properties/a/$ref"],
        ),
        ("a", input(r#"{"items": {"type": "strange"}}"#), &["/schema/items/type"]),
        ("a", example(r#"{"amount": "1"}"#), &["/example/amount"]),
        ("a", example("{}"), &["/example"]),
    ] {
        let put = setup.service.create_event_type(&setup.owner, name.into(), input.clone()).await;
        assert_eq!(pointers(put), expected, "{name} {input:?}");
    }
}

#[tokio::test]
async fn a_change_is_judged_as_strictly_as_its_app_asks() {
    let setup = Setup::new().await;
    setup
        .service
        .create_event_type(&setup.owner, "invoice.paid".into(), input(SCHEMA))
        .await
        .unwrap();
    let free = EventTypeInput::default();
    setup.service.create_event_type(&setup.owner, "free".into(), free).await.unwrap();
    let good = publication("invoice.paid", r#"{"amount": 1}"#);
    let bad = publication("invoice.paid", r#"{"amount": "hush"}"#);
    let (unknown, free) = (publication("invoice.sent", "{}"), publication("free", "1"));
    let batch = [good.clone(), bad.clone(), unknown.clone()];
    for (inputs, faults) in [
        (&[good][..], &[][..]),
        (&[free], &[]),
        (&[bad], &[("/data/amount", "schema")]),
        (&[unknown], &[("/type", "unknown_type")]),
        (&batch, &[("/1/data/amount", "schema"), ("/2/type", "unknown_type")]),
    ] {
        for validation in [Validation::Off, Validation::Warn, Validation::Enforce] {
            let caller = setup.validates(validation).await;
            let published = setup.publish_as(&caller, inputs).await;
            let found = match (validation, published) {
                (Validation::Enforce, Err(Error::Invalid(fields))) => fields,
                (_, published) => {
                    published.unwrap().receipts.into_iter().flat_map(|r| r.warnings).collect()
                }
            };
            let expected = if validation == Validation::Off { &[] } else { faults };
            let places: Vec<_> = found.iter().map(|f| (f.pointer.as_str(), f.code)).collect();
            assert_eq!(places, expected, "{validation:?} {inputs:?}");
            assert!(!format!("{found:?}").contains("hush"), "{found:?}");
        }
    }
}

#[tokio::test]
async fn a_catalogue_is_in_force_at_once() {
    let setup = Setup::new().await;
    let caller = setup.validates(Validation::Enforce).await;
    let publish = async || {
        let inputs = [publication("invoice.paid", r#"{"amount": 1}"#)];
        setup.publish_as(&caller, &inputs).await.is_ok()
    };
    let put = async |schema| {
        let name = "invoice.paid".to_owned();
        setup.service.replace_event_type(&setup.owner, name, input(schema)).await.unwrap()
    };
    assert!(!publish().await, "an unknown type");
    setup
        .service
        .create_event_type(&setup.owner, "invoice.paid".into(), input(SCHEMA))
        .await
        .unwrap();
    assert!(publish().await);
    put("false").await;
    assert!(!publish().await);
    put("true").await;
    assert!(publish().await);
    setup.service.delete_event_type(&setup.owner, "invoice.paid".into()).await.unwrap();
    assert!(!publish().await);
}
