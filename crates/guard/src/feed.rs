//! One connection to the issuer's revocation feed, kept in the background for as long as there is a guard.
//!
//! The feed is *live* while the issuer's last beat is younger than the longest silence. Only then is anything decided by
//! what it told; otherwise nobody knows, and the guard asks.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use http_body_util::BodyExt as _;
use tenure_domain::access_token::AccessClaims;
use tenure_domain::revocation::{Beat, Verdict};
use tenure_domain::time::Timestamp;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::builder::Clock;
use crate::events::{Event, Events};
use crate::http_client::Client;
use crate::known::Known;
use crate::strict::API_KEY;

const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Between two tries to reach the feed: at first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LAST: Duration = Duration::from_secs(10);

/// Ends its connection when it is dropped.
pub struct Feed {
    heard: Arc<Heard>,
    task: AbortHandle,
}

/// Where the feed is, and how it is listened to.
pub struct FeedOptions {
    pub client: Client,
    pub uri: Uri,
    pub key: HeaderValue,
    /// How long the issuer may be silent.
    pub silence_max: Duration,
    pub clock: Clock,
}

struct Heard {
    state: RwLock<State>,
    silence_max: Duration,
    clock: Clock,
}

#[derive(Default)]
struct State {
    /// Whole from the first beat of a connection to its end.
    known: Option<Known>,
    beat: Option<LastBeat>,
    /// Since when this connection's feed is live.
    live_since: Option<Instant>,
}

/// By both clocks: the one that counts while it runs stops while the machine sleeps, and the other one is set.
#[derive(Clone, Copy)]
struct LastBeat {
    at: Instant,
    by_clock: Timestamp,
    by_issuer: Timestamp,
}

impl Feed {
    pub fn listen(options: FeedOptions, runtime: &Handle) -> Self {
        let (silence_max, clock) = (options.silence_max, Arc::clone(&options.clock));
        let heard = Arc::new(Heard { state: RwLock::default(), silence_max, clock });
        let task = runtime.spawn(keep_listening(options, Arc::clone(&heard))).abort_handle();
        Self { heard, task }
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.heard.state().is_live(self.heard.silence_max, now)
    }

    /// What time it is by the issuer's clock, whatever this machine's says; none while the feed is not live. It may be
    /// behind by as much as beats are under way, and is never ahead.
    pub fn issuers_time(&self, now: Timestamp) -> Option<Timestamp> {
        let state = self.heard.state();
        let beat = state.beat.filter(|_| state.is_live(self.heard.silence_max, now));
        beat.map(|beat| beat.by_issuer + beat.at.elapsed())
    }

