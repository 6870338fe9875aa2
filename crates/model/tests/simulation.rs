//! Twenty days at real constants, thousands of times. Run with `--nocapture` for the numbers.

use std::time::Duration;

use tenure_model::simulate::{Owner, Run, Thief, simulate};
use tenure_model::tally::{Detection, honest_sessions, thefts};

/// Raise it (or start elsewhere) for a longer search; a seed that fails repeats exactly.
const SEEDS: std::ops::Range<u64> = 0..2_500;

#[test]
fn no_honest_session_is_signed_out_in_twenty_days() {
    let total = honest_sessions(SEEDS, Run::honest);
    println!("{total}");
    assert!(total.sign_outs.is_empty(), "(seed, how): {:#?}", total.sign_outs);
    assert_eq!(total.sessions, 2_500);
    assert!(total.sum.presentations >= 2_000_000);
    assert!(total.sum.jar_crashes > 10_000 && total.sum.lost_commits > 1_000, "too calm to mean much");
}

/// The simulator is tested like the model: it must find what is there.
#[test]
fn with_a_settle_time_far_too_short_the_simulator_finds_sign_outs() {
    let total = honest_sessions(0..200, |seed| Run { settle: Duration::from_secs(5), ..Run::honest(seed) });
    println!("S = 5 s: {total}");
    assert!(!total.sign_outs.is_empty());
}

/// Where the promise stops: a clock that was set ahead by a minute or two, and a straggler just as late, look
/// like a young request. So a client forgets its offset when its clocks disagree, and asks first.
#[test]
fn a_client_that_trusts_a_clock_that_was_set_can_be_signed_out() {
    let total = honest_sessions(SEEDS, |seed| Run { trusts_its_clock: true, ..Run::honest(seed) });
    println!("clients that trust their clock: {total}");
    assert!(!total.sign_outs.is_empty());
}

#[test]
fn a_run_is_determined_by_its_seed() {
    let run = Run { thief: Some(Thief::Ordinary), ..Run::honest(7) };
    assert_eq!(format!("{:?}", simulate(run)), format!("{:?}", simulate(run)));
}

#[test]
fn a_thief_who_copied_the_jar_once_is_always_detected() {
    for owner in [Owner::AlwaysOn, Owner::Human] {
        for thief in [Thief::Ordinary, Thief::HeaderLess] {
            let total: Detection = thefts(0..2_000, owner, thief);
            println!("{owner:?} owner, {thief:?} thief: {total}");
            assert!(total.runs == 2_000 && total.owners_gone < 20);
            assert_eq!((total.never_struck, total.never_ended), (vec![], vec![]), "seeds");
        }
    }
}
