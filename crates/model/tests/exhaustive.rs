//! Every world that protocol.md section 5 allows, visited. Prints how many there were (`--nocapture`).

use tenure_model::explore::{Explored, explore};
use tenure_model::setting::{HeaderLess, Network, Scale, Setting};

fn holds(name: &str, setting: Setting) {
    let found = explore(&setting);
    report(name, &setting, &found);
    if let Some(trace) = found.sign_out {
        panic!("{name}:\n{}", trace.lines.join("\n"));
    }
}

fn is_broken(name: &str, setting: Setting) {
    let found = explore(&Setting { strikes_count: false, ..setting });
    report(name, &setting, &found);
    let trace = found.sign_out.unwrap_or_else(|| panic!("{name}: the checker finds no sign-out"));
    println!("{}", trace.lines.join("\n"));
}

fn report(name: &str, setting: &Setting, found: &Explored) {
    let Scale { freshness, flush_lag, settle } = setting.scale;
    println!(
        "{name} (F {freshness}, C {flush_lag}, S {settle}): {} states, {} transitions, depth {}",
        found.states, found.transitions, found.depth
    );
}

/// I1-I4 for any number of tabs, requests, losses, duplicates, delays and reorderings; crashes of the browser
/// as often as H3 allows, lost commits as often as H5 allows, restarts of the store and ends at any time.
#[test]
fn an_honest_browser_is_never_signed_out_by_anything_the_assumptions_allow() {
    for scale in [Scale::at_the_bound(1, 1), Scale::at_the_bound(1, 2), Scale::at_the_bound(2, 2)] {
        holds("everything, any number of tabs", Setting::everything(scale));
    }
}

/// The same with what the crowd's argument merges spelled out message by message: two tabs with two requests
/// each.
#[test]
fn counted_requests_of_two_tabs_find_nothing_that_the_crowd_does_not() {
    let slots = |slots| Setting {
        network: Network::Slots(slots),
        header_less: HeaderLess::Never,
        ..Setting::everything(Scale::at_the_bound(1, 1))
    };
    holds("everything, two tabs with two requests each", slots(4));
}

#[test]
fn a_sign_in_during_a_refresh_of_the_earlier_session_harms_neither() {
    for scale in [Scale::at_the_bound(1, 1), Scale::at_the_bound(2, 2)] {
        let calm = Setting { second_sign_in: true, ends: true, ..Setting::calm(scale) };
        holds("two sessions in one jar", calm);
    }
}

#[test]
fn a_session_with_a_lifetime_ends_on_time_and_once() {
    let scale = Scale::at_the_bound(1, 2);
    let setting = Setting { lifetime: Some(4 * scale.settle), ..Setting::everything(scale) };
    holds("a lifetime of 4 S", setting);
}

/// The bound is 3F + C; of the last tick each of two strict inequalities ("before the mint", "less than C
/// ago") takes one. 2F + C, which the protocol first had, is the third of these.
#[test]
fn with_a_settle_time_below_the_bound_the_sign_out_is_found() {
    let with_settle = |freshness, flush_lag, settle| Setting {
        header_less: HeaderLess::Never,
        jar_crashes: true,
        ..Setting::calm(Scale { freshness, flush_lag, settle })
    };
    is_broken("S = 2F", with_settle(2, 2, 4));
    is_broken("S < 2F", with_settle(2, 2, 3));
    is_broken("S = 2F + C", with_settle(3, 2, 2 * 3 + 2));
    is_broken("S = 3F + C - 2", with_settle(3, 2, 3 * 3 + 2 - 2));
    holds("S = 3F + C - 1", with_settle(3, 2, 3 * 3 + 2 - 1));
    let calm = with_settle(2, 2, 4);
    is_broken("S = 2F, and nothing crashes", Setting { jar_crashes: false, ..calm });
}

/// Where the promise stops. The server cannot see the age of a request without `Tenure-Sent-At`; H2 has to be
/// true of it by itself.
#[test]
fn a_request_without_the_header_that_arrives_after_any_time_can_sign_out() {
    let calm = Setting::calm(Scale::at_the_bound(2, 2));
    is_broken("header-less stragglers of any age", Setting { header_less: HeaderLess::AnyAge, ..calm });
    holds("header-less requests that keep H2", calm);
}
