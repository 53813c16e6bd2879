use tidings_core::hook::Grouping;

use super::*;
use crate::testing::change_with;

/// A change of account `account` that was recorded at `at` ms.
fn change(seq: u64, at: i64, account: i64) -> Arc<Change> {
    change_with(seq, |change| {
        change.recorded_at = Timestamp(at);
        change.new.subject.account_no = Some(account);
    })
}

fn rule() -> Coalesce {
    Coalesce { window_ms: 100, ..Coalesce::default() }
}

/// The seqs of the groups that go out at `now`.
fn sent(windows: &mut Windows, now: i64) -> Vec<Vec<u64>> {
    let mut groups = Vec::new();
    while let Some(seq) = windows.next(Timestamp(now), false) {
        let group = windows.take(seq).unwrap();
        groups.push(group.changes.iter().map(|change| change.seq).collect());
    }
    groups
}

#[test]
fn a_window_closes_when_it_is_quiet_or_has_waited_long_enough() {
    for (max_wait_ms, recorded, due) in [
        (0, vec![0, 50, 90], 100),
        (250, vec![0, 50, 90], 190),
        (250, vec![0, 90, 180], 250),
        (0, vec![1_000_000], 1_000_100),
    ] {
        let rule = Coalesce { max_wait_ms, ..rule() };
        let mut windows = Windows::default();
        for (seq, &at) in (1..).zip(&recorded) {
            windows.join(change(seq, at, 1), &rule);
        }
        assert_eq!(windows.next_due(), Some(Timestamp(due)));
        assert_eq!(windows.next(Timestamp(due - 1), false), None);
        let all: Vec<u64> = (1..=recorded.len() as u64).collect();
        assert_eq!(sent(&mut windows, due), [all]);
        assert_eq!((windows.held(), windows.next_due()), (0, None));
    }
}

#[test]
fn a_delay_counts_from_the_first_change_also_for_a_full_group() {
    let rule = Coalesce { delay_ms: 500, batch_max: 2, ..Coalesce::default() };
    let mut windows = Windows::default();
    for seq in 1..=3 {
        windows.join(change(seq, 0, 1), &rule);
    }
    assert_eq!(sent(&mut windows, 499), [[0; 0]; 0]);
    assert_eq!(sent(&mut windows, 500), [vec![1, 2], vec![3]]);
}

#[test]
fn groups_are_bounded_by_count_bytes_and_span_and_follow_one_another() {
    let few = Coalesce { batch_max: 2, ..rule() };
    let small = Coalesce { batch_bytes_max: 5, ..rule() };
    for (rule, seqs, groups) in [
        (few, vec![1, 2, 3], vec![vec![1, 2], vec![3]]),
        // The body of each is `{}`.
        (small, vec![1, 2, 3], vec![vec![1, 2], vec![3]]),
        (
            rule(),
            vec![1, limits::GROUP_SPAN, limits::GROUP_SPAN + 1],
            vec![vec![1, limits::GROUP_SPAN], vec![limits::GROUP_SPAN + 1]],
        ),
    ] {
        let mut windows = Windows::default();
        for seq in seqs {
            windows.join(change(seq, 0, 1), &rule);
        }
        assert_eq!(sent(&mut windows, 100), groups);
    }
}

#[test]
fn groups_of_different_keys_are_due_on_their_own() {
    let rule = Coalesce { group: Grouping::Account, ..rule() };
    let mut windows = Windows::default();
    for (seq, at, account) in [(1, 0, 1), (2, 20, 2), (3, 20, 1), (4, 25, 2)] {
        windows.join(change(seq, at, account), &rule);
    }
    assert_eq!(windows.first_seq(), Some(1));
    assert_eq!(sent(&mut windows, 100), [vec![1, 3]]);
    assert_eq!(windows.first_seq(), Some(2));
    assert!(windows.has_before("account 2", 3) && !windows.has_before("account 2", 2));
    assert_eq!(sent(&mut windows, 120), [vec![2, 4]]);
}

#[test]
fn a_group_that_is_put_back_keeps_its_members() {
    let mut windows = Windows::default();
    for seq in 1..=3 {
        windows.join(change(seq, 0, 1), &rule());
    }
    let group = windows.take(1).unwrap();
    windows.join(change(4, 10, 1), &rule());
    windows.put_back(&group.members(), &group.changes);
    windows.join(change(5, 20, 1), &rule());
    assert_eq!(sent(&mut windows, 120), [vec![1, 2, 3], vec![4, 5]]);
}

#[test]
fn a_range_does_not_reach_over_what_was_settled_before() {
    let mut windows = Windows::default();
    windows.join(change(1, 0, 1), &rule());
    windows.close("all");
    windows.join(change(9, 0, 1), &rule());
    assert_eq!(sent(&mut windows, 100), [vec![1], vec![9]]);
}
