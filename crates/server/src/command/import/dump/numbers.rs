//! Python writes `NaN` and `Infinity` for numbers that JSON does not have, and one of them anywhere would stop the reading
//! of a file whose people are all in order.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What somebody reads, with 0 for each number that is none, and how much of it has been read.
pub struct Finite<R> {
    inner: R,
    count: Arc<AtomicU64>,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    InText,
    /// In text, after a backslash.
    Escaped,
    /// In the word of such a number.
    InWord,
}

impl<R> Finite<R> {
    pub fn new(inner: R, count: Arc<AtomicU64>) -> Self {
        Self { inner, count, place: Place::Outside }
    }
}

impl Place {
    /// Where one is after a byte, and what is read for it. JSON has no word with these capitals outside of text.
    const fn step(self, byte: u8) -> (Self, u8) {
        match (self, byte) {
            (Place::InText, b'\\') => (Place::Escaped, byte),
            (Place::InText, b'"') => (Place::Outside, byte),
            (Place::InText | Place::Escaped, _) => (Place::InText, byte),
            (Place::InWord, byte) if byte.is_ascii_alphabetic() => (Place::InWord, b' '),
            (_, b'N' | b'I') => (Place::InWord, b'0'),
            (_, b'"') => (Place::InText, byte),
            _ => (Place::Outside, byte),
        }
    }
}

impl<R: Read> Read for Finite<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for byte in buffer.iter_mut().take(read) {
            (self.place, *byte) = self.place.step(*byte);
        }
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finite(text: &str, at_once: usize) -> String {
        let mut reader = Finite::new(text.as_bytes(), Arc::default());
        let (mut read, mut buffer) = (vec![], vec![0; at_once]);
        while let count @ 1.. = reader.read(&mut buffer).unwrap() {
            read.extend(&buffer[..count]);
        }
        String::from_utf8(read).unwrap()
    }

    #[test]
    fn numbers_that_are_none_are_0_and_text_stays_as_it_is() {
        let text = r#"[NaN,-Infinity, Infinity,{"NaN \" Infinity":"\\", "I":[true,null,1.5e3]}]"#;
        let whole = r#"[0  ,-0       , 0       ,{"NaN \" Infinity":"\\", "I":[true,null,1.5e3]}]"#;
        for at_once in 1..20 {
            assert_eq!(finite(text, at_once), whole);
        }
        serde_json::from_str::<serde_json::Value>(whole).unwrap();
    }
}
