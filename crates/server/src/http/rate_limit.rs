//! What answers tell of limits: the `RateLimit-Policy` and `RateLimit` fields of
//! draft-ietf-httpapi-ratelimit-headers-11, an item for each limit that the request was counted in.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::problem::whole_seconds;
use crate::limits::{Standing, WINDOW};

pub const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// Room for what is written of one limit.
const ITEM_EXPECTED: usize = 40;

/// Adds both fields, if there is anything to tell.
pub fn tell(headers: &mut HeaderMap, standings: &[Standing]) {
    if standings.is_empty() {
        return;
    }
    let mut policy = String::with_capacity(ITEM_EXPECTED * standings.len());
    let mut now = String::with_capacity(ITEM_EXPECTED * standings.len());
    for (at, Standing { limit, quota, remaining, resets_in }) in standings.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let (window, reset) = (WINDOW.as_secs(), whole_seconds(*resets_in));
        // Writing to a string cannot fail.
        let _ = write!(policy, r#"{comma}"{limit}";q={quota};w={window}"#);
        let _ = write!(now, r#"{comma}"{limit}";r={remaining};t={reset}"#);
    }
    if let (Ok(policy), Ok(now)) = (HeaderValue::try_from(policy), HeaderValue::try_from(now)) {
        headers.insert(POLICY, policy);
        headers.insert(STANDING, now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(standings: &[Standing]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        tell(&mut headers, standings);
        [POLICY, STANDING]
            .iter()
            .filter_map(|name| Some(headers.get(name)?.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn one_item_for_each_limit_and_nothing_without_one() {
        let standing = |limit, remaining, ms| Standing {
            limit,
            quota: 60,
            remaining,
            resets_in: Duration::from_millis(ms),
        };
        assert_eq!(told(&[standing("api", 59, 1_000)]), [r#""api";q=60;w=60"#, r#""api";r=59;t=1"#]);
        assert_eq!(
            told(&[standing("sign_in_address", 7, 53_001), standing("sign_in_account", 0, 5_400)]),
            [
                r#""sign_in_address";q=60;w=60, "sign_in_account";q=60;w=60"#,
                r#""sign_in_address";r=7;t=54, "sign_in_account";r=0;t=6"#
            ]
        );
        assert!(told(&[]).is_empty());
    }
}
