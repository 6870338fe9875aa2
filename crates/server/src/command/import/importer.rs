//! Takes people over, page by page, and keeps count of what became of whom.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use tenure_store::{ForeignRow, IMPORTED_AT_ONCE_MAX, Import, Imported, Store, StoreError};
use tokio::sync::mpsc;

use super::report::Report;
use super::row::{Kept, Mapping, Newcomer};
use super::{PAGES_AHEAD, Source, broken_off};
use crate::command::place::now;
use crate::command::ticker::Ticker;
use crate::command::{Failure, Global};

/// Those who came before that are looked through at once for who is not there any more.
const LOOKED_THROUGH_AT_ONCE: usize = 1_000;

pub struct Importer<'s> {
    /// None: nobody is here yet, and it is a dry run.
    store: Option<&'s dyn Store>,
    mapping: Mapping,
    dry_run: bool,
    report: Report,
    waiting: Vec<Newcomer>,
    /// Addresses of a dry run, which leaves nobody behind to collide with.
    addresses: HashSet<String>,
    /// Everybody who is there, by a hash of their key: there may be millions.
    there: HashSet<u64>,
    hasher: RandomState,
}

impl<'s> Importer<'s> {
    pub fn new(store: Option<&'s dyn Store>, mapping: Mapping, dry_run: bool) -> Self {
        Self {
            store,
            mapping,
            dry_run,
            report: Report::default(),
            waiting: Vec::new(),
            addresses: HashSet::new(),
            there: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    /// What was done, and why it broke off if it did: what was done stands, and the same order goes on from there.
    pub async fn run(mut self, global: &Global, source: Source) -> (Report, Option<Failure>) {
        let mut ticker = Ticker::new(global);
        let (to, mut pages) = mpsc::channel(PAGES_AHEAD);
        let reading = tokio::spawn(source.place.read(to));
        let mut failure = None;
        while let Some(page) = pages.recv().await {
            if let Err(error) = self.take(page).await {
                failure = Some(broken_off(&error));
                break;
            }
            ticker.tell(|| source.extent.progress(self.report.read));
        }
        drop(pages);
        if failure.is_none() {
            failure = self.flush().await.err().map(|error| broken_off(&error));
        }
        ticker.clear();
        let read = reading.await.unwrap_or_else(|broken| Err(Failure::Unreachable(broken.to_string())));
        failure = failure.or(read.err());
        if failure.is_none() && self.report.read > 0 {
            failure = self.look_for_those_who_are_gone().await.err().map(|error| broken_off(&error));
        }
        (self.report, failure)
    }

    async fn take(&mut self, page: Vec<ForeignRow>) -> Result<(), StoreError> {
        let now = now();
        for row in page {
            self.report.read += 1;
            match self.mapping.read(&row, now) {
                Ok(newcomer) => {
                    self.there.insert(self.hasher.hash_one(newcomer.key()));
                    self.report.staff += u64::from(newcomer.is_staff);
                    self.report.superusers += u64::from(newcomer.is_superuser);
                    self.report.unflagged += u64::from(newcomer.is_unflagged);
                    self.waiting.push(newcomer);
                }
                // Whoever came with it before is told of with those who are gone: their address may have been wiped there.
                Err(bad) => {
                    self.report.bad += 1;
                    self.report.refused.add(bad.key, bad.cause);
                }
            }
            if self.waiting.len() >= IMPORTED_AT_ONCE_MAX {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let (people, kept): (Vec<Import>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().map(Newcomer::split).unzip();
        let outcomes = match self.store {
            Some(store) => store.user_import(people, self.dry_run, now()).await?,
            None => vec![Imported::Created; people.len()],
        };
        for (outcome, who) in outcomes.into_iter().zip(kept) {
            let is_first =
                !self.dry_run || outcome != Imported::Created || self.addresses.insert(who.email_key.clone());
            self.count(if is_first { outcome } else { Imported::EmailTaken }, who);
        }
        Ok(())
    }

    fn count(&mut self, outcome: Imported, who: Kept) {
        let report = &mut self.report;
        match outcome {
            Imported::Created => {
                report.created += 1;
                report.disabled += u64::from(who.is_disabled);
                report.without_password += u64::from(!who.has_password);
                report.renamed += u64::from(who.is_renamed);
                report.undated += u64::from(who.is_undated);
            }
            Imported::Known => report.known += 1,
            Imported::Disabled => {
                report.known += 1;
                report.deactivated += 1;
            }
            Imported::Enabled => {
                report.known += 1;
                report.reactivated += 1;
            }
            Imported::ActiveHere => {
                report.known += 1;
                let cause = "they are not active there any more, and here, where they have changed their password or \
                             signed out everywhere, or somebody has decided about them, they are; `tenure user disable` \
                             if they are to go, `tenure user enable` if they are to stay";
                report.doubtful.add(who.key, format!("{}: {cause}", who.email));
            }
            Imported::DisabledHere => {
                report.known += 1;
                let cause = "they are disabled here, where somebody has decided about them, and active there; `tenure user \
                             enable` if they are to come back, `tenure user disable` if they are not";
                report.doubtful.add(who.key, format!("{}: {cause}", who.email));
            }
            Imported::OtherAddress => {
                report.known += 1;
                let but = if who.is_disabled { ", and is not active there" } else { "" };
                let cause =
                    "is somebody else if you have named another table than before; nothing was changed";
                report
                    .doubtful
                    .add(who.key, format!("came under another address than {}{but}; {cause}", who.email));
            }
            Imported::EmailTaken => {
                report.collisions += 1;
                report.refused.add(who.key, format!("somebody else here has the address {}", who.email));
            }
        }
    }

    /// Whoever came before and is not in what was read, which has been read to its end.
    async fn look_for_those_who_are_gone(&mut self) -> Result<(), StoreError> {
        let Some(store) = self.store else { return Ok(()) };
        let mut after = None;
        loop {
            let page = store.import_list(after.take(), LOOKED_THROUGH_AT_ONCE).await?;
            after = page.last().map(|one| one.key.clone());
            let is_last = page.len() < LOOKED_THROUGH_AT_ONCE;
            for one in page {
                if !self.there.contains(&self.hasher.hash_one(&one.key)) {
                    let cause = "is not there any more, or in a row that cannot be used, and active here; `tenure user \
                                 disable` or `delete` if they are to go";
                    self.report.gone.add(one.key, format!("{} {cause}", one.email));
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }
}
