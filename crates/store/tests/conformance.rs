//! What every backend of the store must do, whatever it is made of.
//!
//! A case is an `async fn case(world: &World)` that knows only the public interface of the store. It
//! runs once a backend, each named by its constructor in [`support::Backend`].
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "conformance/access.rs"]
mod access;
#[path = "conformance/accounts.rs"]
mod accounts;
#[path = "conformance/audit.rs"]
mod audit;
#[path = "conformance/connecting.rs"]
mod connecting;
#[path = "conformance/cursors.rs"]
mod cursors;
#[path = "conformance/deliveries.rs"]
mod deliveries;
#[path = "conformance/event_types.rs"]
mod event_types;
#[path = "conformance/finding.rs"]
mod finding;
#[path = "conformance/gauges.rs"]
mod gauges;
#[path = "conformance/grants.rs"]
mod grants;
#[path = "conformance/histories.rs"]
mod histories;
#[path = "conformance/hooks.rs"]
mod hooks;
#[path = "conformance/journal.rs"]
mod journal;
#[path = "conformance/ledger.rs"]
mod ledger;
#[path = "conformance/opening.rs"]
mod opening;
#[path = "conformance/operators.rs"]
mod operators;
#[path = "conformance/publish.rs"]
mod publish;
#[path = "conformance/record_jobs.rs"]
mod record_jobs;
#[path = "conformance/records.rs"]
mod records;
#[path = "conformance/retention.rs"]
mod retention;
#[path = "conformance/stats.rs"]
mod stats;
#[path = "conformance/support.rs"]
mod support;
#[path = "conformance/syncing.rs"]
mod syncing;
#[path = "conformance/tenants.rs"]
mod tenants;
#[path = "conformance/users.rs"]
mod users;
#[path = "conformance/watching.rs"]
mod watching;
#[path = "conformance/writing.rs"]
mod writing;

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

