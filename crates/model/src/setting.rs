//! What one search is asked: the scaled-down constants, what the world may do, and which fault is seeded.

use std::time::Duration;

use tenure_domain::rotation::RotationRules;
use tenure_domain::time::TimeRules;

use crate::mutant::Mutant;

/// The protocol's constants in ticks. The model's clock counts ticks where the server's counts milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// `F`.
    pub freshness: u8,
    /// `C`. Content replaced in the jar *less than* this long ago may come back; at least 1.
    pub flush_lag: u8,
    /// `S`.
    pub settle: u8,
}

impl Scale {
    /// The smallest safe `S`: 3F + C, as `TimeRules::settle_bound` has it without its tolerances.
    pub const fn at_the_bound(freshness: u8, flush_lag: u8) -> Self {
        Self { freshness, flush_lag, settle: 3 * freshness + flush_lag }
    }

    /// A crash of the browser and a loss of commits are at least this far apart (H5): 2F + C is a minute with
    /// the default constants.
    pub const fn apart(self) -> u8 {
        2 * self.freshness + self.flush_lag
    }

    pub fn rotation_rules(self) -> RotationRules {
        RotationRules::with_settle(ticks(self.settle))
    }

    pub fn time_rules(self) -> TimeRules {
        TimeRules { freshness: ticks(self.freshness), ..TimeRules::default() }
    }
}

pub fn ticks(count: u8) -> Duration {
    Duration::from_millis(u64::from(count))
}

/// How requests and answers travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Any number of tabs with any number of requests, losses and duplicates.
    ///
    /// Every message stays in the air until it is too old to matter, whether or not it was delivered: that is
    /// duplication. Nothing forces a delivery: that is loss, delay and reordering. A tab sends the jar's
    /// content in every state: more messages in the air only ever allow more. Of two equal messages the
    /// younger can do all that the older can and for longer, so only the younger is kept, and the state
    /// space is finite.
    Crowd,
    /// At most this many requests of the browser under way at once, each message delivered once and then
    /// gone, or lost, or (one at a time) duplicated. Tabs share the jar and nothing else, so who sent a
    /// request makes no difference: four under way are two tabs with two each, and four tabs with one.
    Slots(u8),
}

/// Requests without `Tenure-Sent-At`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderLess {
    Never,
    /// They reach the rule within F of being sent, or never. H2 has to promise this for them, because the
    /// server cannot see it.
    WithinF,
    /// They may turn up at any time later.
    AnyAge,
}

/// One question to the explorer.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub scale: Scale,
    pub network: Network,
    pub header_less: HeaderLess,
    /// The browser may crash and come back with an earlier jar (H3).
    pub jar_crashes: bool,
    /// The store may lose the commits of the current tick and restart (H5).
    pub commit_losses: bool,
    /// Somebody may revoke the session, or the person may sign out.
    pub ends: bool,
    /// The person may sign in again in the same jar, with or without ending the earlier session.
    pub second_sign_in: bool,
    /// Lifetime from sign-in; `None` lets a session live for ever, so that the search needs no horizon.
    pub lifetime: Option<u8>,
    /// Whether a straggler that is called dead breaks the promise already. It costs the person nothing by
    /// itself (the first strike ends nothing), so the searches for sign-outs leave it out.
    pub strikes_count: bool,
    pub mutant: Option<Mutant>,
}

impl Setting {
    /// One session, everything that H1-H5 allow, for any number of tabs.
    pub const fn everything(scale: Scale) -> Self {
        Self {
            scale,
            network: Network::Crowd,
            header_less: HeaderLess::WithinF,
            jar_crashes: true,
            commit_losses: true,
            ends: true,
            second_sign_in: false,
            lifetime: None,
            strikes_count: true,
            mutant: None,
        }
    }

    /// A calm world (no crashes, no lost commits, nobody ends anything) for faults that need nothing else.
    pub const fn calm(scale: Scale) -> Self {
        Self { jar_crashes: false, commit_losses: false, ends: false, ..Self::everything(scale) }
    }

    /// The same world with a fault in it, searched for a sign-out.
    pub const fn seeded_with(self, mutant: Mutant) -> Self {
        Self { mutant: Some(mutant), strikes_count: false, ..self }
    }

    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}
