//! Points in time, and the constants of the protocol with their checks (protocol.md section 2).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch, UTC. On the wire it is that integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down: the NumericDate of RFC 7519 section 2.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time from `earlier` to this point; zero if `earlier` is in fact later, as it may be when two
    /// servers disagree by a few seconds.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC with milliseconds, for people and logs.
/// Text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as 2026-01-31T09:30:00Z")]
pub struct TimestampError;

/// Reads RFC 3339 and what databases write: a blank for the `T`, any number of digits of a second, an offset of hours
/// only, or none, which is UTC.
impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text).ok_or(TimestampError)
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let (whole, rest) = text.split_at(19);
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = whole.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let marks = [4, 7, 10, 13, 16].map(|at| whole.as_bytes()[at]);
    let [b'-', b'-', b'T' | b't' | b' ', b':', b':'] = marks else { return None };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of_month = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let is_real = (1..=days_of_month).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let (fraction, offset) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
    };
    let ms: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    // Days since the epoch, of a year that begins in March (H. Hinnant, "chrono-compatible low-level date algorithms").
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - seconds_ahead(offset)?;
    is_real.then_some(Timestamp(seconds * 1000 + ms))
}

/// Of UTC: `Z`, `+05:30`, `-0800`, `+02` or nothing.
fn seconds_ahead(offset: &str) -> Option<i64> {
    let sign = match offset.as_bytes().first() {
        None | Some(b'Z' | b'z') => return (offset.len() <= 1).then_some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    let digits: String = offset.get(1..)?.chars().filter(|c| *c != ':').collect();
    let digits = if digits.len() == 2 { format!("{digits}00") } else { digits };
    let is_plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = is_plain.then(|| digits.parse().ok()).flatten()?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.div_euclid(86_400_000);
        let in_day = self.0.rem_euclid(86_400_000);
        // Days to civil date in the proleptic Gregorian calendar, counted in 400-year eras that start on
        // the first of March, so that the leap day is the last day of a year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let Ok(year @ 0..=9999) = u16::try_from(year) else {
            // Outside what RFC 3339 can write; said in a form that at least sorts as text.
            return write!(f, "{year:+}-{month:02}-{day:02}T{in_day}ms");
        };
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |at: usize, width: usize, mut value: i64| {
            for place in (at..at + width).rev() {
                text[place] = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, i64::from(year));
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, in_day / 3_600_000);
        put(14, 2, in_day / 60_000 % 60);
        put(17, 2, in_day / 1000 % 60);
        put(20, 3, in_day % 1000);
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// How far ahead of the server a client's `Tenure-Sent-At` may be before the request is refused.
pub const SENT_AT_AHEAD: Duration = Duration::from_secs(5);

/// A session is still served this long after `expires_at`, so that no disagreement between clocks takes a
/// second from the promised lifetime.
pub const EXPIRY_GRACE: Duration = Duration::from_secs(60);

/// The time constants of the protocol (protocol.md section 2). Built from the configuration, checked once at
/// start with [`TimeRules::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeRules {
    /// `F`: a refresh older than this when it reaches the rule is refused.
    pub freshness: Duration,
    /// `C`: a crashed browser may come back with the jar it had up to this long ago.
    pub jar_flush_lag: Duration,
    /// `S`: how long a generation must rest before its predecessor can die.
    pub settle: Duration,
    /// Lifetime of a session with "remember me", from sign-in.
    pub remembered_lifetime: Duration,
    /// Lifetime of a session without.
    pub short_lifetime: Duration,
    /// Longest lifetime of an access token; each is drawn from [0.9, 1] of it.
    pub access_lifetime: Duration,
}

impl Default for TimeRules {
    fn default() -> Self {
        Self {
            freshness: Duration::from_secs(15),
            jar_flush_lag: Duration::from_secs(30),
            settle: Duration::from_secs(90),
            remembered_lifetime: Duration::from_secs(20 * 86_400),
            short_lifetime: Duration::from_secs(86_400),
            access_lifetime: Duration::from_secs(15 * 60),
        }
    }
}

/// Why a set of time constants cannot keep the promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeRuleError {
    #[error(
        "settle is {settle:?} but must be at least 3 x (freshness + 5s) + jar_flush_lag = {needed:?}; \
         with less, an honest browser can be signed out (protocol section 5)"
    )]
    SettleTooShort { settle: Duration, needed: Duration },
    #[error("{name} is {value:?} but must lie between {min:?} and {max:?}")]
    OutOfRange { name: &'static str, value: Duration, min: Duration, max: Duration },
}

