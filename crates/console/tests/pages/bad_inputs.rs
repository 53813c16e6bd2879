//! The hostile cases of `bad-inputs.json` that concern the console: each is answered by the test that is named
//! beside it, and none is forgotten.

use std::collections::BTreeSet;

use serde_json::Value;

const CASES: &str = include_str!("../../../core/tests/data/bad-inputs.json");

/// A case of the console and the file and name of the test that plays it.
const PLAYED: &[(&str, &str)] = &[
    ("console-oauth-001", "asvs_3_5_3_forms_of_other_sites_are_refused_even_with_the_token"),
    ("console-oauth-003", "asvs_3_5_3_forms_of_other_sites_are_refused_even_with_the_token"),
    ("console-oauth-004", "asvs_3_5_3_forms_of_other_sites_are_refused_even_with_the_token"),
    ("console-oauth-006", "nothing_is_changed_by_reading"),
    ("console-oauth-007", "asvs_3_5_1_no_route_takes_a_post_without_the_token_of_this_session"),
    ("console-oauth-008", "asvs_7_2_4_a_sign_in_has_a_session_of_its_own_and_a_sign_out_ends_it"),
    ("console-oauth-010", "asvs_7_2_4_a_sign_in_has_a_session_of_its_own_and_a_sign_out_ends_it"),
    ("console-oauth-011", "asvs_7_4_3_a_new_password_ends_the_other_sessions"),
    ("console-oauth-012", "asvs_7_3_sessions_end_when_idle_and_after_half_a_day"),
    ("console-oauth-013", "asvs_7_3_sessions_end_when_idle_and_after_half_a_day"),
    ("console-oauth-014", "asvs_3_3_by_https_only_host_cookies_are_set_and_read"),
    ("console-oauth-015", "asvs_6_3_1_guessing_is_slowed_down_and_nobody_is_locked_out_for_ever"),
    ("console-oauth-016", "asvs_6_3_1_trying_one_password_on_many_is_slowed_down_by_address"),
    ("console-oauth-019", "a_password_of_a_mebibyte_is_refused_before_it_is_hashed"),
    ("console-oauth-021", "a_setup_link_makes_one_owner_and_no_second_one"),
    ("console-oauth-026", "whoever_is_signed_out_signs_in_and_comes_back_to_pages_of_ours_only"),
    ("console-oauth-028", "whoever_is_signed_out_signs_in_and_comes_back_to_pages_of_ours_only"),
    ("console-oauth-029", "whoever_is_signed_out_signs_in_and_comes_back_to_pages_of_ours_only"),
    ("console-oauth-032", "asvs_1_2_1_what_was_typed_is_text_on_every_page"),
    ("console-oauth-034", "asvs_1_2_1_what_was_typed_is_text_on_every_page"),
    ("console-oauth-037", "a_secret_is_in_no_list"),
];

/// Cases of the category that are nobody's here: there are no reset tokens and no exports of tables; panics are
/// the binary's; the rest is consent at providers (crates/service/tests, crates/engine/tests).
const ELSEWHERE: &[&str] = &[
    "024", "025", "035", "039", "041", "042", "043", "044", "046", "048", "049", "050", "051",
    "052", "053", "054", "055", "056", "057", "059",
];

#[test]
fn every_case_of_the_console_is_played_by_a_test() {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let ids: BTreeSet<_> = cases
        .iter()
        .filter(|case| case["category"] == "console-oauth")
        .map(|case| case["id"].as_str().unwrap().to_owned())
        .collect();
    let played = PLAYED.iter().map(|(id, _)| (*id).to_owned());
    let elsewhere = ELSEWHERE.iter().map(|number| format!("console-oauth-{number}"));
    assert_eq!(played.chain(elsewhere).collect::<BTreeSet<_>>(), ids);
    let tests = [
        include_str!("door.rs"),
        include_str!("escaping.rs"),
        include_str!("forms.rs"),
        include_str!("headers.rs"),
        include_str!("keys.rs"),
    ]
    .concat();
    for (id, test) in PLAYED {
        assert!(tests.contains(&format!("async fn {test}()")), "{id}: there is no test {test}");
    }
}
