//! Believing what a token says, unless the issuer has told otherwise; and asking where it is not known.

use http::HeaderMap;
use tenure_domain::revocation::Verdict;
use tenure_domain::time::Timestamp;

use crate::answer::Refusal;
use crate::feed::Feed;
use crate::identity::Identity;
use crate::stateless::{Shown, Stateless, refusal, revoked, shown};
use crate::strict::Strict;

pub struct Push {
    pub strict: Strict,
    pub stateless: Stateless,
    pub feed: Feed,
    /// Whether more is required than a token and the feed can tell.
    pub always_asks: bool,
}

impl Push {
    pub async fn admit(&self, request: &HeaderMap, now: Timestamp) -> Result<Identity, Refusal> {
        match self.known(request, now).await? {
            Some(identity) => Ok(identity),
            None => self.strict.admit(request).await,
        }
    }

    /// Who it is, if that is known without asking.
    async fn known(&self, request: &HeaderMap, now: Timestamp) -> Result<Option<Identity>, Refusal> {
        let Shown::Token(token) = shown(request)? else { return Ok(None) };
        // What has ended is told and forgotten by the issuer's clock, so tokens expire by it as well.
        let Some(issuers_time) = self.feed.issuers_time(now) else { return Ok(None) };
        let Ok(verified) = self.stateless.verify(token, issuers_time).await else { return Ok(None) };
        let claims = match verified {
            Ok(claims) => claims,
            Err(error) => return Err(refusal(&error)),
        };
        match self.feed.judge(&claims, now) {
            Some(Verdict::Ended) => Err(revoked()),
            Some(Verdict::Stands(role)) if !self.always_asks => {
                Ok(Some(Identity { role: Some(role), ..Identity::of_claims(&claims) }))
            }
            Some(Verdict::Stands(_) | Verdict::Unclear) | None => Ok(None),
        }
    }
}
