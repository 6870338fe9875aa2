//! Whether a caller may do what is required: the domain's decision, counted, and answered in its own words.

use tenure_domain::account::Slug;
use tenure_domain::entitlement::{self, Bypass, Decision, Need, Refusal, Requirement};
use tenure_domain::event::EventKind;
use tenure_domain::problem::Code;
use tenure_store::{Account, Membership};

use crate::App;
use crate::http::actor::Caller;
use crate::http::arrival::Arrival;
use crate::http::problem::Problem;
use crate::metrics::{Policy, Reason};

/// Lets a caller through, or says what stands in the way: 402 or 403, or 503 where it cannot be known. Nothing in here
/// can end a session.
pub fn admit(
    app: &App,
    arrival: &Arrival,
    caller: &Caller,
    requirement: &Requirement,
) -> Result<(), Problem> {
    match decide(app, caller, requirement)? {
        Decision::Allowed => Ok(()),
        Decision::Bypassed(bypass, passed) => {
            tell(app, arrival, caller, bypass, passed.code());
            Ok(())
        }
        Decision::Refused(refusal) => {
            let reason = refusal.code().as_str();
            app.metrics.entitlement_refusals.get_or_create(&Reason { reason }).inc();
            app.note_of(arrival, EventKind::EntitlementBlocked, reason);
            Err(told(&refusal))
        }
    }
}

/// What [`admit`] would say, of a request that nobody has made: nothing is counted or logged.
pub fn judge(app: &App, caller: &Caller, requirement: &Requirement) -> Result<(), Problem> {
    match decide(app, caller, requirement)? {
        Decision::Allowed | Decision::Bypassed(..) => Ok(()),
        Decision::Refused(refusal) => Err(told(&refusal)),
    }
}

fn decide(app: &App, caller: &Caller, requirement: &Requirement) -> Result<Decision, Problem> {
    let tenancy = match caller.membership() {
        Membership::Member(account) => Some(account.tenancy()),
        Membership::None | Membership::Unreadable => None,
    };
    let is_unknown = matches!(caller.membership(), Membership::Unreadable);
    match entitlement::decide(&app.settled.policy, caller.authority(), tenancy.as_ref(), requirement) {
        Decision::Refused(Refusal::AccountMissing) if is_unknown => Err(unreadable()),
        decision => Ok(decision),
    }
}

fn told(refusal: &Refusal) -> Problem {
    Problem::new(refusal.code(), refusal.to_string())
}

/// The account that somebody acts in, where nothing can be done without one.
pub fn account_of(membership: &Membership) -> Result<&Account, Problem> {
    match membership {
        Membership::Member(account) => Ok(account),
        Membership::None => Err(told(&Refusal::AccountMissing)),
        Membership::Unreadable => Err(unreadable()),
    }
}

fn unreadable() -> Problem {
    Problem::new(Code::StorageUnavailable, "The account cannot be read now.")
}

/// Counts one call of a caller's. What lets them pass by account and plan lets them pass by this, too.
pub fn throttle(app: &App, arrival: &Arrival, caller: &Caller) -> Result<(), Problem> {
    let Err(limited) = app.limits.api(caller.id_bytes(), &arrival.standings) else { return Ok(()) };
    let is_of_system_account =
        matches!(caller.membership(), Membership::Member(account) if account.is_system);
    match app.settled.policy.bypass(caller.authority(), is_of_system_account) {
        Some(bypass) => {
            tell(app, arrival, caller, bypass, Code::RateLimited);
            Ok(())
        }
        None => Err(limited.into()),
    }
}

/// Counts and logs that a bypass let somebody pass by what would have been answered with this code.
fn tell(app: &App, arrival: &Arrival, caller: &Caller, bypass: Bypass, passed: Code) {
    let policy = bypass.as_str();
    app.metrics.entitlement_bypasses.get_or_create(&Policy { policy }).inc();
    arrival.note_outcome(policy);
    tracing::info!(policy, passed = passed.as_str(), caller = %caller.id(), "a bypass let a request pass");
}

/// Demands one permission of the program's own, and nothing of the account.
pub fn demand_permission(
    app: &App,
    arrival: &Arrival,
    caller: &Caller,
    permission: &'static str,
) -> Result<(), Problem> {
    let slug = Slug::parse(permission)
        .map_err(|error| Problem::new(Code::InternalError, "A permission has no name.").with_cause(error))?;
    demand(app, arrival, caller, &[slug])
}

/// Demands permissions and nothing of the account.
pub fn demand<'a>(
    app: &App,
    arrival: &Arrival,
    caller: &Caller,
    permissions: impl IntoIterator<Item = &'a Slug>,
) -> Result<(), Problem> {
    let needs = permissions.into_iter().cloned().map(Need::Permission).collect();
    admit(app, arrival, caller, &Requirement::new(needs))
}
