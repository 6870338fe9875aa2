//! Where each report of the field, and each advisory of a peer, is shown. A name that does not exist fails.
//!
//! Groups A to E and G are the server's; the others are shown in the client's own tests.

use std::collections::BTreeSet;
use std::path::Path;

/// Report and tests. A test in another crate is one of the store's contract or of the model.
const REPORTS: [(&str, &[&str]); 37] = [
    // A: concurrent use of one token.
    ("A01", &["a01_two_tabs_that_focus_together_get_one_successor"]),
    ("A02", &["a02_five_tabs_whose_timers_fire_together_make_one_change"]),
    ("A04", &["a04_a_token_lives_in_the_jar_alone_so_a_new_tab_breaks_no_old_one"]),
    ("A06", &["a06_reuse_in_one_tab_ends_that_session_alone"]),
    ("A07", &["a07_two_tabs_without_locks_both_get_the_successor"]),
    ("A08", &["a08_two_clients_on_one_page_refresh_one_after_the_other"]),
    ("A10", &["a10_sixty_four_callers_at_once_are_all_served"]),
    ("A11", &["a11_a_page_of_twelve_parallel_calls_rotates_once_and_stays_signed_in"]),
    ("A12", &["a12_five_server_side_callers_of_one_token_are_all_served"]),
    ("A14", &["a14_an_idle_tab_refreshes_from_the_shared_jar_after_another_rotated"]),
    ("A15", &["a15_two_tabs_in_the_same_20_ms_both_stay_signed_in"]),
    ("A16", &["a16_tabs_with_different_latencies_keep_every_cookie"]),
    // B: rotation that is not atomic.
    ("B01", &["b01_after_simultaneous_rotations_three_further_cycles_are_served"]),
    ("B02", &["b02_a_hundred_pairs_leave_one_row_and_one_live_pair_of_generations"]),
    (
        "B03",
        &[
            "b03_whichever_answer_lands_last_the_jar_is_good",
            "whichever_of_two_answers_lands_last_the_next_cycles_are_served",
        ],
    ),
    ("B05", &["b05_parallel_presentations_fork_nothing"]),
    // C: lost answers.
    (
        "C01",
        &[
            "c01_a_lost_answer_is_repeated_after_a_second",
            "c01_a_lost_answer_is_repeated_after_an_hour",
            "c01_a_lost_answer_is_repeated_after_five_days",
            "a_lost_answer_is_repaired_a_second_an_hour_and_five_days_later",
        ],
    ),
    ("C03", &["c03_a_kill_after_the_commit_is_survived"]),
    ("C04", &["c04_a_wifi_drop_of_ten_minutes_touches_no_session"]),
    ("C07", &["c07_an_identical_request_gets_the_same_successor"]),
    ("C08", &["c08_an_app_resumed_after_three_days_is_signed_in"]),
    // D: reuse detection that fires on honest people, and its inverse.
    ("D01", &["d01_a_tab_two_generations_behind_is_told_to_try_again_and_then_served"]),
    ("D04", &["d04_nobody_loses_a_race_between_two_refreshes"]),
    (
        "D05",
        &[
            "d05_reuse_on_one_browser_leaves_the_other_browser_signed_in",
            "a_dead_token_strikes_once_and_then_ends_its_session_and_no_other",
        ],
    ),
    (
        "D06",
        &[
            "d06_the_same_dead_request_sent_twice_within_a_second_revokes_nothing",
            "d06_a_live_request_duplicated_by_a_proxy_fifteen_seconds_later_is_served_or_refused_as_stale",
            "no_freshness_check",
        ],
    ),
    ("D08", &["d08_a_refresh_by_timer_and_one_by_401_overlap_and_the_next_cycles_are_served"]),
    ("D09", &["d09_a_thief_and_the_owner_who_both_go_on_share_one_chain_and_are_told_apart"]),
    ("D10", &["d10_replaying_a_replaced_token_every_fifty_seconds_is_refused_at_a_fixed_bound"]),
    (
        "D11",
        &["d11_an_end_that_races_refreshes_is_never_undone", "an_end_that_races_refreshes_is_never_undone"],
    ),
    // E: cookie writes and deletes that do not commute.
    (
        "E01",
        &[
            "e01_a_sign_in_while_a_refresh_of_the_earlier_session_is_under_way_harms_neither",
            "e01_a_refusal_that_lands_after_a_sign_in_deletes_only_the_ended_sessions_cookie",
            "a_sign_in_during_a_refresh_of_the_earlier_session_harms_neither",
        ],
    ),
    ("E02", &["e02_eight_parallel_calls_of_a_page_are_all_authenticated_while_one_rotates"]),
    ("E03", &["e03_the_cookies_of_other_applications_survive_every_end"]),
    (
        "E04",
        &[
            "e04_a_transient_error_of_the_loser_leaves_the_winners_cookie",
            "no_failing_refresh_touches_a_cookie_but_that_of_an_ended_session",
        ],
    ),
    ("E07", &["e07_a_refused_origin_leaves_the_cookie_and_the_session"]),
    // G: store problems read as "no session".
    (
        "G01",
        &[
            "g01_an_authentic_token_without_a_row_is_503_and_an_alarm_and_keeps_its_cookie",
            "absence_is_no_end",
        ],
    ),
    ("G02", &["g02_a_store_that_errs_is_503_and_ends_nothing"]),
    ("G04", &["g04_a_panic_is_500_for_that_request_and_the_next_try_is_served"]),
];

