//! What was observed of an application that keeps its sign-ins elsewhere: the sign-outs of a browser profile, each with its
//! cause and what came before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tenure_domain::id::ProfileId;
use tenure_domain::measure::span;
use tenure_domain::observed::culprit::Culprit;
use tenure_domain::observed::{Observation, Refresh, Seen, SignOut, Went, line_up, sign_outs};
use tenure_domain::time::Timestamp;
use tenure_store::{Observed, ObservedFilter, Store, StoreError};

use super::said::{Explained, Moment, Said, Section};
use crate::wording::text::shown;

/// Read at once.
const PAGE: usize = 1_000;

/// Of what came before a sign-out, and after it, this is told.
const BEFORE: Duration = Duration::from_secs(15 * 60);
const AFTER: Duration = Duration::from_secs(30);
const MOMENTS_TOLD_MAX: usize = 60;

/// All that is known of one browser profile.
pub struct Watched {
    /// In the order of time, and beside each the report that it came in.
    seen: Vec<Observation>,
    reports: Vec<Observed>,
}

/// A sign-out that was observed.
pub struct SignedOut<'a> {
    watched: &'a Watched,
    /// The report that it came in.
    pub report: &'a Observed,
    out: &'a SignOut,
    pub culprit: Culprit,
}

impl Watched {
    /// None: nothing was reported of it.
    pub async fn gather(store: &dyn Store, profile: ProfileId) -> Result<Option<Self>, StoreError> {
        let filter = ObservedFilter { profile: Some(profile), since: None };
        Ok(Some(all(store, filter).await?).filter(|reports| !reports.is_empty()).map(Self::of))
    }

    fn of(mut reports: Vec<Observed>) -> Self {
        line_up(
            &mut reports.iter_mut().map(|report| (report.received_at, &mut report.what)).collect::<Vec<_>>(),
        );
        reports.sort_by(|one, other| order(&one.what).cmp(&order(&other.what)));
        Self { seen: reports.iter().map(|report| report.what.clone()).collect(), reports }
    }

    /// In the order of time.
    pub fn sign_outs(&self) -> Vec<SignedOut<'_>> {
        let signed_out = |(index, culprit): (usize, Culprit)| {
            let report = self.reports.get(index)?;
            match &self.seen.get(index)?.seen {
                Seen::SignOut(out) => Some(SignedOut { watched: self, report, out, culprit }),
                _ => None,
            }
        };
        sign_outs(&self.seen).into_iter().filter_map(signed_out).collect()
    }

    pub fn refreshes(&self) -> Refreshes {
        self.seen.iter().fold(Refreshes::default(), Refreshes::with)
    }

    /// How many things were lost between those of the pages that told something in that time.
    fn missing(&self, from: Timestamp, until: Timestamp) -> u64 {
        let mut pages: BTreeMap<&str, Vec<(u32, Timestamp)>> = BTreeMap::new();
        for one in &self.seen {
            pages.entry(&one.page).or_default().push((one.seq, one.at));
        }
        let mut missing = 0;
        for numbers in pages.values_mut() {
            numbers.sort_unstable();
            for (one, next) in numbers.iter().zip(numbers.iter().skip(1)) {
                if next.1 >= from && one.1 <= until {
                    missing += u64::from(next.0.saturating_sub(one.0).saturating_sub(1));
                }
            }
        }
        missing
    }

    pub fn summary(&self) -> String {
        let Refreshes { served, refused, unanswered } = self.refreshes();
        let of = self.reports.last().map(|report| format!(" of {}", shown(&report.app))).unwrap_or_default();
        format!(
            "{} sign-outs{of}; {served} refreshes served, {refused} refused, {unanswered} without an answer",
            sign_outs(&self.seen).len()
        )
    }
}

/// How many refreshes there were, by how they went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refreshes {
    pub served: u64,
    pub refused: u64,
    pub unanswered: u64,
}

impl Refreshes {
    fn with(mut self, one: &Observation) -> Self {
        if let Seen::Refresh(refresh) = &one.seen {
            *self.count_of(refresh) += 1;
        }
        self
    }

