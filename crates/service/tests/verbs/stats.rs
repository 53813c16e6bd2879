//! How apps and hooks have fared, and searching the journal.

use tidings_core::id::AccountId;
use tidings_core::limits;
use tidings_core::tally::{Tally, minute_of};
use tidings_service::{About, AccountStatus, ChangeSearch, Error, PageInput, Scope, Span};
use tidings_store::HookMinute;

use crate::accounts::new_account;
use crate::deliveries::settled;
use crate::setup::{NOON, Setup, publication};

async fn account(setup: &Setup) -> AccountId {
    setup.service.connect_account(&setup.owner, new_account()).await.unwrap().id
}

/// What was counted: of hook 1 of app 1, two minutes ago.
async fn count(setup: &Setup) {
    let mut tally = Tally::default();
    (0..9).for_each(|_| tally.count(true, 40_000));
    tally.count(true, 900_000);
    tally.count(false, 5);
    let minute = minute_of(NOON) - 2;
    let counted = HookMinute { app_no: 1, hook_no: 1, minute, tally };
    setup.store.add_minutes(vec![counted]).await.unwrap();
}

#[tokio::test]
async fn a_span_has_all_its_points_and_the_attempts_are_in_the_right_one() {
    let setup = settled().await;
    count(&setup).await;
    let (service, owner) = (&setup.service, &setup.owner);
    let hook = service.hooks(owner, &PageInput::default()).await.unwrap().items[0].id;
    for (span, points, step_ms, place) in [
        (Span::Hour, 60, 60_000, 57),
        (Span::Day, 96, 900_000, 94),
        (Span::Week, 168, 3_600_000, 166),
    ] {
        let stats = service.hook_stats(owner, hook, span).await.unwrap();
        assert_eq!(stats, service.app_overview(owner, span).await.unwrap().stats);
        assert_eq!(stats.points.len(), points);
        let steps = stats.points.windows(2).map(|pair| pair[1].at.0 - pair[0].at.0);
        assert!(steps.into_iter().all(|step| step == step_ms));
        let last = stats.points[points - 1].at;
        assert!(last <= NOON && NOON < last.plus_ms(step_ms), "{span:?}");
        let told: Vec<_> = (0..points)
            .filter(|at| stats.points[*at].delivered + stats.points[*at].failed > 0)
            .collect();
        assert_eq!(told, [place], "{span:?}");
        let point = stats.points[place];
        assert_eq!((point.delivered, point.failed), (10, 1));
        assert!(point.p50_ms.unwrap() <= 50 && point.p95_ms.unwrap() > 500, "{point:?}");
        assert_eq!((stats.total.delivered, stats.total.p50_ms), (10, point.p50_ms));
        assert_eq!(stats.total.at, stats.points[0].at);
    }
    assert_eq!(Span::ALL.map(|span| Span::parse(span.as_str())), Span::ALL.map(Some));
}

#[tokio::test]
async fn an_overview_says_what_is_owed_and_what_is_in_trouble() {
    let setup = settled().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let account = account(&setup).await;
    setup.clock.advance_ms(90_000);
    let overview = service.app_overview(owner, Span::Hour).await.unwrap();
    assert_eq!((overview.hooks, overview.parked, overview.exhausted), ([1, 0, 0], 1, 1));
    assert_eq!((overview.accounts_active, overview.accounts_inactive), (1, 0));
    assert_eq!(overview.syncs[0].id, account);
    assert_eq!(overview.sync_lag_ms, Some(90_000));
    assert_eq!(overview.oldest_owed_at, Some(NOON));
    let [trouble] = &overview.trouble[..] else { panic!("{:?}", overview.trouble) };
    let About::Delivery { id, hook } = trouble.about else { panic!("{trouble:?}") };
    assert!(trouble.why.contains("answered 500"), "{trouble:?}");
    assert_eq!(service.delivery(owner, id).await.unwrap().hook, hook);
    let account = service.account(owner, account).await.unwrap();
    assert_eq!(account.status, AccountStatus::Active);

    let other = setup.other_app("other").await;
    let overview = service.app_overview(&other, Span::Hour).await.unwrap();
    assert_eq!((overview.hooks, overview.parked, overview.trouble.len()), ([0; 3], 0, 0));
    assert_eq!(overview.sync_lag_ms, None);
    let foreign = service.hook_stats(&other, hook, Span::Hour).await;
    assert_eq!(foreign, Err(Error::NotFound("hook")));
    let publisher = setup.with_scopes(&[Scope::Publish]).await;
    assert!(service.app_overview(&publisher, Span::Hour).await.is_err());
    assert!(service.hook_stats(&publisher, hook, Span::Hour).await.is_err());
}

