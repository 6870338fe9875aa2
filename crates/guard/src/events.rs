//! A stream of events (WHATWG HTML, 9.2), as far as the issuer makes use of it: a name, and one line of data.

use tenure_domain::revocation::LINE_MAX;

/// What is no stream of events.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of the stream has no end")]
pub struct EndlessLine;

#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub data: Vec<u8>,
}

/// Puts events together from the pieces in which they come.
#[derive(Default)]
pub struct Events {
    line: Vec<u8>,
    name: String,
    data: Vec<u8>,
}

impl Events {
    /// The events that are complete with this piece.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<Vec<Event>, EndlessLine> {
        let mut complete = vec![];
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            self.keep(&piece[..end])?;
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.line);
            complete.extend(self.read(line.strip_suffix(b"\r").unwrap_or(&line)));
        }
        self.keep(piece)?;
        Ok(complete)
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), EndlessLine> {
        self.line.extend_from_slice(part);
        if self.line.len() > LINE_MAX { Err(EndlessLine) } else { Ok(()) }
    }

    /// An empty line ends an event; what is neither a name nor data is passed over, as comments are.
    fn read(&mut self, line: &[u8]) -> Option<Event> {
        let value = |name: &[u8]| {
            let value = line.strip_prefix(name)?.strip_prefix(b":")?;
            Some(value.strip_prefix(b" ").unwrap_or(value))
        };
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            return (!data.is_empty()).then_some(Event { name, data });
        }
        if let Some(name) = value(b"event") {
            self.name = String::from_utf8_lossy(name).into_owned();
        } else if let Some(data) = value(b"data") {
            self.data = data.to_vec();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b": hello\n\nevent: begin\ndata: {\"a\":1}\n\nid: 7\r\ndata:x\r\n\r\nevent: beat\ndata: {}\n\nevent";

    #[test]
    fn events_are_the_same_however_they_are_cut_up() {
        let event = |name: &str, data: &[u8]| Event { name: name.into(), data: data.into() };
        let expected = [event("begin", b"{\"a\":1}"), event("", b"x"), event("beat", b"{}")];
        for size in 1..=TEXT.len() {
            let mut events = Events::default();
            let pieces = TEXT.chunks(size).map(|piece| events.push(piece).unwrap());
            assert_eq!(pieces.flatten().collect::<Vec<_>>(), expected, "{size}");
        }
    }

    #[test]
    fn a_line_that_does_not_end_is_not_kept() {
        let mut events = Events::default();
        let pieces = std::iter::repeat_with(|| events.push(&[b'x'; 1024])).take(100);
        assert_eq!(pieces.filter(Result::is_err).count(), 100 - LINE_MAX / 1024);
    }
}
