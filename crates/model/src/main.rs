//! Prints the proof: every search with its number of worlds, the shortest way to a sign-out below the bound,
//! and what the simulated sessions came to.

#![forbid(unsafe_code)]

use tenure_model::explore::explore;
use tenure_model::setting::{HeaderLess, Network, Scale, Setting};
use tenure_model::simulate::{Owner, Run, Thief};
use tenure_model::tally::{honest_sessions, thefts};

fn main() {
    for scale in [Scale::at_the_bound(1, 1), Scale::at_the_bound(1, 2), Scale::at_the_bound(2, 2)] {
        search("everything, any number of tabs", Setting::everything(scale));
    }
    let small = Scale::at_the_bound(1, 1);
    let slots =
        Setting { network: Network::Slots(4), header_less: HeaderLess::Never, ..Setting::everything(small) };
    search("everything, two tabs with two requests each", slots);
    let middle = Scale::at_the_bound(2, 2);
    search("two sessions in one jar", Setting { second_sign_in: true, ends: true, ..Setting::calm(middle) });
    let lifetime = Some(4 * small.settle);
    search("a lifetime of 4 S", Setting { lifetime, ..Setting::everything(small) });
    let short = |scale| Setting {
        jar_crashes: true,
        header_less: HeaderLess::Never,
        strikes_count: false,
        ..Setting::calm(scale)
    };
    search("S = 2F", short(Scale { settle: 4, ..middle }));
    search("S = 2F + C", short(Scale { freshness: 3, flush_lag: 2, settle: 8 }));

    println!("honest: {}", honest_sessions(0..2_500, Run::honest));
    for owner in [Owner::AlwaysOn, Owner::Human] {
        for thief in [Thief::Ordinary, Thief::HeaderLess] {
            println!("theft ({owner:?} owner, {thief:?} thief): {}", thefts(0..2_000, owner, thief));
        }
    }
}

fn search(name: &str, setting: Setting) {
    let found = explore(&setting);
    let Scale { freshness, flush_lag, settle } = setting.scale;
    println!(
        "{name} (F {freshness}, C {flush_lag}, S {settle}): {} states, {} transitions, depth {}",
        found.states, found.transitions, found.depth
    );
    for line in found.sign_out.iter().flat_map(|trace| &trace.lines) {
        println!("    {line}");
    }
}