conformance! { [sqlite postgres] {
    journal:
        seq_is_gapless_and_visible_in_order
        numbers_follow_commits_on_several_apps_whoever_appends
        a_failed_job_rolls_back_alone
        a_commit_is_announced_in_order_after_it_is_durable
        many_publishers_share_commits
        a_time_finds_its_place_in_the_journal
        no_character_keeps_a_change_out;
    publish:
        publish_is_idempotent_under_parallel_repetition
        a_key_belongs_to_one_request_of_one_app
        a_key_is_forgotten_after_its_time;
    cursors:
        settle_moves_cursors_only_forward
        a_current_hook_has_no_cursor_row
        parked_deliveries_come_by_due_time
        what_follows_an_order_is_read_apart
        a_settle_enables_and_remembers_what_was_told
        exhausted_is_visible_and_resend_makes_it_due
        what_was_parked_after_now_is_due_at_once
        skip_backlog_notes_what_was_jumped
        replay_begins_and_is_cancelled;
    deliveries:
        deliveries_are_listed_by_status;
    gauges:
        gauges_say_how_the_installation_stands;
    ledger:
        the_ledger_knows_every_state
        a_ledger_judges_by_the_version_in_force
        an_echo_is_filtered_unless_it_is_asked_for
        the_members_of_a_range_count_once_each
        what_is_trimmed_is_gone_and_counts_as_filtered_unless_it_was_summed
        a_replay_takes_what_it_was_asked_for
        what_a_replay_delivers_is_no_longer_given_up;
    histories:
        counts_add_up_and_each_state_is_right_after_any_history;
    stats:
        minutes_add_up_by_hook_and_by_app
        old_minutes_are_forgotten_in_bounded_commits
        what_hooks_owe_and_what_is_in_trouble_is_known
        how_far_accounts_are_synced_is_known
        a_search_goes_back_from_the_newest_and_says_how_far_it_looked;
    event_types:
        an_event_type_is_written_replaced_and_removed
        an_app_says_how_strictly_it_is_validated;
    retention:
        old_changes_go_in_bounded_commits_and_seq_stays_gapless
        a_hook_that_lags_is_passed_over_visibly
        a_range_stays_until_its_last_change_goes
        a_journal_that_is_too_large_is_trimmed_before_its_time
        attempts_go_by_their_own_age
        the_journal_of_a_deleted_app_goes_too;
    hooks:
        hook_versions_apply_from_their_seq
        what_leaves_a_hook_leaves_it_from_the_next_change_on
        secrets_overlap_and_expire
        hooks_are_found_by_app_and_user;
    finding:
        hooks_are_found_by_what_they_are_like
        runs_are_the_last_attempts_without_test_events
        a_start_is_appended_to_each_app_that_is_there
        what_waits_for_its_retry_is_given_up_when_it_is_to_be_forgotten;
    access:
        an_access_is_replaced_and_taken_away
        a_hook_may_begin_disabled
        signing_keys_overlap_and_expire;
    accounts:
        mirror_rows_and_changes_commit_together
        deleting_an_account_erases_content_and_keeps_seq
        an_interrupted_erasure_is_found_again;
    syncing:
        a_wake_up_during_a_pass_stays_due
        an_account_changes_its_state_once
        the_mirror_is_read_in_order_of_bytes
        a_deleted_calendar_is_erased_and_may_come_back
        ids_and_store_keys_lead_to_each_other;
    record_jobs:
        a_bulk_job_is_seen_all_at_once
        what_a_job_wrote_is_modified_when_it_is_shown
        many_are_staged_with_keys_that_come_twice
        a_complete_job_deletes_what_nobody_listed_or_wrote
        a_write_during_a_job_is_not_lost
        an_abandoned_job_is_never_seen_and_a_new_one_works;
    records:
        a_record_account_is_one_per_external_id
        a_write_is_seen_at_once_with_what_it_announces
        a_record_is_written_only_as_expected
        pages_by_ordinal_are_exact
        records_are_read_by_start_and_by_last_change
        a_page_ends_with_the_record_that_fills_it
        what_is_changed_meanwhile_leaves_no_gap
        records_of_a_deleted_account_are_erased_in_steps
        a_deleted_apps_records_are_erased;
    grants:
        a_grant_is_kept_with_its_details_and_announced
        what_a_token_made_ends_with_it_and_so_do_their_hooks
        a_token_is_taken_by_one_of_many
        a_session_lasts_while_it_is_used
        a_session_ends_with_what_made_it
        what_is_much_ends_in_several_commits_and_is_told_once
        grants_are_listed_by_kind_and_user
        a_refresh_token_is_traded_in_one_commit_while_it_works
        tokens_that_ended_long_ago_are_swept_from_the_leaves;
    users:
        a_user_is_created_once_per_name_and_told
        a_user_is_updated_only_while_it_is_as_expected
        users_without_a_name_are_many_and_cannot_be_guessed
        a_deleted_user_takes_tokens_and_hooks_along_and_frees_the_name
        a_user_with_many_hooks_is_deleted_in_several_commits
        a_nameless_users_record_account_shows_no_name
        a_person_is_an_app_and_its_user_or_neither
        an_app_keeps_its_settings;
    connecting:
        an_oauth_state_is_used_once_and_expires
        an_identity_is_one_account_of_an_end_user
        of_two_who_refresh_a_token_the_second_is_told
        erasing_an_account_erases_its_secrets;
    watching:
        a_subscription_is_there_before_its_provider_is_asked
        a_push_raises_generations_and_is_announced
        a_push_during_a_pull_leaves_the_calendar_dirty
        renewal_overlaps_and_the_old_channel_counts_until_it_ended
        what_cannot_be_watched_says_why_and_is_left_alone
        deleting_a_collection_has_its_subscriptions_stopped
        an_inactive_account_is_not_watched_until_it_is_connected_again
        what_ended_long_ago_is_swept;
    writing:
        events_are_read_by_range
        an_item_is_found_by_key_by_series_and_anywhere
        a_create_is_claimed_once_and_repeats_its_item
        what_a_write_replaced_is_remembered_for_a_while;
    audit:
        an_untouched_log_is_as_it_was_written_also_while_it_grows
        whatever_is_tampered_with_is_found
        lines_from_before_the_chain_are_counted_apart
        a_chain_goes_on_after_its_app_was_deleted_and_by_the_next_process;
    operators:
        an_operator_is_created_once_per_address_and_found_by_it
        an_owner_who_can_sign_in_is_always_left
        the_first_operator_is_made_once_by_the_newest_link
        a_session_is_found_by_its_token_until_it_ends
        sessions_end_with_their_operator_and_of_too_many_the_oldest
        a_code_works_once_and_only_forward;
    tenants:
        one_app_never_sees_anothers_rows
        deleting_an_app_erases_content
        audit_rows_are_written_with_their_verb
        an_external_id_belongs_to_one_app
        owner_keys_are_apart_from_those_of_apps;
    opening:
        reopening_keeps_everything
        a_second_process_is_refused;
} }
