//! The closed loop: every virtual user sends a request, waits for its answer, checks it and sends the next.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::failure::{Context as _, Failure, Result};
use crate::stats::{Stats, Summary};
use crate::wire::{Connection, Response};

/// One virtual user: knows what to send next and what the answer has to be.
pub trait User: Send {
    /// Writes the next request into `out`; false if there is nothing left to send.
    fn request(&mut self, out: &mut Vec<u8>) -> bool;
    /// Judges the answer to the request before.
    fn answer(&mut self, response: &Response<'_>) -> Verdict;
    /// The request before got no answer at all.
    fn unanswered(&mut self) {}
    /// What kind of request was sent last; latencies are kept by kind.
    fn kind(&self) -> &'static str;
}

/// What a user says of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be; says which of the good outcomes it was.
    Good(&'static str),
    /// Refused or wrong: the server's code, or what was wrong.
    Bad(String),
}

/// How hard and how long users hammer.
#[derive(Clone, Debug)]
pub struct Load {
    /// Users are dealt out among them, one after the other.
    pub targets: Vec<SocketAddr>,
    /// Generator threads; users are dealt out among them.
    pub threads: usize,
    /// Answers during the warm-up are checked but their latencies are not counted.
    pub warm_up: Duration,
    pub time: Duration,
    /// Requests per second of all users together; none: as fast as the answers come.
    pub rate: Option<f64>,
}

// === impl Load ===

impl Load {
    pub fn new(target: SocketAddr, time: Duration) -> Self {
        Self::over(vec![target], time)
    }

    /// Over several servers.
    pub fn over(targets: Vec<SocketAddr>, time: Duration) -> Self {
        Self { targets, threads: 1, warm_up: Duration::from_millis(300), time, rate: None }
    }

    pub fn without_warm_up(self) -> Self {
        Self { warm_up: Duration::ZERO, ..self }
    }

    pub fn at_rate(self, rate: f64) -> Self {
        Self { rate: Some(rate), ..self }
    }

    /// Runs the users until the time is over or they have nothing left to send.
    pub fn run(&self, users: Vec<Box<dyn User>>) -> Result<Summary> {
        let threads = self.threads.clamp(1, users.len().max(1));
        let pace = self.rate.map(|rate| Duration::from_secs_f64(users.len() as f64 / rate.max(0.001)));
        let mut hands: Vec<Vec<Guest>> = (0..threads).map(|_| Vec::new()).collect();
        let count = users.len();
        for (n, user) in users.into_iter().enumerate() {
            // Paced users start spread over one interval, so that they do not march in step.
            let offset = pace.map_or(Duration::ZERO, |pace| pace.mul_f64(n as f64 / count as f64));
            let target = self.targets[n % self.targets.len()];
            hands[n % threads].push(Guest { user, target, offset });
        }
        let start = clock::now();
        let from = start + self.warm_up;
        let until = from + self.time;
        let stats = std::thread::scope(|scope| {
            let running: Vec<_> = hands
                .into_iter()
                .map(|hand| scope.spawn(move || run_thread(hand, pace, start, from, until)))
                .collect();
            let mut stats = Stats::default();
            for thread in running {
                stats.merge(thread.join().map_err(|_| Failure("a generator thread panicked".into()))??);
            }
            Ok::<_, Failure>(stats)
        })?;
        Ok(stats.summary(from, until))
    }
}

/// A user before it sits down.
struct Guest {
    user: Box<dyn User>,
    target: SocketAddr,
    /// When it begins, if it is paced.
    offset: Duration,
}

fn run_thread(
    guests: Vec<Guest>,
    pace: Option<Duration>,
    start: Instant,
    from: Instant,
    until: Instant,
) -> Result<Stats> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("runtime")?;
    let stats = Rc::new(RefCell::new(Stats::default()));
    let local = tokio::task::LocalSet::new();
    for Guest { user, target, offset } in guests {
        let seat = Seat {
            connection: Connection::new(target),
            pace: pace.map(|interval| Pace { interval, next: start + offset }),
            from,
            until,
            stats: Rc::clone(&stats),
        };
        local.spawn_local(seat.run(user));
    }
    runtime.block_on(local);
    Ok(stats.take())
}

/// Where a user sits: its connection, its pace and the sheet its answers are counted on.
struct Seat {
    connection: Connection,
    pace: Option<Pace>,
    from: Instant,
    until: Instant,
    stats: Rc<RefCell<Stats>>,
}

/// When a paced user is due.
struct Pace {
    interval: Duration,
    next: Instant,
}

// === impl Seat ===

impl Seat {
    async fn run(mut self, mut user: Box<dyn User>) {
        let mut request = Vec::with_capacity(2048);
        loop {
            let began = match &mut self.pace {
                Some(pace) => pace.wait().await,
                None => clock::now(),
            };
            if began >= self.until {
                return;
            }
            request.clear();
            if !user.request(&mut request) {
                self.stats.borrow_mut().ran_dry = true;
                return;
            }
            let verdict = match self.connection.send(&request).await {
                Ok(response) => user.answer(&response),
                Err(failure) => {
                    user.unanswered();
                    // A server that is not there must not be asked a hundred thousand times a second.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    Verdict::Bad(format!("no_answer ({failure})"))
                }
            };
            let ended = clock::now();
            match verdict {
                Verdict::Bad(code) => self.stats.borrow_mut().bad(code),
                // What ends outside the window is not counted, neither as an answer nor in its rate.
                Verdict::Good(outcome) if ended >= self.from && ended < self.until => {
                    self.stats.borrow_mut().good(user.kind(), outcome, ended - began, ended);
                }
                Verdict::Good(_) => {}
            }
        }
    }
}

// === impl Pace ===

impl Pace {
    /// Waits until the user is due and says from when its latency counts. A user held up by a slow answer was
    /// due earlier, and that wait is the server's; a user that slept is charged nothing for the timer's
    /// coarse millisecond.
    async fn wait(&mut self) -> Instant {
        let due = self.next;
        self.next += self.interval;
        if clock::now() >= due {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        clock::now()
    }
}