#[tokio::test]
async fn counts_are_kept_for_eight_days() {
    let setup = settled().await;
    count(&setup).await;
    let (service, owner) = (&setup.service, &setup.owner);
    let counted = async || {
        let mut retainer = service.retainer();
        while retainer.step().await.unwrap() {}
        setup.store.tallies(1, None, 0, 1).await.unwrap().len()
    };
    setup.clock.advance_ms(limits::STATS_KEPT_MS - 180_000);
    assert_eq!(counted().await, 1);
    setup.clock.advance_ms(180_000);
    assert_eq!(counted().await, 0);
    assert_eq!(service.app_overview(owner, Span::Week).await.unwrap().stats.total.delivered, 0);
}

#[tokio::test]
async fn a_search_finds_the_newest_first_and_goes_on_where_it_stopped() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    for (kind, data) in [
        ("invoice.paid", r#"{"n":"IN_1"}"#),
        ("invoice.sent", r#"{"n":"in_2"}"#),
        ("order.made", r#"{"n":"in_1"}"#),
        ("invoice.paid", r#"{"n":"in_3"}"#),
    ] {
        service.publish(owner, publication(kind, data), None, None).await.unwrap();
    }
    let search = async |kind: Option<&str>, text: Option<&str>| {
        let search = ChangeSearch {
            kind: kind.map(str::to_owned),
            text: text.map(str::to_owned),
            ..ChangeSearch::default()
        };
        let found = service.search_changes(owner, search).await.unwrap();
        assert_eq!((found.looked_at, found.next_before), (4, None));
        assert_eq!(found.down_to, Some((1, NOON)));
        found.changes.iter().map(|change| change.seq).collect::<Vec<_>>()
    };
    assert_eq!(search(None, None).await, [4, 3, 2, 1]);
    assert_eq!(search(Some("invoice.*"), None).await, [4, 2, 1]);
    assert_eq!(search(Some("invoice.paid"), None).await, [4, 1]);
    assert_eq!(search(None, Some("in_1")).await, [3, 1]);
    assert_eq!(search(Some("order.*"), Some("in_2")).await, [0; 0]);

    let mut search = ChangeSearch { limit: Some(3), ..ChangeSearch::default() };
    let first = service.search_changes(owner, search.clone()).await.unwrap();
    search.before = first.next_before;
    let second = service.search_changes(owner, search).await.unwrap();
    let seqs = first.changes.iter().chain(&second.changes).map(|change| change.seq);
    assert_eq!(seqs.collect::<Vec<_>>(), [4, 3, 2, 1]);
    assert_eq!((first.next_before, second.next_before), (Some(2), None));

    let long = "x".repeat(limits::SEARCH_TEXT_BYTES_MAX + 1);
    for (kind, text) in [(Some("not a type"), None), (Some("*.paid"), None), (None, Some(long))] {
        let search =
            ChangeSearch { kind: kind.map(str::to_owned), text, ..ChangeSearch::default() };
        let refused = service.search_changes(owner, search).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    let other = setup.other_app("other").await;
    let found = service.search_changes(&other, ChangeSearch::default()).await.unwrap();
    assert!(found.changes.is_empty() && found.down_to.is_none());
    let account = Some(account(&setup).await);
    let foreign = ChangeSearch { account, ..ChangeSearch::default() };
    let refused = service.search_changes(&other, foreign).await;
    assert_eq!(refused, Err(Error::NotFound("account")));
}
