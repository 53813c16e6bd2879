//! What every backend of the store must do, whatever it is made of.
//!
//! A case is an `async fn case(world: &World)` that knows only the public interface of the store. It
//! runs once a backend. A further backend (PostgreSQL) joins with its constructor in
//! [`support::Backend`] and its name after `sqlite` below; no case changes.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "conformance/accounts.rs"]
mod accounts;
#[path = "conformance/cursors.rs"]
mod cursors;
#[path = "conformance/hooks.rs"]
mod hooks;
#[path = "conformance/journal.rs"]
mod journal;
#[path = "conformance/opening.rs"]
mod opening;
#[path = "conformance/publish.rs"]
mod publish;
#[path = "conformance/support.rs"]
mod support;
#[path = "conformance/tenants.rs"]
mod tenants;

macro_rules! conformance {
    ([$($backend:ident)+] $cases:tt) => {
        $(conformance!(@backend $backend $cases);)+
    };
    (@backend $backend:ident { $($file:ident: $($case:ident)+;)+ }) => {
        mod $backend {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let world = crate::support::World::new(crate::support::Backend::$backend());
                    crate::$file::$case(&world).await;
                }
            )+)+
        }
    };
}

conformance! { [sqlite] {
    journal:
        seq_is_gapless_and_visible_in_order
        a_failed_job_rolls_back_alone
        a_commit_is_announced_in_order_after_it_is_durable
        many_publishers_share_commits;
    publish:
        publish_is_idempotent_under_parallel_repetition
        a_key_belongs_to_one_request_of_one_app
        a_key_is_forgotten_after_its_time;
    cursors:
        settle_moves_cursors_only_forward
        a_current_hook_has_no_cursor_row
        parked_deliveries_come_by_due_time
        exhausted_is_visible_and_resend_makes_it_due
        skip_backlog_notes_what_was_jumped
        replay_begins_and_is_cancelled;
    hooks:
        hook_versions_apply_from_their_seq
        secrets_overlap_and_expire;
    accounts:
        mirror_rows_and_changes_commit_together
        deleting_an_account_erases_content_and_keeps_seq
        an_interrupted_erasure_is_found_again;
    tenants:
        one_app_never_sees_anothers_rows
        deleting_an_app_erases_content
        audit_rows_are_written_with_their_verb;
    opening:
        reopening_keeps_everything
        a_second_process_is_refused;
} }
