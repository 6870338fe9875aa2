//! Bytes on a socket, for what no well-behaved client would send.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub struct Raw {
    stream: TcpStream,
}

#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Raw {
    pub async fn connect(address: std::net::SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap() }
    }

    /// Writes as much as the server takes; it may hang up in the middle.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// One answer with a Content-Length. None if the server hung up without one.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        tokio::time::timeout(Duration::from_secs(30), self.read()).await.expect("an answer in half a minute")
    }

    async fn read(&mut self) -> Option<RawAnswer> {
        let mut bytes = vec![];
        let head_end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        let mut body = bytes.split_off(head_end);
        while body.len() < length {
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(n) => body.extend_from_slice(&buffer[..n]),
            }
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(RawAnswer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Whether the server has closed its side.
    pub async fn is_closed(&mut self) -> bool {
        let mut buffer = [0; 1];
        let read = tokio::time::timeout(Duration::from_secs(30), self.stream.read(&mut buffer)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }
}

impl RawAnswer {
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}