    fn count_of(&mut self, refresh: &Refresh) -> &mut u64 {
        match refresh.went() {
            Went::Served => &mut self.served,
            Went::Refused => &mut self.refused,
            Went::Unanswered => &mut self.unanswered,
        }
    }

    pub fn document(&self) -> Value {
        json!({ "served": self.served, "refused": self.refused, "unanswered": self.unanswered })
    }
}

/// What was received in some time.
#[derive(Default)]
pub struct Arrivals {
    pub refreshes: Refreshes,
    /// Who told of a sign-out.
    profiles: BTreeSet<ProfileId>,
}

impl Arrivals {
    /// What was received in that time, its end included.
    pub async fn within(store: &dyn Store, since: Timestamp, until: Timestamp) -> Result<Self, StoreError> {
        let mut arrivals = Self::default();
        let filter = ObservedFilter { since: Some(since), profile: None };
        each(store, filter, |observed| {
            // Of several nodes one may be ahead of us.
            if observed.received_at <= until {
                arrivals.refreshes = arrivals.refreshes.with(&observed.what);
                if matches!(observed.what.seen, Seen::SignOut(_)) {
                    arrivals.profiles.insert(observed.what.profile);
                }
            }
        })
        .await?;
        Ok(arrivals)
    }

    /// All that is known of those who told of a sign-out, one after the other: a cause may lie long before it, so each is
    /// judged by the same as when somebody asks for it.
    pub async fn each_watched(
        &self,
        store: &dyn Store,
        mut then: impl FnMut(&Watched),
    ) -> Result<(), StoreError> {
        for profile in &self.profiles {
            if let Some(watched) = Watched::gather(store, *profile).await? {
                then(&watched);
            }
        }
        Ok(())
    }
}

/// In the order of time; where two things happened at once, in that of their page.
fn order(what: &Observation) -> (Timestamp, &str, u32) {
    (what.at, &what.page, what.seq)
}

async fn all(store: &dyn Store, filter: ObservedFilter) -> Result<Vec<Observed>, StoreError> {
    let mut found = vec![];
    each(store, filter, |observed| found.push(observed)).await?;
    Ok(found)
}

async fn each(
    store: &dyn Store,
    filter: ObservedFilter,
    mut then: impl FnMut(Observed),
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = store.observation_list(filter, after, PAGE).await?;
        // Not by its length: what cannot be read is left out of its page.
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(*last);
        page.into_iter().for_each(|(_, observed)| then(observed));
    }
}

