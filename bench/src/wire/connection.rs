//! One keep-alive connection with one request at a time.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::response::{Layout, Response};
use crate::failure::{Context as _, Failure, Result};

/// An answer that takes longer than this is a fault, not a latency.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends requests over one connection, which is opened when it is needed and kept as long as it lives.
pub struct Connection {
    target: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    layout: Option<Layout>,
}

// === impl Connection ===

impl Connection {
    pub fn new(target: SocketAddr) -> Self {
        Self { target, stream: None, buffer: Vec::with_capacity(8 * 1024), layout: None }
    }

    /// Sends a request and waits for its answer. After any error the connection is closed, and the next
    /// call opens another: nothing is ever sent twice behind the caller's back.
    pub async fn send(&mut self, request: &[u8]) -> Result<Response<'_>> {
        self.buffer.clear();
        let exchanged = tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(request)).await;
        match exchanged.unwrap_or_else(|_| Err(Failure("no answer in time".into()))) {
            Ok(layout) => {
                // What follows an answer unasked cannot be trusted to belong to anything.
                if layout.close || layout.length < self.buffer.len() {
                    self.stream = None;
                }
                Ok(Response::new(&self.buffer, self.layout.insert(layout)))
            }
            Err(failure) => {
                self.stream = None;
                Err(failure)
            }
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Layout> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.target).await.context("connect")?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        stream.write_all(request).await.context("send")?;
        loop {
            let ended = stream.read_buf(&mut self.buffer).await.context("receive")? == 0;
            if let Some(layout) = Layout::find(&self.buffer, ended)? {
                return Ok(layout);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\n\r\n\
        3\r\nabc\r\n0\r\n\r\n";

    async fn server(pieces: Vec<Vec<u8>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut request = [0; 64];
                while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    for piece in &pieces {
                        stream.write_all(piece).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                    if pieces.concat() != ANSWER {
                        break;
                    }
                }
            }
        });
        target
    }

    #[tokio::test]
    async fn an_answer_that_comes_byte_by_byte_is_read_and_the_connection_is_used_again() {
        let target = server(ANSWER.iter().map(|byte| vec![*byte]).collect()).await;
        let mut connection = Connection::new(target);
        for _ in 0..3 {
            let response = connection.send(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            assert_eq!((response.status(), response.body()), (200, &b"abc"[..]));
            assert_eq!(response.set_cookies().collect::<Vec<_>>(), ["a=1"]);
            assert!(connection.stream.is_some());
        }
    }

    #[tokio::test]
    async fn a_connection_cut_inside_an_answer_is_an_error_and_the_next_request_opens_another() {
        let target = server(vec![ANSWER[..ANSWER.len() - 3].to_vec()]).await;
        let mut connection = Connection::new(target);
        for _ in 0..3 {
            assert!(connection.send(b"GET / HTTP/1.1\r\n\r\n").await.is_err());
            assert!(connection.stream.is_none());
        }
    }

    #[tokio::test]
    async fn nobody_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        drop(listener);
        assert!(Connection::new(target).send(b"x").await.is_err());
    }
}
