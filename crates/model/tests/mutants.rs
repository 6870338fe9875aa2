//! Each seeded fault must be found, with a trace that ends as expected. The checker is tested, not the rule.

use tenure_model::explore::explore;
use tenure_model::mutant::Mutant;
use tenure_model::setting::{HeaderLess, Scale, Setting};

const SCALE: Scale = Scale::at_the_bound(2, 2);
const CALM: Setting = Setting { header_less: HeaderLess::Never, ..Setting::calm(SCALE) };

fn finds(mutant: Mutant, setting: Setting, ending: &str) {
    let sound = explore(&setting);
    assert!(sound.sign_out.is_none(), "the sound protocol fails where {mutant:?} is to be found");
    let found = explore(&setting.seeded_with(mutant));
    let trace = found.sign_out.unwrap_or_else(|| panic!("{mutant:?} was not found"));
    println!("{mutant:?}, after {} states:\n{}\n", found.states, trace.lines.join("\n"));
    let last = trace.lines.last().map_or("", String::as_str);
    assert!(last.contains(ending), "{mutant:?} ends with: {last}");
}

#[test]
fn no_freshness_check() {
    finds(Mutant::NoFreshnessCheck, CALM, "SIGNED OUT (I1): the jar holds");
}

#[test]
fn base_dies_as_soon_as_head_is_presented() {
    finds(Mutant::BaseDiesWithHeadPresented, CALM, "SIGNED OUT (I1): the jar holds");
}

#[test]
fn base_dies_by_time_alone() {
    finds(Mutant::BaseDiesByTimeAlone, CALM, "SIGNED OUT (I1): the jar holds");
}

#[test]
fn presenting_base_again_always_mints() {
    finds(Mutant::BaseAlwaysMints, CALM, "SIGNED OUT (I1): the jar holds");
}

/// The rule as it was before the model saw it.
#[test]
fn presenting_base_keeps_the_clock_of_a_head_that_was_seen() {
    let crash = Setting { jar_crashes: true, ..CALM };
    finds(Mutant::SeenHeadKeepsItsClock, crash, "SIGNED OUT (I1): the jar holds");
}

#[test]
fn one_cookie_name_for_all_sessions() {
    let two = Setting { second_sign_in: true, ..CALM };
    finds(Mutant::OneCookieName, two, "the cookie of session 2 is gone");
}

#[test]
fn a_failure_clears_the_cookies() {
    finds(Mutant::FailureClearsCookies, CALM, "the cookie of session 1 is gone");
}

#[test]
fn rotation_extends_the_expiry() {
    let mortal = Setting { lifetime: Some(3 * SCALE.settle), ..CALM };
    finds(Mutant::RotationExtendsExpiry, mortal, "EXPIRY MOVED");
}

#[test]
fn a_token_ahead_of_the_row_revives_an_ended_session() {
    let ends = Setting { ends: true, commit_losses: true, ..CALM };
    finds(Mutant::AheadRevivesEnded, ends, "REVIVED (I3)");
}

#[test]
fn absence_of_a_row_is_read_as_an_end() {
    finds(Mutant::AbsenceIsAnEnd, CALM, "the cookie of session 1 is gone");
}

#[test]
fn a_store_forgets_that_it_crashed() {
    let losses = Setting { commit_losses: true, ..CALM };
    finds(Mutant::StoreForgetsItCrashed, losses, "SIGNED OUT (I1): the jar holds");
}

/// What the rule does for a lost commit: without it, a generation that a late answer brought back would die.
#[test]
fn what_lies_between_dies_after_a_healed_commit() {
    let losses = Setting { commit_losses: true, ..CALM };
    finds(Mutant::HealedCommitForgetsBetween, losses, "SIGNED OUT (I1): the jar holds");
}