impl SignedOut<'_> {
    pub fn at(&self) -> Timestamp {
        self.report.what.at
    }

    pub fn line(&self) -> String {
        let mut line = format!("{}  OBSERVED  cause={}", self.at(), self.culprit.as_str());
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                line.push_str(&format!("  {name}={}", shown(value)));
            }
        };
        add("page", self.out.path.as_deref());
        add("profile", Some(&self.report.what.profile.to_string()));
        add("app", Some(&self.report.app));
        add("browser", Some(&self.report.browser));
        add("release", self.report.release.as_deref());
        line
    }

    pub fn row(&self) -> Value {
        json!({
            "observed": true,
            "profile": self.report.what.profile,
            "at": self.at(),
            "received_at": self.report.received_at,
            "verdict": self.culprit.verdict().as_str(),
            "suspect": self.culprit.as_str(),
            "app": self.report.app,
            "page": self.out.path,
            "browser": self.report.browser,
            "release": self.report.release,
        })
    }

    pub fn explained(&self) -> Explained {
        Explained { sections: self.sections(), moments: self.moments() }
    }

    /// Of the browser profile and what the verdict is, beside what is explained.
    pub fn document(&self) -> Value {
        let mut document = self.explained().document();
        document["profile"] = json!(self.report.what.profile);
        document["verdict"] = json!(self.culprit.verdict().as_str());
        document
    }

    fn sections(&self) -> [(&'static str, Section); 5] {
        let SignOut { how, path, tabs, .. } = self.out;
        let [mut what, mut why, mut when, mut where_, mut facts]: [Section; 5] = Default::default();
        what.say("verdict", Said::Foreign(self.culprit.words()));
        what.say("browser_profile", Said::words(self.report.what.profile.to_string()));
        why.say("suspect", Said::words(self.culprit.as_str()));
        why.say("fix", Said::words(self.culprit.fix()));
        when.say("signed_out", Said::At(self.at()));
        when.say("report_received", Said::At(self.report.received_at));
        when.say("idle", spans(self.out.idle_ms));
        when.say("page_age", spans(self.out.page_age_ms));
        where_.say("app", Said::Foreign(self.report.app.clone()));
        where_.say("page", Said::foreign(path));
        where_.say("browser", Said::Foreign(self.report.browser.clone()));
        where_.say("release", Said::foreign(&self.report.release));
        facts.say("how", Said::words(how.as_str()));
        facts.say("tabs", tabs.map(Said::Number));
        facts.say("access_token", self.out.access_left_ms.map(|ms| Said::Words(left(ms))));
        facts.say("refresh_token", self.out.refresh_left_ms.map(|ms| Said::Words(left(ms))));
        facts.say("refresh_lifetime", spans(self.out.refresh_lifetime_ms));
        let ahead = self.out.clock_ahead_ms.unwrap_or(self.report.what.ahead_ms);
        facts.say("device_clock", Said::Words(clock(ahead)));
        let (from, until) = self.near();
        let missing = self.watched.missing(from, until);
        facts.say("observations_lost", Some(Said::Number(missing)).filter(|_| missing > 0));
        [("what", what), ("why", why), ("when", when), ("where", where_), ("how", facts)]
    }

    fn near(&self) -> (Timestamp, Timestamp) {
        (self.at() - BEFORE, self.at() + AFTER)
    }

    /// What was seen in the minutes before and just after it.
    fn moments(&self) -> Vec<Moment> {
        let (from, until) = self.near();
        let near = self.watched.seen.iter().filter(|one| (from..=until).contains(&one.at));
        let moment = |one: &Observation| {
            let words = shown(&words(one, &self.report.what.page));
            Moment { at: one.at, what: one.seen.kind(), words }
        };
        let mut moments: Vec<_> = near.map(moment).collect();
        moments.drain(..moments.len().saturating_sub(MOMENTS_TOLD_MAX));
        moments
    }
}

fn words(one: &Observation, page: &str) -> String {
    let what = match &one.seen {
        Seen::Page { path, tabs } => {
            let tabs = tabs.filter(|tabs| *tabs > 1).map(|tabs| format!(", with {tabs} tabs open"));
            format!("loaded {}{}", path.as_deref().unwrap_or("a page"), tabs.unwrap_or_default())
        }
        Seen::SignIn => "the keys of a sign-in were written".into(),
        Seen::Refresh(refresh) => {
            let answer = refresh.failure().told();
            let marks = match (&refresh.token, &refresh.next) {
                (Some(token), Some(next)) => format!(", token {token} for {next}"),
                (Some(token), None) => format!(", token {token}"),
                _ => String::new(),
            };
            format!("{answer} after {}{marks}", span(refresh.took_ms))
        }
        Seen::Failure(failure) => failure.told(),
        Seen::SignOut(out) => format!("{} on {}", out.how.as_str(), out.path.as_deref().unwrap_or("a page")),
    };
    if one.page == page { what } else { format!("{what} (another page)") }
}

fn spans(ms: Option<u64>) -> Option<Said> {
    ms.map(|ms| Said::Span(Duration::from_millis(ms)))
}

/// By the device's clock.
fn left(ms: i64) -> String {
    match ms {
        1.. => format!("had {} left", span(ms.unsigned_abs())),
        _ => format!("had been over for {}", span(ms.unsigned_abs())),
    }
}

fn clock(ahead_ms: i64) -> String {
    match ahead_ms {
        -2_000..=2_000 => "right".into(),
        2_001.. => format!("{} ahead", span(ahead_ms.unsigned_abs())),
        _ => format!("{} behind", span(ahead_ms.unsigned_abs())),
    }
}