impl TimeRules {
    /// Refuses constants under which the invariants of protocol.md section 5 do not hold.
    pub fn check(&self) -> Result<(), TimeRuleError> {
        const MINUTE: Duration = Duration::from_secs(60);
        const DAY: Duration = Duration::from_secs(86_400);
        let within = |name, value: Duration, min: Duration, max: Duration| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                Err(TimeRuleError::OutOfRange { name, value, min, max })
            }
        };
        within("freshness", self.freshness, Duration::from_secs(1), 5 * MINUTE)?;
        within("jar_flush_lag", self.jar_flush_lag, Duration::ZERO, 10 * MINUTE)?;
        within("access_lifetime", self.access_lifetime, MINUTE, 60 * MINUTE)?;
        within("short_lifetime", self.short_lifetime, 60 * MINUTE, 7 * DAY)?;
        // Browsers cap a cookie's life at 400 days, and ours is sent with a day of margin.
        within("remembered_lifetime", self.remembered_lifetime, DAY, 399 * DAY)?;
        let needed = self.settle_bound();
        if self.settle < needed {
            return Err(TimeRuleError::SettleTooShort { settle: self.settle, needed });
        }
        within("settle", self.settle, needed, 60 * MINUTE)
    }

    /// The least `settle` under which an honest browser is safe: 3(F + 5 s) + C.
    ///
    /// A token may leave the jar for good as late as 2F after its successor was minted (an answer that is F
    /// old puts it back, another that is F old takes it out again), may come back by a crash for C more, and
    /// a request sent at the last moment before that takes another F. The model finds a sign-out at one tick
    /// less than 3F + C. Of the 15 s on top, 5 are for clients that think they are ahead and 10 for servers
    /// whose clocks disagree.
    pub fn settle_bound(&self) -> Duration {
        (self.freshness + SENT_AT_AHEAD) * 3 + self.jar_flush_lag
    }

    pub fn session_lifetime(&self, remembered: bool) -> Duration {
        if remembered { self.remembered_lifetime } else { self.short_lifetime }
    }

    /// Judges the `Tenure-Sent-At` of a request that reached the rule at `now`.
    pub fn freshness_of(&self, sent_at: Option<Timestamp>, now: Timestamp) -> Freshness {
        match sent_at {
            None => Freshness::Unknown,
            Some(sent_at) if sent_at > now + SENT_AT_AHEAD => Freshness::Stale,
            Some(sent_at) if now.since(sent_at) > self.freshness => Freshness::Stale,
            Some(_) => Freshness::Fresh,
        }
    }
}

/// What the server knows of a refresh request's age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Sent at most `F` ago by the server's clock.
    Fresh,
    /// No `Tenure-Sent-At`: served, but it may be a straggler, so it never replaces a lost successor.
    Unknown,
    /// Refused with 409 `request_stale` and no change of state.
    Stale,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_keep_the_promise_and_a_second_less_than_the_bound_does_not() {
        let rules = TimeRules::default();
        assert_eq!(rules.check(), Ok(()));
        assert_eq!(rules.settle_bound(), Duration::from_secs(90));
        let short = TimeRules { settle: Duration::from_millis(89_999), ..rules };
        assert!(matches!(short.check(), Err(TimeRuleError::SettleTooShort { .. })));
    }

    #[test]
    fn freshness_is_judged_at_both_edges() {
        let rules = TimeRules::default();
        let now = Timestamp::from_ms(1_000_000);
        let at = |ms| rules.freshness_of(Some(Timestamp::from_ms(ms)), now);
        assert_eq!(at(1_000_000 - 15_000), Freshness::Fresh);
        assert_eq!(at(1_000_000 - 15_001), Freshness::Stale);
        assert_eq!(at(1_000_000 + 5_000), Freshness::Fresh);
        assert_eq!(at(1_000_000 + 5_001), Freshness::Stale);
        assert_eq!(at(i64::MIN), Freshness::Stale);
        assert_eq!(at(i64::MAX), Freshness::Stale);
        assert_eq!(rules.freshness_of(None, now), Freshness::Unknown);
    }

    #[test]
    fn timestamps_print_as_rfc_3339() {
        let shown = |ms| Timestamp::from_ms(ms).to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(shown(1_795_197_479_999), "2026-11-20T17:57:59.999Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn timestamps_are_read_as_databases_write_them() {
        let read = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_ms);
        for text in [
            "2026-11-20T17:57:59.999Z",
            "2026-11-20 17:57:59.999999",
            "2026-11-20T17:57:59.999999+00:00",
            "2026-11-20 19:57:59.999+02",
            "2026-11-20T12:27:59.9990-0530",
        ] {
            assert_eq!(read(text), Some(1_795_197_479_999), "{text}");
        }
        assert_eq!(read("1970-01-01 00:00:00"), Some(0));
        for text in [
            "",
            "2026-11-20",
            "2026-13-20T17:57:59Z",
            "2026-02-29T17:57:59Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T17:57:59+24:00",
            "2026-11-20T17:57:59Zzz",
            "2026-11-20T17:57:59 and later",
            "2026-1+-20T17:57:59Z",
            "٢٠٢٦-11-20T17:57:59Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        for days in (-800_000..1_000_000).step_by(97) {
            let time = Timestamp::from_ms(days * 86_400_000 + 1);
            if !time.to_string().starts_with(['+', '-']) {
                assert_eq!(time.to_string().parse(), Ok(time));
            }
        }
    }
}
