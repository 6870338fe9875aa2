//! Refresh tokens that simplejwt has blacklisted (its app `token_blacklist`): what was ended there is traded for nothing here.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use serde_json::Value;
use tenure_domain::exchange::{ExchangeKey, Source as Traded};
use tenure_domain::simplejwt::LEEWAY;
use tenure_domain::time::Timestamp;
use tenure_store::{CLOSED_AT_ONCE_MAX, ForeignRow, Store};
use tokio::sync::mpsc;

use super::{DjangoArgs, PAGES_AHEAD, broken_off, dump, foreign};
use crate::command::Failure;
use crate::command::place::now;

/// What the app is called, and in a database its second table, whichever schema it is in, with what each version of it has.
pub const APP: &str = "token_blacklist";
const BLACKLISTED: &str = "token_blacklist_blacklistedtoken";
const COLUMNS_OF_BLACKLISTED: &[&str] = &["token_id", "blacklisted_at"];

/// What there was of them.
#[derive(Default)]
pub struct Found {
    /// Those that have not expired, and are closed.
    pub closed: u64,
    pub unreadable: u64,
}

/// Closes those that have not expired. None in a database where there is no such app.
pub async fn close(args: &DjangoArgs, store: Option<&dyn Store>) -> Result<Option<Found>, Failure> {
    let now = now();
    let mut found = Found::default();
    let (mut pages, ended) = match &args.dump {
        Some(path) => {
            let ended = ended_in(path).await?;
            found.unreadable += ended.unreadable;
            (of_dump(path, "outstandingtoken"), Some(ended))
        }
        None => match of_database(args, now).await? {
            Some(pages) => (pages, None),
            None => return Ok(None),
        },
    };
    while let Some(page) = pages.rows.recv().await {
        let is_ended = |row: &&ForeignRow| ended.as_ref().is_none_or(|ended| ended.contains(row.get("id")));
        let mut keys = Vec::with_capacity(page.len());
        for row in page.iter().filter(is_ended) {
            match key(row) {
                Some((key, remembered_until)) if remembered_until > now => keys.push((key, remembered_until)),
                Some(_expired) => {}
                None => found.unreadable += 1,
            }
        }
        found.closed += keys.len() as u64;
        let Some(store) = store.filter(|_| !args.dry_run) else { continue };
        for few in keys.chunks(CLOSED_AT_ONCE_MAX) {
            store.exchange_close(few.to_vec(), now).await.map_err(|error| broken_off(&error))?;
        }
    }
    pages.end().await?;
    Ok(Some(found))
}

/// The primary keys of tokens in a dump, each by a hash of its own and not by its text: there may be as many as there ever
/// were refreshes.
#[derive(Default)]
struct Ended {
    hasher: RandomState,
    keys: HashSet<u64>,
    unreadable: u64,
}

impl Ended {
    fn hash(&self, key: Option<&Value>) -> Option<u64> {
        match key? {
            Value::String(text) => Some(self.hasher.hash_one(text)),
            Value::Number(number) => Some(self.hasher.hash_one(number.to_string())),
            _ => None,
        }
    }

    fn contains(&self, key: Option<&Value>) -> bool {
        self.hash(key).is_some_and(|key| self.keys.contains(&key))
    }
}

async fn ended_in(path: &std::path::Path) -> Result<Ended, Failure> {
    let mut ended = Ended::default();
    let mut pages = of_dump(path, "blacklistedtoken");
    while let Some(page) = pages.rows.recv().await {
        for row in page {
            match ended.hash(row.get("token")) {
                Some(key) => drop(ended.keys.insert(key)),
                None => ended.unreadable += 1,
            }
        }
    }
    pages.end().await?;
    Ok(ended)
}

/// Its key, and until when it has to be known; none if the row does not say.
fn key(row: &ForeignRow) -> Option<(ExchangeKey, Timestamp)> {
    let (jti, expires_at) = (row.get("jti")?.as_str()?, row.get("expires_at")?.as_str()?);
    let remembered_until = expires_at.parse::<Timestamp>().ok()? + 2 * LEEWAY;
    Some((ExchangeKey::of(Traded::Simplejwt, jti), remembered_until))
}

// === Where they are ===

struct Pages {
    rows: mpsc::Receiver<Vec<ForeignRow>>,
    reading: tokio::task::JoinHandle<Result<(), Failure>>,
}

impl Pages {
    async fn end(self) -> Result<(), Failure> {
        self.reading.await.unwrap_or_else(|broken| Err(Failure::Unreachable(broken.to_string())))
    }
}

async fn of_database(args: &DjangoArgs, now: Timestamp) -> Result<Option<Pages>, Failure> {
    let url = args.database_url.as_deref().unwrap_or_default();
    let tables = foreign(url)?.tables_with(COLUMNS_OF_BLACKLISTED).await?;
    let prefixes = prefixes(&tables, args.table.as_deref());
    if prefixes.is_empty() {
        return Ok(None);
    }
    let sources = prefixes.into_iter().map(|prefix| Ok((foreign(url)?, prefix)));
    let sources = sources.collect::<Result<Vec<_>, Failure>>()?;
    let (to, rows) = mpsc::channel(PAGES_AHEAD);
    let reading = tokio::spawn(async move {
        for (source, prefix) in sources {
            source.read_ended_tokens(prefix, now, to.clone()).await?;
        }
        Ok(())
    });
    Ok(Some(Pages { rows, reading }))
}

/// What the names of the app's tables begin with: in the schema of the users if one is named and it has them, else in every
/// schema, because one token too many that is traded for nothing does no harm, and one too few does.
fn prefixes(tables: &[String], users: Option<&str>) -> Vec<String> {
    let is_theirs = |table: &&String| match table.strip_suffix(BLACKLISTED) {
        Some(schema) => schema.is_empty() || schema.ends_with('.'),
        None => false,
    };
    let found: Vec<_> = tables.iter().filter(is_theirs).collect();
    let schema = users.and_then(|users| users.rsplit_once('.')).map(|(schema, _)| schema);
    let beside = schema.map(|schema| format!("{schema}.{BLACKLISTED}"));
    let chosen = match found.iter().find(|table| Some(**table) == beside.as_ref()) {
        Some(one) => vec![*one],
        None => found,
    };
    chosen.into_iter().filter_map(|table| table.strip_suffix("blacklistedtoken")).map(str::to_owned).collect()
}

fn of_dump(path: &std::path::Path, what: &str) -> Pages {
    let (to, rows) = mpsc::channel(PAGES_AHEAD);
    let (path, model) = (path.to_path_buf(), format!("{APP}.{what}"));
    let reading =
        tokio::task::spawn_blocking(move || dump::read(&path, Some(&model), &to, Default::default()));
    Pages { rows, reading }
}
