//! How hooks are served: what is accepted, what is refused, and what a change leaves alone.

use tidings_core::hook::{
    Coalesce, DisableRule, Grouping, KeySource, OnExhausted, Ordering, Rate, Span,
};
use tidings_service::{Coalescing, HookChanges, NewHook, OrderingKind, Serving};

use crate::setup::{Setup, new_hook, pointers};

fn served(serving: Serving) -> NewHook {
    NewHook { serving, ..new_hook() }
}

fn coalescing(asked: Coalescing) -> Serving {
    Serving { coalesce: Some(Some(asked)), ..Serving::default() }
}

fn keyed(order_key: &str) -> Serving {
    let (ordering, order_key) = (Some(OrderingKind::Key), Some(order_key.to_owned()));
    Serving { ordering, order_key, ..Serving::default() }
}

#[tokio::test]
async fn settings_out_of_bounds_are_refused_with_their_place() {
    let setup = Setup::new().await;
    let rate = |count| Serving {
        rate: Some(Some(Rate { count, per: Span::Minute })),
        ..Serving::default()
    };
    let disable = |failing_ms, failures| Serving {
        disable: Some(DisableRule { failing_ms, failures }),
        ..Serving::default()
    };
    let day = 24 * 3600 * 1000;
    for (serving, pointer) in [
        (rate(0), "/rate/count"),
        (rate(100_001), "/rate/count"),
        (keyed("customer"), "/order_key"),
        (keyed("/a~2"), "/order_key"),
        (Serving { order_key: None, ..keyed("") }, "/order_key"),
        (Serving { ordering: Some(OrderingKind::Hook), ..keyed("item") }, "/order_key"),
        (Serving { ordering: None, ..keyed("item") }, "/order_key"),
        (disable(Some(59_999), None), "/disable/failing_ms"),
        (disable(Some(-1), None), "/disable/failing_ms"),
        (disable(None, Some(0)), "/disable/failures"),
        (
            coalescing(Coalescing { delay_ms: Some(day + 1), ..Coalescing::default() }),
            "/coalesce/delay_ms",
        ),
        (
            coalescing(Coalescing { batch_max: Some(0), ..Coalescing::default() }),
            "/coalesce/batch_max",
        ),
        (
            coalescing(Coalescing { batch_max: Some(101), ..Coalescing::default() }),
            "/coalesce/batch_max",
        ),
        (
            coalescing(Coalescing { batch_bytes_max: Some(0), ..Coalescing::default() }),
            "/coalesce/batch_bytes_max",
        ),
        (
            coalescing(Coalescing {
                window_ms: Some(5),
                batch_max: Some(1),
                ..Coalescing::default()
            }),
            "/coalesce/window_ms",
        ),
        (
            coalescing(Coalescing {
                window_ms: Some(500),
                max_wait_ms: Some(400),
                ..Coalescing::default()
            }),
            "/coalesce/max_wait_ms",
        ),
    ] {
        let said = format!("{serving:?}");
        let refused = setup.service.create_hook(&setup.owner, served(serving)).await;
        assert_eq!(pointers(refused), [pointer], "{said}");
    }
}

#[tokio::test]
async fn a_change_leaves_alone_what_it_does_not_name() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let rate = Rate { count: 100, per: Span::Second };
    let input = served(Serving {
        rate: Some(Some(rate)),
        on_exhausted: Some(OnExhausted::Stop),
        ..keyed("/customer/id")
    });
    let hook = service.create_hook(owner, input).await.unwrap().hook;
    let by_customer = Ordering::Key(KeySource::Pointer("/customer/id".into()));
    assert_eq!((hook.rate, &hook.ordering), (Some(rate), &by_customer));
    assert_eq!((hook.on_exhausted, hook.coalesce), (OnExhausted::Stop, None));
    assert_eq!(hook.disable, DisableRule::default());

    let change = |serving| HookChanges { serving, ..HookChanges::default() };
    let coalesce = coalescing(Coalescing { delay_ms: Some(50), ..Coalescing::default() });
    let hook = service.update_hook(owner, hook.id, change(coalesce)).await.unwrap();
    assert_eq!((hook.rate, &hook.ordering), (Some(rate), &by_customer));
    assert_eq!(hook.coalesce, Some(Coalesce { delay_ms: 50, ..Coalesce::default() }));

    let order_key = Some("account".to_owned());
    let other_key = Serving { order_key, rate: Some(None), ..Serving::default() };
    let hook = service.update_hook(owner, hook.id, change(other_key)).await.unwrap();
    assert_eq!((hook.rate, hook.ordering), (None, Ordering::Key(KeySource::Account)));

    let plain =
        Serving { ordering: Some(OrderingKind::None), coalesce: Some(None), ..Serving::default() };
    let hook = service.update_hook(owner, hook.id, change(plain)).await.unwrap();
    assert_eq!((hook.ordering, hook.coalesce), (Ordering::None, None));
}

#[tokio::test]
async fn a_format_that_holds_one_change_can_be_throttled_but_not_batched() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let connect = |asked| NewHook { format: Some("connect@1".into()), ..served(coalescing(asked)) };
    for (asked, pointer) in [
        (Coalescing { batch_max: Some(2), ..Coalescing::default() }, "/coalesce/batch_max"),
        (Coalescing { window_ms: Some(9), ..Coalescing::default() }, "/coalesce/window_ms"),
    ] {
        assert_eq!(pointers(service.create_hook(owner, connect(asked)).await), [pointer]);
    }
    let throttled = Coalescing {
        delay_ms: Some(10),
        min_interval_ms: Some(500),
        group: Some(Grouping::Account),
        ..Coalescing::default()
    };
    let hook = service.create_hook(owner, connect(throttled)).await.unwrap().hook;
    let rule = hook.coalesce.unwrap();
    assert_eq!((rule.batch_max, rule.delay_ms, rule.min_interval_ms), (1, 10, 500));
}
