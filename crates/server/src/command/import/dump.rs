//! What `manage.py dumpdata` writes: entries of a model, a key and fields, in one JSON array or one on each line. It is
//! read as it comes, whatever its size: once to see what is in it, and once for each model that is wanted.

mod numbers;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::{Error, Map, Value};
use tenure_store::ForeignRow;
use tokio::sync::mpsc;

use self::numbers::Finite;
use super::{COLUMNS_OF_USERS, unreadable};
use crate::command::{Failure, shown};

/// Rows that are sent at once.
const PAGE: usize = 500;

const READ_AT_ONCE: usize = 1 << 20;

/// Models that are named to somebody who has named another.
const MODELS_TOLD: usize = 20;

/// What a file holds, as far as it can be read.
#[derive(Default)]
pub struct Content {
    /// By the models' names, whether they have what Django's users have.
    models: BTreeMap<String, bool>,
}

impl Content {
    pub fn of(path: &Path) -> Result<Self, Failure> {
        let mut models = BTreeMap::new();
        // What is broken is told when it is read for good, after what came before it.
        let _ = each(path, Arc::default(), |entry| {
            let fields = entry.get("fields").and_then(Value::as_object);
            let is_user =
                fields.is_some_and(|fields| COLUMNS_OF_USERS.iter().all(|it| fields.contains_key(*it)));
            if let Some(model) = entry.get("model").and_then(Value::as_str) {
                match models.get_mut(model) {
                    Some(users) => *users |= is_user,
                    None => drop(models.insert(model.to_owned(), is_user)),
                }
            }
            Ok(())
        })?;
        Ok(Self { models })
    }

    /// The model of the users: the only one of this name, or without one the only one that has what they have.
    pub fn users(&self, wanted: Option<&str>) -> Result<Option<String>, Failure> {
        let fits = |(model, looks_like_users): &(&String, &bool)| match wanted {
            Some(wanted) => is_named(model, wanted),
            None => **looks_like_users,
        };
        let found: Vec<_> = self.models.iter().filter(fits).map(|(model, _)| model.as_str()).collect();
        match &found[..] {
            [] => Ok(None),
            [one] => Ok(Some((*one).to_owned())),
            several => Err(Failure::Usage(format!(
                "several models could be the users: {}; name one with --table",
                shown(&several.join(", "))
            ))),
        }
    }

    /// Whether it has anything of the app.
    pub fn has(&self, app: &str) -> bool {
        self.models.keys().any(|model| model.split('.').next() == Some(app))
    }

    /// The models, for somebody who has found none of their people.
    pub fn described(&self) -> String {
        let names: Vec<_> = self.models.keys().take(MODELS_TOLD).map(|model| shown(model)).collect();
        match self.models.len() {
            0 => "nothing that dumpdata writes".into(),
            many if many > MODELS_TOLD => format!("{} and {} more", names.join(", "), many - MODELS_TOLD),
            _ => names.join(", "),
        }
    }
}

/// Django takes models without regard to case, and calls their tables by the same words with an underscore.
fn is_named(model: &str, wanted: &str) -> bool {
    let (model, wanted) = (model.to_lowercase(), wanted.to_lowercase());
    model == wanted || (!wanted.contains('.') && model.replace('.', "_") == wanted)
}

/// Sends the entries of a model.
pub fn read(
    path: &Path,
    model: Option<&str>,
    to: &mpsc::Sender<Vec<ForeignRow>>,
    count: Arc<AtomicU64>,
) -> Result<(), Failure> {
    let mut page = Vec::with_capacity(PAGE);
    let outcome = each(path, count, |mut entry| {
        if to.is_closed() {
            // Whoever took them says why.
            return Err(Error::custom("nobody reads on"));
        }
        if model.is_none() || entry.get("model").and_then(Value::as_str) != model {
            return Ok(());
        }
        let mut row = match entry.remove("fields") {
            Some(Value::Object(fields)) => fields,
            _ => ForeignRow::new(),
        };
        if let Some(key) = entry.remove("pk") {
            row.entry("id").or_insert(key);
        }
        page.push(row);
        if page.len() == PAGE {
            let _ = to.blocking_send(std::mem::take(&mut page));
        }
        Ok(())
    })?;
    // Those that came before whatever is broken are whole.
    let _ = to.blocking_send(page);
    outcome.map_err(|error| {
        Failure::Finding(format!(
            "{} is not what dumpdata writes: {error}; what came before that was read",
            path.display()
        ))
    })
}

/// Every entry, until something is broken or nobody wants any more. The outer error is that of the file itself.
fn each(
    path: &Path,
    count: Arc<AtomicU64>,
    mut take: impl FnMut(Map<String, Value>) -> Result<(), Error>,
) -> Result<Result<(), Error>, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut reader = BufReader::with_capacity(READ_AT_ONCE, Finite::new(file, count));
    let is_array = is_array(&mut reader).map_err(|error| unreadable(path, &error))?;
    let mut take = |entry| match entry {
        Value::Object(entry) => take(entry),
        _ => Ok(()),
    };
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    Ok(match is_array {
        true => deserializer.deserialize_seq(Entries(&mut take)).and_then(|()| deserializer.end()),
        false => deserializer.into_iter().try_for_each(|entry| take(entry?)),
    })
}

/// Whether the first that is no blank opens an array.
fn is_array(reader: &mut impl std::io::BufRead) -> std::io::Result<bool> {
    loop {
        let blanks = match reader.fill_buf()? {
            [] => return Ok(false),
            buffer => match buffer.iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(first) => return Ok(buffer[first] == b'['),
                None => buffer.len(),
            },
        };
        reader.consume(blanks);
    }
}

struct Entries<F>(F);

impl<'de, F: FnMut(Value) -> Result<(), Error>> Visitor<'de> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element()? {
            (self.0)(entry).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_file_is_read_no_further_once_nobody_takes_what_is_in_it() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line =
            format!("{{\"model\": \"auth.user\", \"fields\": \"{}\"}}\n", "x".repeat(READ_AT_ONCE / 2));
        (0..8).for_each(|_| file.write_all(line.as_bytes()).unwrap());
        let (to, taken) = mpsc::channel(1);
        drop(taken);
        let count = Arc::<AtomicU64>::default();
        let Err(Failure::Finding(said)) = read(file.path(), Some("auth.user"), &to, Arc::clone(&count))
        else {
            panic!("it is told");
        };
        assert!(said.contains("nobody reads on"), "{said}");
        assert!(count.load(Ordering::Relaxed) <= 2 * READ_AT_ONCE as u64);
    }
}
