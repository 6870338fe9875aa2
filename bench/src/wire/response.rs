//! Finds one response in a buffer that may hold less than one, exactly one, or more.

use std::borrow::Cow;
use std::ops::Range;

use crate::failure::{Context as _, Failure, Result};

/// More than any answer of a sane server; a limit so that a broken one cannot fill the memory.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
const HEADERS_MAX: usize = 64;
const COOKIES_MAX: usize = 8;

/// One answer, borrowed from the buffer it was read into.
#[derive(Debug)]
pub struct Response<'a> {
    bytes: &'a [u8],
    layout: &'a Layout,
}

/// Where the parts of a response lie in its buffer. It borrows nothing, so that the buffer can be read into
/// until the response is whole and lent out afterwards, without parsing it twice.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How many bytes of the buffer the response takes.
    pub length: usize,
    /// Whether the connection cannot carry another request.
    pub close: bool,
    status: u16,
    body: Body,
    cookies: [Range<usize>; COOKIES_MAX],
    cookie_count: usize,
}

#[derive(Clone, Debug)]
enum Body {
    At(Range<usize>),
    /// A chunked body lies in pieces and is put together.
    Joined(Vec<u8>),
}

/// How a body ends.
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

// === impl Response ===

impl<'a> Response<'a> {
    pub fn new(bytes: &'a [u8], layout: &'a Layout) -> Self {
        Self { bytes, layout }
    }

    pub fn status(&self) -> u16 {
        self.layout.status
    }

    pub fn body(&self) -> &'a [u8] {
        match &self.layout.body {
            Body::At(range) => &self.bytes[range.clone()],
            Body::Joined(body) => body,
        }
    }

    /// The values of the `Set-Cookie` headers, in order.
    pub fn set_cookies(&self) -> impl Iterator<Item = Cow<'a, str>> {
        let ranges = &self.layout.cookies[..self.layout.cookie_count];
        let bytes = self.bytes;
        ranges.iter().map(move |range| String::from_utf8_lossy(&bytes[range.clone()]))
    }
}

// === impl Layout ===

impl Layout {
    /// Finds the first response in `bytes`; none if it is not whole yet. `ended` says that the peer will
    /// send no more, which is how a body without a length ends (RFC 9112 section 6.3).
    pub fn find(bytes: &[u8], ended: bool) -> Result<Option<Self>> {
        let mut start = 0;
        loop {
            let Some((mut layout, framing)) = Self::of_head(bytes, start)? else {
                return partial(ended, "head");
            };
            // An interim response (RFC 9110 section 15.2) has no body and announces the real one.
            if (100..200).contains(&layout.status) {
                start = layout.length;
                continue;
            }
            let Some((body, length)) = framing.body(bytes, layout.length, ended)? else {
                return partial(ended, "body");
            };
            layout.close |= matches!(framing, Framing::UntilClose);
            layout.length = length;
            layout.body = body;
            return Ok(Some(layout));
        }
    }

    /// The layout of the head at `start`, whose `length` reaches to the start of the body.
    fn of_head(bytes: &[u8], start: usize) -> Result<Option<(Self, Framing)>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&bytes[start..]).context("the response's head cannot be read")?;
        let httparse::Status::Complete(length) = parsed else {
            if bytes.len() - start > HEAD_BYTES_MAX {
                return Err(Failure("the response's head is too long".into()));
            }
            return Ok(None);
        };
        let mut layout = Self {
            status: response.code.unwrap_or(0),
            length: start + length,
            close: response.version == Some(0),
            body: Body::At(0..0),
            cookies: [const { 0..0 }; COOKIES_MAX],
            cookie_count: 0,
        };
        let mut framing = Framing::UntilClose;
        for header in response.headers.iter() {
            // Both are parts of one buffer, so the difference of their addresses is a place in it.
            let at = header.value.as_ptr() as usize - bytes.as_ptr() as usize;
            layout.read_header(header.name, header.value, at, &mut framing)?;
        }
        if matches!(layout.status, 100..=199 | 204 | 304) {
            framing = Framing::Length(0);
        }
        Ok(Some((layout, framing)))
    }

    fn read_header(&mut self, name: &str, value: &[u8], at: usize, framing: &mut Framing) -> Result<()> {
        // The length tells most headers apart without comparing text.
        match name.len() {
            10 if name.eq_ignore_ascii_case("connection") => {
                self.close |= value.eq_ignore_ascii_case(b"close");
            }
            10 if name.eq_ignore_ascii_case("set-cookie") => {
                let free = self.cookies.get_mut(self.cookie_count).context("too many cookies")?;
                *free = at..at + value.len();
                self.cookie_count += 1;
            }
            14 if name.eq_ignore_ascii_case("content-length") => {
                let text = std::str::from_utf8(value).context("content-length is not text")?;
                let length = text.trim().parse().context("content-length is not a number")?;
                if length > BODY_BYTES_MAX {
                    return Err(Failure("the response's body is too long".into()));
                }
                // Transfer-Encoding wins over Content-Length (RFC 9112 section 6.3).
                if !matches!(framing, Framing::Chunked) {
                    *framing = Framing::Length(length);
                }
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                if !value.to_ascii_lowercase().ends_with(b"chunked") {
                    return Err(Failure("a transfer encoding other than chunked".into()));
                }
                *framing = Framing::Chunked;
            }
            _ => {}
        }
        Ok(())
    }
}

fn partial(ended: bool, part: &str) -> Result<Option<Layout>> {
    if ended {
        return Err(Failure(format!("the connection ended before the end of a response's {part}")));
    }
    Ok(None)
}

// === impl Framing ===

