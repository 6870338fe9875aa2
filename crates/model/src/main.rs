use std::time::Instant;
use tenure_model::explore::explore;
use tenure_model::mutant::Mutant;
use tenure_model::setting::*;
fn show(name: &str, s: Setting) {
    let t = Instant::now();
    let e = explore(&s);
    println!("{name}: {} states {} transitions depth {} {:?}", e.states, e.transitions, e.depth, t.elapsed());
    if let Some(t) = e.sign_out {
        for l in t.lines {
            println!("   {l}");
        }
    }
}
fn main() {
    let n: Vec<u8> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let sc = Scale::at_the_bound(n[0], n[1]);
    if n[2] == 0 {
        show("everything", Setting::everything(sc));
        show("no ends", Setting { ends: false, ..Setting::everything(sc) });
    }
    if n[2] == 1 {
        let calm = Setting::calm(sc);
        show(
            "one less than bound",
            Setting {
                scale: Scale { settle: sc.settle - 2, ..sc },
                strikes_count: false,
                jar_crashes: true,
                header_less: HeaderLess::Never,
                ..calm
            },
        );
        show(
            "S=2F",
            Setting {
                scale: Scale { settle: 2 * n[0], ..sc },
                strikes_count: false,
                header_less: HeaderLess::Never,
                ..calm
            },
        );
        show(
            "S<2F",
            Setting {
                scale: Scale { settle: 2 * n[0] - 1, ..sc },
                strikes_count: false,
                header_less: HeaderLess::Never,
                ..calm
            },
        );
        for m in [
            Mutant::NoFreshnessCheck,
            Mutant::BaseDiesWithHeadPresented,
            Mutant::BaseDiesByTimeAlone,
            Mutant::BaseAlwaysMints,
            Mutant::FailureClearsCookies,
            Mutant::AbsenceIsAnEnd,
        ] {
            show(&format!("{m:?}"), Setting { header_less: HeaderLess::Never, ..calm }.seeded_with(m));
        }
        show(
            "seen",
            Setting { header_less: HeaderLess::Never, jar_crashes: true, ..calm }
                .seeded_with(Mutant::SeenHeadKeepsItsClock),
        );
        show(
            "one name",
            Setting { second_sign_in: true, header_less: HeaderLess::Never, ..calm }
                .seeded_with(Mutant::OneCookieName),
        );
        show(
            "extends",
            Setting { lifetime: Some(3 * sc.settle), header_less: HeaderLess::Never, ..calm }
                .seeded_with(Mutant::RotationExtendsExpiry),
        );
        show(
            "revive",
            Setting { header_less: HeaderLess::Never, ends: true, commit_losses: true, ..calm }
                .seeded_with(Mutant::AheadRevivesEnded),
        );
        show(
            "forgets",
            Setting { header_less: HeaderLess::Never, commit_losses: true, ..calm }
                .seeded_with(Mutant::StoreForgetsItCrashed),
        );
        show("any age", Setting { header_less: HeaderLess::AnyAge, strikes_count: false, ..calm });
        show("life", Setting { lifetime: Some(3 * sc.settle), ends: true, ..calm });
    }
    if n[2] == 2 {
        show(
            "two sessions",
            Setting { second_sign_in: true, ends: true, header_less: HeaderLess::Never, ..Setting::calm(sc) },
        );
    }
    if n[2] == 3 {
        if n.len() > 3 {
            show(
                "slots n no hl",
                Setting {
                    network: Network::Slots(n[3]),
                    header_less: HeaderLess::Never,
                    ..Setting::everything(sc)
                },
            );
            return;
        }
        show(
            "slots 4 no hl",
            Setting { network: Network::Slots(4), header_less: HeaderLess::Never, ..Setting::everything(sc) },
        );
        show("slots 4", Setting { network: Network::Slots(4), ..Setting::everything(sc) });
    }
}
