use tidings_core::id::HookId;
use tidings_service::{
    Error, LedgerLine, LedgerQuery, LedgerState, NewReplay, PageInput, ReplayFrom,
};

use crate::deliveries::settled;
use crate::setup::{Setup, new_hook, publication};

/// Three changes that were settled, and one that the hook does not select.
async fn furnished() -> (Setup, HookId) {
    let setup = settled().await;
    let (service, owner) = (&setup.service, &setup.owner);
    service.publish(owner, publication("other.thing", "1"), None, None).await.unwrap();
    let hook = service.hooks(owner, &PageInput::default()).await.unwrap().items[0].id;
    (setup, hook)
}

/// All lines, read in pages of `limit`.
async fn lines(setup: &Setup, hook: HookId, query: LedgerQuery, limit: u32) -> Vec<LedgerLine> {
    let mut page = PageInput { cursor: None, limit: Some(limit) };
    let mut lines = Vec::new();
    loop {
        let found = setup.service.ledger(&setup.owner, hook, query, &page).await.unwrap();
        lines.extend(found.items);
        let Some(next) = found.next else { return lines };
        page.cursor = Some(next);
    }
}

#[tokio::test]
async fn every_change_has_a_line_and_counts_and_export_agree_with_them() {
    use LedgerState::{Delivered, Exhausted, Filtered, Parked};
    let (setup, hook) = furnished().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let states = [(1, Delivered), (2, Parked), (3, Exhausted), (4, Filtered)];
    let states_of =
        |lines: &[LedgerLine]| lines.iter().map(|line| (line.seq, line.state)).collect::<Vec<_>>();
    for (from, to, state, expected) in [
        (None, None, None, &states[..]),
        (Some(2), Some(3), None, &states[1..3]),
        (Some(1), Some(99), Some(Exhausted), &states[2..3]),
        (Some(5), None, None, &[]),
    ] {
        let query = LedgerQuery { from, to, state };
        let all = lines(&setup, hook, query, 1).await;
        assert_eq!(states_of(&all), expected, "{query:?}");
        assert_eq!(lines(&setup, hook, query, 1_000).await, all);
        let mut export = service.export_ledger(owner, hook, query).await.unwrap();
        let mut exported = Vec::new();
        while let Some(more) = export.next().await.unwrap() {
            exported.extend(more);
        }
        assert_eq!(exported, all);
        let summary = service.ledger_summary(owner, hook, LedgerQuery { state: None, ..query });
        let summary = summary.await.unwrap();
        assert_eq!(summary.counts, export.summary().counts, "{query:?}");
        assert_eq!(summary.counts.total(), (summary.to + 1).saturating_sub(summary.from));
    }
    let all = lines(&setup, hook, LedgerQuery::default(), 50).await;
    let deliveries: Vec<_> = all.iter().map(|line| line.delivery.is_some()).collect();
    assert_eq!(deliveries, [true, true, true, false]);
    let found = service.delivery(owner, all[0].delivery.unwrap()).await.unwrap();
    assert_eq!((found.hook, found.first_seq), (hook, 1));
    assert_eq!(service.attempts(owner, found.id).await.unwrap()[0].id, all[0].attempt.unwrap().id);

    for (from, to) in [(Some(0), None), (Some(3), Some(2)), (None, Some(0))] {
        let query = LedgerQuery { from, to, state: None };
        let refused = service.ledger(owner, hook, query, &PageInput::default()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{query:?}");
        assert!(service.ledger_summary(owner, hook, query).await.is_err(), "{query:?}");
        assert!(service.export_ledger(owner, hook, query).await.is_err(), "{query:?}");
    }
}

#[tokio::test]
async fn a_replay_is_narrowed_down_goes_into_another_hook_and_is_checked() {
    let (setup, hook) = furnished().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let target = service.create_hook(owner, new_hook()).await.unwrap().hook.id;
    let all = NewReplay { into: Some(target), ..NewReplay::since(ReplayFrom::Seq(1)) };
    for (input, total) in [
        (all.clone(), 3),
        (NewReplay { states: vec![LedgerState::Exhausted], ..all.clone() }, 1),
        (NewReplay { types: vec!["invoice.*".into()], ..all.clone() }, 3),
        (NewReplay { types: vec!["other.*".into()], ..all.clone() }, 0),
        (NewReplay { from: ReplayFrom::Seq(3), rate: Some(5), ..all.clone() }, 1),
    ] {
        assert_eq!(service.count_replay(owner, hook, input.clone()).await.unwrap(), total);
        let replay = service.create_replay(owner, hook, input.clone()).await.unwrap();
        assert_eq!((replay.hook, replay.source, replay.total), (target, Some(hook), Some(total)));
        let same = (replay.types.clone(), replay.states.clone(), replay.rate);
        assert_eq!(same, (input.types, input.states, input.rate));
        assert_eq!(service.replay(owner, target, replay.id).await.unwrap(), replay);
        let of_source = service.replay(owner, hook, replay.id).await;
        assert_eq!(of_source.err(), Some(Error::NotFound("replay")));
    }
    assert_eq!(service.replays(owner, target).await.unwrap().len(), 5);
    for bad in [
        NewReplay { states: vec![LedgerState::Filtered], ..all.clone() },
        NewReplay { types: vec!["a b".into()], ..all.clone() },
        NewReplay { types: vec!["a.b".into(); 51], ..all.clone() },
        NewReplay { rate: Some(0), ..all.clone() },
        NewReplay { rate: Some(10_001), ..all.clone() },
    ] {
        let refused = service.create_replay(owner, hook, bad.clone()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad:?}");
        let refused = service.count_replay(owner, hook, bad.clone()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad:?}");
    }
    service.disable_hook(owner, target).await.unwrap();
    let refused = service.create_replay(owner, hook, all).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
}
