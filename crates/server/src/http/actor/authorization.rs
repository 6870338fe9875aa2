//! The `Authorization` header, read once and in one way.

use http::{HeaderMap, header};
use tenure_domain::access_token::AccessTokenError;

use super::access_token;
use crate::http::problem::Problem;

/// What the one header holds.
pub enum Authorization<'a> {
    /// RFC 6750 section 2.1.
    Bearer(&'a str),
    /// RFC 7617, not decoded.
    Basic(&'a str),
}

/// None if there is no such header. The scheme's case is free; every scheme but these two, and a second header, is
/// refused as an access token that is none.
pub fn authorization(headers: &HeaderMap) -> Result<Option<Authorization<'_>>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let invalid = || access_token::refusal(&AccessTokenError::Invalid);
    if values.next().is_some() {
        return Err(invalid());
    }
    let text = value.to_str().map_err(|_| invalid())?;
    let (scheme, rest) = text.split_once(' ').ok_or_else(invalid)?;
    let rest = rest.trim_start_matches(' ');
    match scheme {
        scheme if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() => {
            Ok(Some(Authorization::Bearer(rest)))
        }
        scheme if scheme.eq_ignore_ascii_case("basic") => Ok(Some(Authorization::Basic(rest))),
        _ => Err(invalid()),
    }
}