impl Framing {
    /// The body that starts at `start` and where it ends; none if it is not all there yet.
    fn body(&self, bytes: &[u8], start: usize, ended: bool) -> Result<Option<(Body, usize)>> {
        let available = bytes.len() - start;
        match self {
            Self::Length(length) if *length <= available => {
                let end = start + length;
                Ok(Some((Body::At(start..end), end)))
            }
            Self::Length(_) => Ok(None),
            Self::UntilClose if ended => Ok(Some((Body::At(start..bytes.len()), bytes.len()))),
            Self::UntilClose if available > BODY_BYTES_MAX => {
                Err(Failure("the response's body is too long".into()))
            }
            Self::UntilClose => Ok(None),
            Self::Chunked => {
                Ok(chunked(&bytes[start..])?.map(|(body, length)| (Body::Joined(body), start + length)))
            }
        }
    }
}

/// Reads a chunked body (RFC 9112 section 7.1) with its trailer, from its start each time: answers of more
/// than one read are rare here, and starting over needs no state that could go wrong.
fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let chunk = httparse::parse_chunk_size(&bytes[at..])
            .map_err(|_| Failure("a chunk's size cannot be read".into()))?;
        let httparse::Status::Complete((line, size)) = chunk else { return Ok(None) };
        at += line;
        if size == 0 {
            return Ok(trailer_end(&bytes[at..])?.map(|length| (body, at + length)));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > BODY_BYTES_MAX - body.len() {
            return Err(Failure("the response's body is too long".into()));
        }
        let Some(data) = bytes.get(at..at + size) else { return Ok(None) };
        body.extend_from_slice(data);
        at += size;
        match bytes.get(at..at + 2) {
            Some(b"\r\n") => at += 2,
            Some(_) => return Err(Failure("a chunk does not end where it said".into())),
            None => return Ok(None),
        }
    }
}

fn trailer_end(bytes: &[u8]) -> Result<Option<usize>> {
    if bytes.starts_with(b"\r\n") {
        return Ok(Some(2));
    }
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    if end.is_none() && bytes.len() > HEAD_BYTES_MAX {
        return Err(Failure("the response's trailer is too long".into()));
    }
    Ok(end.map(|at| at + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nset-cookie: a=1; Path=/\r\n\
        Set-Cookie: b=2\r\ncontent-length: 11\r\n\r\nhello world";
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n";
    const CHUNKED_PLAIN: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n\
        b\r\nhello world\r\n0\r\n\r\n";
    const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n\
        Content-Length: 11\r\n\r\nhello world";

    fn whole(bytes: &[u8], ended: bool) -> (u16, Vec<u8>, usize, bool) {
        let layout = Layout::find(bytes, ended).unwrap().unwrap();
        let response = Response::new(bytes, &layout);
        (response.status(), response.body().to_vec(), layout.length, layout.close)
    }

    #[test]
    fn a_response_cut_anywhere_is_partial_and_whole_only_at_its_last_byte() {
        for bytes in [LENGTH, CHUNKED, CHUNKED_PLAIN, INTERIM] {
            for cut in 0..bytes.len() {
                assert!(Layout::find(&bytes[..cut], false).unwrap().is_none(), "{cut}");
                assert!(Layout::find(&bytes[..cut], true).is_err(), "{cut}");
            }
            let (status, body, length, close) = whole(bytes, false);
            assert!(status == 200 || status == 201);
            assert_eq!((body.as_slice(), length, close), (&b"hello world"[..], bytes.len(), false));
        }
    }

    #[test]
    fn what_follows_a_response_is_left_alone() {
        for bytes in [LENGTH, CHUNKED, CHUNKED_PLAIN, INTERIM] {
            let two = [bytes, LENGTH].concat();
            assert_eq!(whole(&two, false).2, bytes.len());
        }
    }

    #[test]
    fn cookies_are_found_in_order_whatever_the_headers_case() {
        let layout = Layout::find(LENGTH, false).unwrap().unwrap();
        let response = Response::new(LENGTH, &layout);
        assert_eq!(response.set_cookies().collect::<Vec<_>>(), ["a=1; Path=/", "b=2"]);
    }

    #[test]
    fn answers_without_a_body_need_no_length() {
        for status in ["204 No Content", "304 Not Modified"] {
            let bytes = format!("HTTP/1.1 {status}\r\n\r\n");
            let (_, body, length, close) = whole(bytes.as_bytes(), false);
            assert_eq!((body.len(), length, close), (0, bytes.len(), false));
        }
    }

    #[test]
    fn a_body_without_a_length_lasts_until_the_connection_closes() {
        let bytes = b"HTTP/1.1 502 Bad Gateway\r\n\r\nsorry";
        assert!(Layout::find(bytes, false).unwrap().is_none());
        assert_eq!(whole(bytes, true), (502, b"sorry".to_vec(), bytes.len(), true));
        let old = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";
        assert!(whole(old, false).3);
        let close = b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n";
        assert!(whole(close, false).3);
    }

    #[test]
    fn nonsense_and_excess_are_errors_and_never_a_panic() {
        let long_head = [&b"HTTP/1.1 200 OK\r\nX: "[..], &vec![b'a'; HEAD_BYTES_MAX]].concat();
        let cookies = format!("HTTP/1.1 200 OK\r\n{}\r\n", "Set-Cookie: a=b\r\n".repeat(9));
        for bytes in [
            &b"SMTP ready\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            long_head.as_slice(),
            cookies.as_bytes(),
        ] {
            assert!(Layout::find(bytes, false).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        // Every byte replaced by every other: any answer will do, as long as there is one.
        for bytes in [LENGTH, CHUNKED] {
            for at in 0..bytes.len() {
                for byte in 0..=255 {
                    let mut damaged = bytes.to_vec();
                    damaged[at] = byte;
                    let _ = Layout::find(&damaged, at % 2 == 0);
                }
            }
        }
    }
}
