//! What a scenario says of a system.

use super::wire::NoAnswer;

/// Ok: it holds.
pub type Told = Result<(), Verdict>;

/// Why it cannot be said that it holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody who did nothing to end the session would see the sign-in form.
    SignsOut(String),
    /// Not as it should be, but nobody loses a session by it.
    Wrong(String),
    /// A limit, or what is in front of the system, has answered in its place, however often it was asked.
    InItsPlace { status: u16, told: String },
    /// The profile or the system does not give what is needed.
    NotTested(String),
    /// No answer came, which says nothing about what the system does.
    Unreachable(String),
}

/// For reports and for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    SignsOut,
    Wrong,
    Unreachable,
    Holds,
    NotTested,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::SignsOut, Kind::Wrong, Kind::Unreachable, Kind::Holds, Kind::NotTested];

    pub fn of(told: &Told) -> Self {
        match told {
            Ok(()) => Kind::Holds,
            Err(Verdict::SignsOut(_)) => Kind::SignsOut,
            Err(Verdict::Wrong(_) | Verdict::InItsPlace { .. }) => Kind::Wrong,
            Err(Verdict::NotTested(_)) => Kind::NotTested,
            Err(Verdict::Unreachable(_)) => Kind::Unreachable,
        }
    }

    /// For programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::SignsOut => "signs_out",
            Kind::Wrong => "wrong",
            Kind::Unreachable => "unreachable",
            Kind::Holds => "holds",
            Kind::NotTested => "not_tested",
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Kind::SignsOut => "signs out",
            Kind::Wrong => "wrong",
            Kind::Unreachable => "unreachable",
            Kind::Holds => "holds",
            Kind::NotTested => "not tested",
        }
    }

    pub fn is_finding(self) -> bool {
        matches!(self, Kind::SignsOut | Kind::Wrong)
    }
}

impl Verdict {
    pub fn detail(&self) -> &str {
        match self {
            Verdict::SignsOut(text)
            | Verdict::Wrong(text)
            | Verdict::InItsPlace { told: text, .. }
            | Verdict::NotTested(text)
            | Verdict::Unreachable(text) => text,
        }
    }
}

impl From<NoAnswer> for Verdict {
    fn from(none: NoAnswer) -> Self {
        match none {
            NoAnswer::Failed(why) => Verdict::Unreachable(why),
            spent => Verdict::NotTested(spent.why()),
        }
    }
}

/// What has to be so, or else `what` is wrong.
pub fn right(is_so: bool, what: impl FnOnce() -> String) -> Told {
    if is_so { Ok(()) } else { Err(Verdict::Wrong(what())) }
}
