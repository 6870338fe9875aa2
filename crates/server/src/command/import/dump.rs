//! What `manage.py dumpdata` writes: entries of a model, a key and fields, in one JSON array or one on each line. It is
//! read as it comes, whatever its size.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::Value;
use tenure_store::ForeignRow;
use tokio::sync::mpsc;

use super::{COLUMNS_OF_USERS, unreadable};
use crate::command::Failure;

/// Rows that are sent at once.
const PAGE: usize = 500;

const READ_AT_ONCE: usize = 1 << 20;

/// Sends the entries of a model, or without one of whichever looks like Django's users.
pub fn read(
    path: &Path,
    model: Option<&str>,
    to: &mpsc::Sender<Vec<ForeignRow>>,
    count: Arc<AtomicU64>,
) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut reader = BufReader::with_capacity(READ_AT_ONCE, Counted { inner: file, count });
    let is_array = is_array(&mut reader).map_err(|error| unreadable(path, &error))?;
    let mut people = People { model, page: Vec::with_capacity(PAGE), to };
    let outcome = match is_array {
        true => {
            let mut deserializer = serde_json::Deserializer::from_reader(reader);
            deserializer.deserialize_seq(Entries(&mut people)).and_then(|()| deserializer.end())
        }
        false => serde_json::Deserializer::from_reader(reader).into_iter().try_for_each(|entry| {
            people.take(entry?);
            Ok(())
        }),
    };
    // Those that came before whatever is broken are whole.
    people.send();
    outcome.map_err(|error| {
        Failure::Finding(format!(
            "{} is not what dumpdata writes: {error}; what came before that was read",
            path.display()
        ))
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

struct People<'a> {
    model: Option<&'a str>,
    page: Vec<ForeignRow>,
    to: &'a mpsc::Sender<Vec<ForeignRow>>,
}

impl People<'_> {
    fn take(&mut self, entry: Value) {
        let Value::Object(mut entry) = entry else { return };
        let fields = match entry.remove("fields") {
            Some(Value::Object(fields)) => fields,
            _ => ForeignRow::new(),
        };
        let is_wanted = match self.model {
            Some(model) => entry.get("model").and_then(Value::as_str).is_some_and(|name| name == model),
            None => COLUMNS_OF_USERS.iter().all(|column| fields.contains_key(*column)),
        };
        if !is_wanted {
            return;
        }
        let mut row = fields;
        if let Some(key) = entry.remove("pk") {
            row.entry("id").or_insert(key);
        }
        self.page.push(row);
        if self.page.len() == PAGE {
            self.send();
        }
    }

    /// If nobody takes them any more, whoever did says why.
    fn send(&mut self) {
        let _ = self.to.blocking_send(std::mem::take(&mut self.page));
    }
}

struct Entries<'a, 'p>(&'a mut People<'p>);

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element()? {
            self.0.take(entry);
            if self.0.to.is_closed() {
                return Err(A::Error::custom("nobody reads on"));
            }
        }
        Ok(())
    }
}

struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