    /// What was told of this token's session and user; none while the feed is not live.
    pub fn judge(&self, claims: &AccessClaims, now: Timestamp) -> Option<Verdict> {
        let issuers_time = self.issuers_time(now)?;
        let state = self.heard.state();
        let known = state.known.as_ref().filter(|_| state.is_live(self.heard.silence_max, now));
        known.map(|known| known.judge(claims, issuers_time))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Heard {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The longest that a beat is under way: as long as the first one was, and as much longer as they may become.
    fn lag_max(&self) -> Duration {
        self.silence_max.saturating_mul(2)
    }

    fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_live(&self, silence_max: Duration, now: Timestamp) -> bool {
        let is_young = |beat: &LastBeat| {
            // Set back or forward, it has shown that nothing is known of it.
            let by_clock = now.since(beat.by_clock).max(beat.by_clock.since(now));
            beat.at.elapsed() < silence_max && by_clock < silence_max
        };
        self.known.is_some() && self.beat.as_ref().is_some_and(is_young)
    }
}

async fn keep_listening(options: FeedOptions, heard: Arc<Heard>) {
    let (mut tries, mut logged) = (Tries::default(), None);
    loop {
        let Err(why) = connect(&options, &heard).await;
        let live_since = std::mem::take(&mut *heard.change()).live_since;
        if live_since.is_some() {
            logged = None;
        }
        if logged.as_ref() != Some(&why) {
            tracing::warn!(%why, "the revocation feed is not heard, so the issuer is asked for each request");
            logged = Some(why);
        }
        let was_live = live_since.map_or(Duration::ZERO, |since| since.elapsed());
        sleep(tries.pause(was_live >= options.silence_max)).await;
    }
}

/// The tries to listen since it was listened to for some time.
#[derive(Default)]
struct Tries(u32);

impl Tries {
    /// Before the next one. A connection that was cut after its first beat has cost as much as one that never was.
    fn pause(&mut self, has_lasted: bool) -> Duration {
        let failures = if has_lasted { 0 } else { self.0 };
        self.0 = failures.saturating_add(1);
        pause(failures)
    }
}

/// Guards that lost the feed together do not all come back at once.
fn pause(failures: u32) -> Duration {
    use std::hash::BuildHasher as _;
    let chance = std::hash::RandomState::new().hash_one(failures) % 1024;
    let pause = RETRY_FIRST.saturating_mul(1 << failures.min(8)).min(RETRY_LAST);
    pause.mul_f64(0.5 + chance as f64 / 1024.0)
}

/// Listens until there is nothing more to hear, and says why.
async fn connect(options: &FeedOptions, heard: &Heard) -> Result<Infallible, String> {
    // From here on, and not from the answer on: by what the first beat was under way, none of them is found late.
    let mut deadline = Instant::now() + options.silence_max;
    let headers = HeaderMap::from_iter([(API_KEY, options.key.clone()), (ACCEPT, EVENTS)]);
    let answer = options.client.open(&options.uri, headers).await.map_err(|error| error.to_string())?;
    if let Some(fault) = fault(answer.status(), answer.headers().get(CONTENT_TYPE)) {
        return Err(fault);
    }
    let (mut body, mut events) = (answer.into_body(), Events::default());
    let mut hearing = Hearing { heard, begun: None, least_late: None };
    loop {
        let frame = timeout_at(deadline, body.frame()).await;
        let data = match frame {
            Err(_) => return Err(format!("no beat for {:?}", options.silence_max)),
            Ok(None) => return Err("the issuer closed it".into()),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        for event in events.push(&data).map_err(|error| error.to_string())? {
            if hearing.hear(&event)? {
                deadline = Instant::now() + options.silence_max;
            }
        }
    }
}

/// Why this answer is no feed.
fn fault(status: StatusCode, kind: Option<&HeaderValue>) -> Option<String> {
    match status {
        StatusCode::OK if kind.is_some_and(|kind| kind.as_bytes().starts_with(EVENTS.as_bytes())) => None,
        StatusCode::OK => Some("something else answers in its place".into()),
        StatusCode::UNAUTHORIZED => Some("the API key does not stand".into()),
        StatusCode::FORBIDDEN => Some("the API key has no scope `revocations.read`".into()),
        status => Some(format!("{status} instead of a feed")),
    }
}

struct Hearing<'a> {
    heard: &'a Heard,
    /// What is told at first, until all of it is.
    begun: Option<Known>,
    /// Milliseconds by which beats are behind this clock when they arrive, at the least: what the two clocks differ by.
    least_late: Option<i64>,
}

impl Hearing<'_> {
    /// True of a beat.
    fn hear(&mut self, event: &Event) -> Result<bool, String> {
        match event.name.as_str() {
            "begin" => {
                self.heard.change().known = None;
                self.begun = Some(Known::new(read(event)?, self.heard.lag_max()));
            }
            "facts" => {
                let (facts, now) = (read(event)?, Instant::now());
                let noted = match &mut self.begun {
                    Some(begun) => begun.note(facts, now),
                    None => self.heard.change().known.as_mut().map_or(Ok(()), |known| known.note(facts, now)),
                };
                noted.map_err(|error| error.to_string())?;
            }
            "beat" => {
                let (beat, by_clock, at): (Beat, _, _) = (read(event)?, (self.heard.clock)(), Instant::now());
                self.is_in_time(beat, by_clock)?;
                let mut state = self.heard.change();
                if let Some(begun) = self.begun.take() {
                    (state.known, state.live_since) = (Some(begun), Some(at));
                    tracing::info!("the revocation feed is live");
                }
                state.known.iter_mut().for_each(|known| known.forget_old(at));
                state.beat = Some(LastBeat { at, by_clock, by_issuer: beat.server_time });
                return Ok(true);
            }
            // Of a later version.
            _ => {}
        }
        Ok(false)
    }

    /// A beat that was long under way says nothing about now: what is told after it waits behind it.
    fn is_in_time(&mut self, beat: Beat, now: Timestamp) -> Result<(), String> {
        let late = now.as_ms().saturating_sub(beat.server_time.as_ms());
        let least = self.least_late.map_or(late, |least| least.min(late));
        self.least_late = Some(least);
        let silence_max = i64::try_from(self.heard.silence_max.as_millis()).unwrap_or(i64::MAX);
        match late.saturating_sub(least) < silence_max {
            true => Ok(()),
            false => Err("what it tells comes late".into()),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(event: &Event) -> Result<T, String> {
    serde_json::from_slice(&event.data).map_err(|error| format!("{} cannot be read: {error}", event.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_domain::revocation::Begin;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const SILENCE_MAX: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_beat_is_worth_something_for_as_long_as_both_clocks_say() {
        let is_live = |ago: u64, by_clock: i64| {
            let begin = Begin { since: NOW, keep: 9 };
            let at = Instant::now().checked_sub(Duration::from_secs(ago)).unwrap();
            let by_clock = Timestamp::from_ms(NOW.as_ms() + by_clock * 1000);
            let beat = Some(LastBeat { at, by_clock, by_issuer: NOW });
            let known = Some(Known::new(begin, Duration::ZERO));
            State { known, beat, live_since: Some(at) }.is_live(SILENCE_MAX, NOW)
        };
        assert!(is_live(0, 0) && is_live(9, -9) && is_live(0, 9));
        // Silent, while the clock was set back; asleep, while the other one stood still; and set ahead since.
        assert!(!is_live(10, 0) && !is_live(0, -10) && !is_live(0, 10));
        assert!(!State::default().is_live(SILENCE_MAX, NOW));
    }

    #[tokio::test]
    async fn a_beat_that_was_long_under_way_is_none() {
        let ms = Arc::new(std::sync::atomic::AtomicI64::new(0));
        let clock = Arc::clone(&ms);
        let clock: Clock =
            Arc::new(move || Timestamp::from_ms(clock.load(std::sync::atomic::Ordering::SeqCst)));
        let heard = Heard { state: RwLock::default(), silence_max: SILENCE_MAX, clock };
        let mut hearing = Hearing { heard: &heard, begun: None, least_late: None };
        let event = |name: &str, data: String| Event { name: name.into(), data: data.into_bytes() };
        hearing.hear(&event("begin", r#"{"since":0,"keep":9}"#.into())).unwrap();
        // The clocks differ by an hour, which is nobody's fault.
        for (arrives, sent, is_beat) in
            [(0, 0, true), (4_000, 3_000, true), (15_000, 5_100, true), (25_000, 15_000, false)]
        {
            ms.store(arrives, std::sync::atomic::Ordering::SeqCst);
            let heard = hearing.hear(&event("beat", format!(r#"{{"server_time":{}}}"#, sent + 3_600_000)));
            assert_eq!(heard.is_ok(), is_beat, "{sent} at {arrives}");
        }
    }

    #[test]
    fn tries_are_spread_and_become_rarer_up_to_a_bound() {
        for failures in [0, 1, 5, 8, 100] {
            let usual = RETRY_FIRST.saturating_mul(1 << failures.min(8)).min(RETRY_LAST);
            let pauses: Vec<_> = (0..50).map(|_| pause(failures)).collect();
            assert!(pauses.iter().all(|pause| *pause >= usual / 2 && *pause <= usual * 3 / 2), "{failures}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{failures}");
        }
    }

    #[test]
    fn a_feed_that_is_cut_again_and_again_is_tried_as_rarely_as_one_that_is_not_there() {
        let mut tries = Tries::default();
        assert!(tries.pause(false) <= RETRY_FIRST * 3 / 2);
        for _ in 0..8 {
            tries.pause(false);
        }
        assert!(tries.pause(false) >= RETRY_LAST / 2);
        assert!(tries.pause(true) <= RETRY_FIRST * 3 / 2);
        assert!((RETRY_FIRST..=RETRY_FIRST * 3).contains(&tries.pause(false)));
    }
}
