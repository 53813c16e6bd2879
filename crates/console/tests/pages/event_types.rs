//! The catalogue: types are made, looked at, changed and removed.

use crate::world::World;

const SCHEMA: &str = r#"{"type":"object","required":["amount"]}"#;

#[tokio::test]
async fn an_event_type_is_made_looked_at_changed_and_removed() {
    let (world, mut owner) = World::owned().await;
    let base = format!("/console/apps/{}/event-types", world.app);
    let new = format!("{base}/new");
    assert!(owner.get(&base).await.body.contains("There is none yet"));
    let fields = [
        ("name", "invoice.paid"),
        ("description", "A <b>bill</b> was paid."),
        ("schema", SCHEMA),
        ("example", r#"{"amount":12.50}"#),
    ];
    let made = owner.submit(&new, &new, &fields).await;
    let here = format!("{base}/of/invoice.paid");
    assert_eq!((made.status.as_u16(), made.location()), (303, here.as_str()), "{made:?}");
    let page = owner.get(&here).await;
    for part in [
        "A &lt;b&gt;bill&lt;/b&gt; was paid.",
        "&quot;amount&quot;: 12.50",
        "changes?type=invoice.paid",
    ] {
        assert!(page.body.contains(part), "{part}: {page:?}");
    }
    let edit = format!("{here}/edit");
    assert!(owner.get(&edit).await.body.contains("&quot;required&quot;: ["));
    let fields = [("description", "Paid."), ("schema", ""), ("example", ""), ("deprecated", "on")];
    assert_eq!(owner.submit(&edit, &edit, &fields).await.location(), here);
    let listed = owner.get(&base).await;
    assert!(listed.body.contains("deprecated") && listed.body.contains("Paid."), "{listed:?}");
    let delete = format!("{here}/delete");
    assert_eq!(owner.submit(&delete, &delete, &[]).await.location(), base);
    assert_eq!(owner.get(&here).await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_with_an_event_type_stands_beside_its_field() {
    let (world, mut owner) = World::owned().await;
    let new = format!("/console/apps/{}/event-types/new", world.app);
    for (name, schema, example, field) in [
        ("invoice paid", "", "", "f-name-error"),
        ("hook.made", "", "", "f-name-error"),
        ("invoice.paid", "{", "", "f-schema-error"),
        ("invoice.paid", r#"{"type":"nothing"}"#, "", "f-schema-error"),
        ("invoice.paid", "", "not json", "f-example-error"),
        ("invoice.paid", SCHEMA, "{}", "f-example-error"),
    ] {
        let fields = [("name", name), ("schema", schema), ("example", example)];
        let refused = owner.submit(&new, &new, &fields).await;
        assert_eq!(refused.status, 422, "{name} {schema} {example}");
        assert!(refused.body.contains(field), "{field}: {refused:?}");
    }
    let fields = [("name", "a.b")];
    assert_eq!(owner.submit(&new, &new, &fields).await.status, 303);
    let twice = owner.submit(&new, &new, &fields).await;
    assert_eq!(twice.status, 422, "{twice:?}");
}
