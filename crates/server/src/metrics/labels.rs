//! What metrics are told apart by. Closed sets of words, so that nobody can grow a page by inventing some; never a person.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    pub reason: &'static str,
}

/// How a client calls a sign-out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    pub r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReplayKind {
    pub kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Remembered {
    pub remembered: &'static str,
}

/// Whether a client's word came with an access token of the session that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Verified {
    pub verified: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Unasked {
    pub suspect: &'static str,
    pub verified: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SignIn {
    pub method: &'static str,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Route {
    pub method: &'static str,
    pub status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Policy {
    pub policy: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StripeEvent {
    pub outcome: &'static str,
    pub r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Delivery {
    pub signal: &'static str,
    pub outcome: &'static str,
}

impl Verified {
    pub fn of(is_verified: bool) -> Self {
        Self { verified: if is_verified { "true" } else { "false" } }
    }
}

/// Labels whose names are known before there is a value.
pub trait Labels {
    const NAMES: &'static [&'static str];
}

macro_rules! labels {
    ($($set:ty: $($name:literal),*;)*) => {
        $(impl Labels for $set {
            const NAMES: &'static [&'static str] = &[$($name),*];
        })*
    };
}

labels! {
    Outcome: "outcome";
    Reason: "reason";
    Kind: "type";
    ReplayKind: "kind";
    Remembered: "remembered";
    Verified: "verified";
    Unasked: "suspect", "verified";
    SignIn: "method", "outcome";
    Route: "method", "status";
    Policy: "policy";
    StripeEvent: "outcome", "type";
    Delivery: "signal", "outcome";
    [(String, String); 0]: ;
    Counter: ;
    Gauge: ;
    Gauge<f64, AtomicU64>: ;
    Histogram: ;
}

impl<S: Labels, M> Labels for Family<S, M> {
    const NAMES: &'static [&'static str] = S::NAMES;
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    fn check<
        S: Labels + EncodeLabelSet + Clone + std::hash::Hash + Eq + std::fmt::Debug + Send + Sync + 'static,
    >(
        set: S,
    ) {
        let (mut registry, family) = (Registry::default(), Family::<S, Gauge>::default());
        registry.register("x", "x", family.clone());
        family.get_or_create(&set).set(1);
        let mut page = String::new();
        text::encode(&mut page, &registry).unwrap();
        let labels = page.split_once("x{").unwrap().1.split_once('}').unwrap().0;
        let names: Vec<_> = labels.split(',').map(|label| label.split_once('=').unwrap().0).collect();
        assert_eq!(names, S::NAMES, "{set:?}");
    }

    #[test]
    fn the_names_are_those_that_are_written() {
        check(Outcome { outcome: "a" });
        check(Reason { reason: "a" });
        check(Kind { r#type: "a" });
        check(ReplayKind { kind: "a" });
        check(Remembered { remembered: "a" });
        check(Verified { verified: "a" });
        check(Unasked { suspect: "a", verified: "b" });
        check(SignIn { method: "a", outcome: "b" });
        check(Route { method: "a", status: 1 });
        check(Policy { policy: "a" });
        check(StripeEvent { outcome: "a", r#type: "b" });
        check(Delivery { signal: "a", outcome: "b" });
    }
}
