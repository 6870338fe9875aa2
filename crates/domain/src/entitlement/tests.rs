use proptest::prelude::*;

use super::*;

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

fn requirement(text: &str) -> Requirement {
    text.parse().unwrap()
}

fn policy() -> Policy {
    let editors = [Role::Admin, Role::Developer].into_iter().collect();
    Policy { permissions: [(slug("reports.write"), editors)].into_iter().collect(), ..Policy::default() }
}

/// Everybody there is, with a key that has the permission and one that has not.
const AUTHORITIES: [&str; 7] = ["user", "admin", "developer", "superuser", "system", "key", "key with scope"];

fn with_authority<T>(name: &str, then: impl FnOnce(Authority<'_>) -> T) -> T {
    let scopes = [slug("reports.write")].into_iter().collect();
    let none = BTreeSet::new();
    match name {
        "key" => then(Authority::Key(&none)),
        "key with scope" => then(Authority::Key(&scopes)),
        role => then(Authority::Person(role.parse().unwrap())),
    }
}

/// Every account: none, and each status with each plan, of a customer's and of the operator's own.
fn accounts() -> Vec<(String, Option<Tenancy>)> {
    let terms = |slug: Slug, is_active| Terms {
        slug,
        is_active,
        limits: PlanLimits::parse(r#"{"seats": 5}"#).unwrap(),
        features: PlanFeatures::parse(r#"["export"]"#).unwrap(),
    };
    let plans = [
        ("no plan", None),
        ("inactive pro", Some(terms(slug("pro"), false))),
        ("basic", Some(terms(slug("basic"), true))),
        ("pro", Some(terms(slug("pro"), true))),
    ];
    let mut accounts = vec![("none".to_owned(), None)];
    for is_system in [false, true] {
        for status in AccountStatus::ALL {
            for (name, plan) in &plans {
                let whose = if is_system { "system, " } else { "" };
                let tenancy = Tenancy { status, is_system, plan: plan.clone() };
                accounts.push((format!("{whose}{status}, {name}"), Some(tenancy)));
            }
        }
    }
    accounts
}

const REQUIREMENTS: [&str; 9] = [
    "",
    "permission:reports.write",
    "active_account",
    "plan",
    "plan:pro",
    "feature:export",
    "feature:sso",
    "limit:seats=5",
    "limit:seats=6",
];

fn policies() -> Vec<Policy> {
    let subsets =
        (0..16).map(|bits| Bypass::ALL.into_iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1));
    let bypasses = subsets.map(|subset| subset.map(|(_, bypass)| bypass).collect::<BTreeSet<_>>());
    bypasses
        .flat_map(|bypasses| {
            [true, false].map(|serves_pending_payment| Policy {
                bypasses: bypasses.clone(),
                serves_pending_payment,
                ..policy()
            })
        })
        .collect()
}

/// Calls with every combination: policy, authority, account, needs.
fn for_all(mut check: impl FnMut(&Policy, &str, Option<&Tenancy>, &Requirement, Decision)) {
    for policy in policies() {
        for authority in AUTHORITIES {
            for (_, account) in &accounts() {
                for needs in REQUIREMENTS {
                    let needs = requirement(needs);
                    let decision = with_authority(authority, |authority| {
                        decide(&policy, authority, account.as_ref(), &needs)
                    });
                    check(&policy, authority, account.as_ref(), &needs, decision);
                }
            }
        }
    }
}

/// The whole decision under the default policy, as a page that can be read: `entitlement/table.txt`. Made anew with
/// `UPDATE_TABLES=1`, and then reviewed.
#[test]
fn the_table_of_decisions_is_the_reviewed_one() {
    let word = |decision: Decision| match decision {
        Decision::Allowed => "yes".to_owned(),
        Decision::Bypassed(bypass, _) => format!("by {}", bypass.as_str()),
        Decision::Refused(refusal) => format!("{} {}", refusal.code().status(), refusal.code().as_str()),
    };
    let mut table = String::from("What is required, of which account: what each caller is answered.\n");
    for needs in REQUIREMENTS {
        table += &format!("\n[{needs}]\n");
        for (name, account) in accounts() {
            let mut by_answer: Vec<(String, Vec<&str>)> = vec![];
            for authority in AUTHORITIES {
                let answer = with_authority(authority, |authority| {
                    word(decide(&policy(), authority, account.as_ref(), &requirement(needs)))
                });
                match by_answer.iter_mut().find(|(known, _)| *known == answer) {
                    Some((_, who)) => who.push(authority),
                    None => by_answer.push((answer, vec![authority])),
                }
            }
            let answers = by_answer.iter().map(|(answer, who)| match who.len() {
                7 => answer.clone(),
                _ => format!("{answer} ({})", who.join(", ")),
            });
            table += &format!("{name}: {}\n", answers.collect::<Vec<_>>().join("; "));
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/entitlement/table.txt");
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), table, "UPDATE_TABLES=1 writes it");
}

#[test]
fn a_refusal_is_never_about_being_signed_in() {
    for_all(|_, _, _, _, decision| {
        if let Decision::Refused(refusal) = decision {
            assert_eq!(refusal.code().class(), crate::problem::Class::Authorization);
            assert!(matches!(refusal.code().status(), 402 | 403));
        }
    });
}

#[test]
fn a_bypass_passes_account_and_plan_and_never_a_permission() {
    for_all(|policy, authority, account, needs, decision| {
        let without = Policy { bypasses: BTreeSet::new(), ..policy.clone() };
        let bare = with_authority(authority, |authority| decide(&without, authority, account, needs));
        match (decision, bare) {
            (Decision::Bypassed(bypass, passed), Decision::Refused(refusal)) => {
                assert!(policy.bypasses.contains(&bypass) && passed == refusal);
                assert!(!matches!(refusal, Refusal::PermissionDenied(_)));
            }
            (decision, bare) => assert_eq!(decision, bare),
        }
    });
}

/// By its own words, not by the code's.
#[test]
fn who_is_held_up_by_nothing_has_what_it_takes() {
    for_all(|policy, authority, account, needs, decision| {
        let needs = needs.to_string();
        let is_served = account.is_some_and(|account| match account.status.as_str() {
            "suspended" | "cancelled" => false,
            "pending_payment" => policy.serves_pending_payment,
            _ => true,
        });
        let plan = account.and_then(|account| account.plan.as_ref()).filter(|plan| plan.is_active);
        let expected = match needs.as_str() {
            "" => true,
            "permission:reports.write" => !matches!(authority, "user" | "system" | "key"),
            "active_account" => is_served,
            "plan" | "feature:export" | "limit:seats=5" => is_served && plan.is_some(),
            "plan:pro" => is_served && plan.is_some_and(|plan| plan.slug.as_str() == "pro"),
            "feature:sso" | "limit:seats=6" => false,
            other => panic!("no expectation for {other}"),
        };
        assert_eq!(decision == Decision::Allowed, expected, "{authority} {account:?} {needs}");
    });
}

#[test]
fn what_stands_in_the_way_first_is_told_first() {
    let needs = requirement("limit:seats=9,plan:pro,permission:reports.write,active_account");
    let decided = |authority: &str, account: &str| {
        let account = accounts().into_iter().find(|(name, _)| name == account).unwrap().1;
        with_authority(authority, |authority| decide(&policy(), authority, account.as_ref(), &needs))
    };
    assert_eq!(decided("user", "suspended, no plan"), Decision::Refused(Refusal::AccountSuspended));
    assert_eq!(
        decided("user", "active, no plan"),
        Decision::Refused(Refusal::PermissionDenied(slug("reports.write")))
    );
    assert_eq!(decided("admin", "active, no plan"), Decision::Refused(Refusal::PlanMissing));
    let Decision::Refused(refusal) = decided("admin", "trial, pro") else { panic!() };
    assert_eq!(refusal, Refusal::LimitReached { name: slug("seats"), allowed: 5 });
    assert_eq!(refusal.to_string(), "Your account's plan allows 5 of `seats`.");
}

#[test]
fn requirements_are_written_as_they_are_read() {
    for text in ["", "active_account", "plan,feature:sso", "plan:basic|pro", "limit:seats=6,permission:a.b"] {
        assert_eq!(requirement(text).to_string(), text);
    }
    assert_eq!(requirement(" plan:pro , ,active_account ").to_string(), "plan:pro,active_account");
    for bad in [
        "planet",
        "plan:",
        "plan:Pro",
        "limit:seats",
        "limit:seats=-1",
        "limit:=1",
        "role:admin",
        "permission:*",
    ] {
        assert!(matches!(bad.parse::<Requirement>(), Err(RequirementError::Unknown(_))), "{bad}");
    }
    let many = vec!["plan"; NEEDS_MAX + 1].join(",");
    assert_eq!(many.parse::<Requirement>(), Err(RequirementError::TooMany));
}

#[test]
fn the_console_opens_for_superusers_and_whoever_has_something_to_do_in_it() {
    let opens = |policy: &Policy| Role::ALL.map(|role| policy.opens_console(role));
    assert_eq!(opens(&policy()), [false, false, false, true, false]);
    for right in Right::ALL {
        let granted = BTreeMap::from([(slug(right.as_str()), BTreeSet::from([Role::Admin]))]);
        let policy = Policy { permissions: granted, ..policy() };
        assert_eq!(opens(&policy), [false, true, false, true, false], "{right:?}");
    }
}

#[test]
fn elevated_is_whoever_opens_the_console_passes_by_account_and_plan_or_may_vouch_for_others() {
    let elevated = |policy: &Policy, ours| Role::ALL.map(|role| policy.is_elevated(role, ours));
    assert_eq!(elevated(&policy(), false), [false, false, true, true, true]);
    assert_eq!(elevated(&policy(), true), [true; 5]);
    let granted = |name| Policy {
        permissions: BTreeMap::from([(slug(name), BTreeSet::from([Role::Admin]))]),
        // That a bypass is switched off now is no reason to believe anybody.
        bypasses: BTreeSet::new(),
        ..policy()
    };
    assert_eq!(elevated(&granted("reports.read"), false), [false, false, true, true, true]);
    for name in Right::ALL.map(Right::as_str).into_iter().chain([crate::exchange::PERMISSION]) {
        assert_eq!(elevated(&granted(name), false), [false, true, true, true, true], "{name}");
    }
}

#[test]
fn each_bypass_can_be_switched_off_and_a_key_has_its_accounts_alone() {
    let all = Policy::default();
    let person = |role| all.bypass(Authority::Person(role), false);
    let expected = [None, None, Some(Bypass::Developer), Some(Bypass::Superuser), Some(Bypass::SystemUser)];
    assert_eq!(Role::ALL.map(person), expected);
    let scopes = BTreeSet::new();
    assert_eq!(all.bypass(Authority::Key(&scopes), false), None);
    assert_eq!(all.bypass(Authority::Key(&scopes), true), Some(Bypass::SystemAccount));
    for bypass in Bypass::ALL {
        let without = Policy {
            bypasses: Bypass::ALL.into_iter().filter(|other| *other != bypass).collect(),
            ..Policy::default()
        };
        let found = Role::ALL.map(|role| without.bypass(Authority::Person(role), false));
        assert!(!found.contains(&Some(bypass)));
        let of_account = without.bypass(Authority::Person(Role::User), true);
        assert_eq!(of_account.is_none(), bypass == Bypass::SystemAccount);
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_what_is_read_is_written_back(text in "[a-z:=|, 0-9]{0,60}") {
        if let Ok(requirement) = text.parse::<Requirement>() {
            prop_assert_eq!(requirement.to_string().parse(), Ok(requirement));
        }
    }
}

#[test]
fn whoever_governs_a_role_may_do_all_that_it_may_and_only_superusers_govern_those_with_a_bypass() {
    let roles = |roles: &[Role]| roles.iter().copied().collect::<BTreeSet<_>>();
    let permissions = [
        ("reports.write", roles(&[Role::Admin, Role::Developer])),
        ("users.manage", roles(&[Role::Admin])),
        ("reports.read", roles(&[Role::User, Role::Admin])),
    ];
    let permissions = permissions.map(|(name, roles)| (slug(name), roles)).into_iter().collect();
    for bypasses in [BTreeSet::new(), Bypass::ALL.into_iter().collect()] {
        let policy = Policy { permissions: BTreeMap::clone(&permissions), bypasses, ..Policy::default() };
        let key = roles_of_key(&["reports.read", "users.manage"]);
        let authorities = Role::ALL.map(Authority::Person).into_iter().chain([Authority::Key(&key)]);
        for authority in authorities {
            for role in Role::ALL {
                let more = policy.permissions.keys().any(|name| {
                    policy.permits(Authority::Person(role), name.as_str())
                        && !policy.permits(authority, name.as_str())
                });
                let governs = policy.governs(authority, role);
                assert!(!(governs && more), "{authority:?} {role}");
                let is_superuser = matches!(authority, Authority::Person(Role::Superuser));
                assert!(
                    is_superuser || !governs || matches!(role, Role::User | Role::Admin),
                    "{authority:?} {role}"
                );
                assert!(governs || !is_superuser);
            }
        }
        // And it is not empty: an administrator governs people and other administrators, the key people alone.
        assert!(policy.governs(Authority::Person(Role::Admin), Role::Admin));
        assert!(
            policy.governs(Authority::Key(&key), Role::User)
                && !policy.governs(Authority::Key(&key), Role::Admin)
        );
    }
}

fn roles_of_key(scopes: &[&str]) -> BTreeSet<Slug> {
    scopes.iter().map(|name| slug(name)).collect()
}