/// Advisories of peers, and causes of sign-outs elsewhere, that this server's routes could repeat.
const ADVISORIES: [(&str, &[&str]); 22] = [
    ("CVE-2026-53517 forked family", &["b05_parallel_presentations_fork_nothing"]),
    ("CVE-2023-22492 survives deactivation", &["a_disabled_user_is_out_at_the_next_request_and_told_why"]),
    ("CVE-2022-3916 shared computer", &["a_second_user_of_one_browser_never_becomes_the_first"]),
    ("CVE-2026-7507 fixation", &["a_planted_session_is_neither_taken_over_nor_served_after_a_sign_in"]),
    ("CVE-2025-48947 cacheable Set-Cookie", &["check_envelope"]),
    ("CVE-2026-25537 claim types", &["claims_cannot_be_changed_left_out_or_signed_by_nobody"]),
    (
        "CVE-2022-29217 key confusion",
        &["the_public_key_is_no_hmac_secret", "headers_that_name_another_algorithm_or_key_are_refused"],
    ),
    (
        "CVE-2026-27840 truncated tokens",
        &["a_bit_flipped_or_a_cut_in_the_value_is_not_found_and_ends_nothing"],
    ),
    ("GHSA-xqxv-4jc2-x56x other deployment", &["a_session_of_another_server_is_none_here"]),
    ("CVE-2023-49097 forwarded host", &["host_and_forwarded_headers_change_no_answer"]),
    (
        "CVE-2023-47111 parallel guesses",
        &["of_two_hundred_guesses_at_once_no_more_than_the_limit_are_looked_at"],
    ),
    (
        "GHSA-7rqj-j65f-68wh look-alikes",
        &[
            "twins_are_one_account_and_look_alikes_are_not",
            "what_is_no_address_is_refused_and_not_repeated_back",
        ],
    ),
    ("GHSA-xmf8-cvqr-rfgj malformed header", &["malformed_authorization_headers_are_401"]),
    (
        "GHSA-8fpg-xm3f-6cx3 fails open",
        &["a_production_start_without_what_it_needs_is_2_with_a_line_for_each"],
    ),
    ("CVE-2026-46689 deep nesting", &["what_is_not_json_is_400"]),
    ("CVE-2025-53942 disabled at sign-in", &["a_sign_in_that_races_a_disabling_is_refused"]),
    ("C16 damaged row", &["c16_a_damaged_row_concerns_its_session_alone_and_heals_when_restored"]),
    ("C37 panic", &["a_panic_at_every_verb_of_every_route_leaves_the_server_and_the_session_standing"]),
    ("C38 database failure", &["a_closed_store_is_503_for_everything_but_what_needs_none"]),
    ("C42 secret missing", &["a_token_under_a_master_secret_that_is_not_there_is_503"]),
    ("C43 rate limits", &["c43_many_people_behind_one_address_are_never_in_each_others_way"]),
    ("M01 restart", &["a_restart_signs_nobody_out_and_keeps_the_signing_key"]),
];

/// Every function of this repository's tests, by name.
fn functions() -> BTreeSet<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut functions = BTreeSet::new();
    for folder in ["server/tests", "store/tests", "model/tests"] {
        collect(&crates.join(folder), &mut functions);
    }
    functions
}

fn collect(folder: &Path, functions: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, functions);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let named = text.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
            functions.extend(named.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_report_of_groups_a_to_e_and_g_names_tests_that_exist() {
    let functions = functions();
    for (report, tests) in REPORTS.iter().chain(&ADVISORIES) {
        assert!(!tests.is_empty(), "{report}");
        for test in *tests {
            assert!(functions.contains(*test), "{report}: there is no test {test}");
        }
    }
    let groups: Vec<_> = REPORTS.iter().map(|(report, _)| &report[..1]).collect();
    let count = |group: &str| groups.iter().filter(|of| **of == group).count();
    assert_eq!(["A", "B", "C", "D", "E", "G"].map(count), [12, 4, 5, 8, 5, 3]);
}

#[test]
fn every_test_that_carries_a_reports_id_is_in_the_table() {
    let listed: BTreeSet<_> = REPORTS
        .iter()
        .flat_map(|(id, tests)| tests.iter().map(move |test| (id.to_lowercase(), *test)))
        .collect();
    for function in functions() {
        let id = function.split('_').next().unwrap_or_default().to_owned();
        let is_id = id.len() == 3
            && id.starts_with(['a', 'b', 'c', 'd', 'e', 'g'])
            && id[1..].bytes().all(|b| b.is_ascii_digit());
        let of_the_ledger = matches!(id.as_str(), "c16" | "c43");
        if is_id && !of_the_ledger {
            assert!(listed.contains(&(id, function.as_str())), "{function} is in no row");
        }
    }
}
