//! A network that misbehaves: between the clients and the server, one fate per request.
//!
//! It speaks just enough HTTP/1.1 to see where a request ends, and sends each to the server on a connection
//! of its own: where there are several, to the next one that is up. It follows the servers across restarts:
//! whoever starts one tells it where it listens, and that it is gone. A port is thus never reserved, and never
//! somebody else's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::random::Random;

/// A hop that has not answered by then is given up, so that no task outlives its test.
const HOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Where one server listens now, if it runs.
pub type Upstream = watch::Receiver<Option<SocketAddr>>;

pub struct Proxy {
    pub address: SocketAddr,
    pub state: Arc<State>,
    accepting: JoinHandle<()>,
}

pub struct State {
    upstreams: Vec<Upstream>,
    next: AtomicUsize,
    seed: u64,
    faulty: AtomicBool,
    requests: AtomicUsize,
    /// How many requests did not simply pass.
    pub faults: AtomicUsize,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Pass,
    /// It never reaches the server.
    DropRequest,
    /// The server answers, and nobody hears it.
    DropAnswer,
    DelayRequest(Duration),
    DelayAnswer(Duration),
    /// It reaches the server twice, the second time this much later; the client hears the chosen answer.
    Duplicate {
        later: Duration,
        hears_second: bool,
    },
    /// The connection stays open and silent, whether or not the server got the request.
    HalfOpen {
        delivered: bool,
    },
}

impl Fate {
    fn draw(random: &mut Random) -> Self {
        match random.below(100) {
            0..55 => Fate::Pass,
            55..63 => Fate::DropRequest,
            63..74 => Fate::DropAnswer,
            74..80 => Fate::DelayRequest(delay(random)),
            80..85 => Fate::DelayAnswer(delay(random)),
            85..96 => {
                let later = if random.chance(60) { random.ms(0, 60) } else { random.ms(60, 4_000) };
                Fate::Duplicate { later, hears_second: random.chance(30) }
            }
            _ => Fate::HalfOpen { delivered: random.chance(50) },
        }
    }
}

/// Mostly tens of milliseconds; sometimes longer than a client waits for a refresh.
fn delay(random: &mut Random) -> Duration {
    if random.chance(70) { random.ms(10, 150) } else { random.ms(150, 1_500) }
}

impl Proxy {
    pub async fn start(seed: u64, upstreams: Vec<Upstream>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            upstreams,
            next: AtomicUsize::new(0),
            seed,
            faulty: AtomicBool::new(true),
            requests: AtomicUsize::new(0),
            faults: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&shared).carry(client));
            }
        });
        Self { address, state, accepting }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set_faulty(&self, faulty: bool) {
        self.state.faulty.store(faulty, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    async fn carry(self: Arc<Self>, mut client: TcpStream) {
        let _ = client.set_nodelay(true);
        let request = match timeout(HOP_TIMEOUT, read_request(&mut client)).await {
            Ok(Ok(request)) => request,
            _ => return,
        };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let faulty = self.faulty.load(Ordering::Relaxed);
        let mut random = Random::of_one(self.seed, "fate", number);
        let fate = if faulty { Fate::draw(&mut random) } else { Fate::Pass };
        if !matches!(fate, Fate::Pass) {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        let heard = match fate {
            Fate::Pass => self.forward(&request).await,
            Fate::DropRequest => return hang_up(&client),
            Fate::DropAnswer => {
                let _ = self.forward(&request).await;
                return hang_up(&client);
            }
            Fate::DelayRequest(delay) => {
                sleep(delay).await;
                self.forward(&request).await
            }
            Fate::DelayAnswer(delay) => {
                let answer = self.forward(&request).await;
                sleep(delay).await;
                answer
            }
            Fate::Duplicate { later, hears_second } => self.duplicate(request, later, hears_second).await,
            Fate::HalfOpen { delivered } => {
                if delivered {
                    let _ = self.forward(&request).await;
                }
                sleep(random.ms(2_000, 6_000)).await;
                return hang_up(&client);
            }
        };
        match heard {
            Ok(answer) if !answer.is_empty() => {
                if client.write_all(&answer).await.is_ok() {
                    let _ = client.shutdown().await;
                }
            }
            _ => hang_up(&client),
        }
    }

    /// Both copies run on their own: the late one arrives whether or not anybody still waits.
    async fn duplicate(
        self: &Arc<Self>,
        request: Vec<u8>,
        later: Duration,
        hears_second: bool,
    ) -> io::Result<Vec<u8>> {
        let copy = |wait: Duration| {
            let (state, request) = (Arc::clone(self), request.clone());
            tokio::spawn(async move {
                sleep(wait).await;
                state.forward(&request).await
            })
        };
        let (first, second) = (copy(Duration::ZERO), copy(later));
        let heard = if hears_second { second } else { first };
        heard.await.unwrap_or_else(|_| Err(io::ErrorKind::ConnectionReset.into()))
    }

    /// One request and its whole answer, on a connection of its own. A server that dies half way leaves half
    /// an answer, or none.
    async fn forward(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let exchange = async {
            let mut server = self.connect().await?;
            let _ = server.set_nodelay(true);
            server.write_all(request).await?;
            let mut answer = Vec::with_capacity(4096);
            server.read_to_end(&mut answer).await?;
            Ok(answer)
        };
        timeout(HOP_TIMEOUT, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// To the next server in turn that takes connections; one that is held takes them and says nothing.
    async fn connect(&self) -> io::Result<TcpStream> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        for number in 0..self.upstreams.len() {
            let upstream = &self.upstreams[(turn + number) % self.upstreams.len()];
            let address = *upstream.borrow();
            let Some(address) = address else { continue };
            if let Ok(server) = TcpStream::connect(address).await {
                return Ok(server);
            }
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

/// With a reset instead of a farewell.
fn hang_up(client: &TcpStream) {
    let _ = client.set_zero_linger();
}

/// Reads one request and asks the server to close after it, so that the end of the answer can be seen.
async fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2048);
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    while bytes.len() < head_end + 4 + body {
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    bytes.splice(head_end..head_end, *b"\r\nconnection: close");
    Ok(bytes)
}
