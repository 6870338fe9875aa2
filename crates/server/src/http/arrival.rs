//! A request's arrival: what is read once at the door (time, id, sender) and noted on the way for the log.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequestParts, MatchedPath};
use http::HeaderMap;
use http::request::Parts;
use tenure_domain::event::Whence;
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::limit::{USER_AGENT_CHARS_MAX, clip};
use tenure_domain::problem::Code;
use tenure_domain::rotation::{Generation, Replay};
use tenure_domain::time::Timestamp;
use tenure_store::Ended;

use crate::App;
use crate::config::TrustedProxy;
use crate::http::problem::Problem;
use crate::limits::Standings;
use crate::telemetry::trace::{Attributes, SpanKind, Trace};

/// The peer of the connection, put into each request by the listener.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

pub struct Arrival {
    pub now: Timestamp,
    pub request_id: String,
    pub address: IpAddr,
    pub user_agent: Option<String>,
    /// The limits that it was counted in.
    pub standings: Standings,
    /// None where nothing is sent to OpenTelemetry, or not of this request.
    pub trace: Option<Trace>,
    notes: Notes,
}

/// What handlers add to the request's log line. Each is set once.
#[derive(Default)]
struct Notes {
    user: OnceLock<UserId>,
    target: OnceLock<UserId>,
    session: OnceLock<SessionId>,
    outcome: OnceLock<&'static str>,
    rotation: OnceLock<(Generation, Option<Replay>)>,
    ended: OnceLock<Vec<Ended>>,
}

impl Arrival {
    pub fn new(app: &App, headers: &HeaderMap, peer: Option<Peer>) -> Self {
        let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
        let request_id = match given {
            Some(id) if is_plain_id(id) => id.to_owned(),
            _ => app.next_request_id(),
        };
        let now = app.clock.now();
        let trace = app.telemetry.as_ref().and_then(|telemetry| telemetry.trace(headers, now, app.draw()));
        Self {
            now,
            request_id,
            address: client_address(headers, peer, &app.settled.config.server.trusted_proxies),
            user_agent: headers
                .get(http::header::USER_AGENT)
                .and_then(|value| value.to_str().ok())
                .map(|text| clip(text, USER_AGENT_CHARS_MAX)),
            standings: Standings::default(),
            trace,
            notes: Notes::default(),
        }
    }

    /// Whom limits count: the address, or of IPv6 the network.
    pub fn network(&self) -> IpAddr {
        network_of(self.address)
    }

    /// For the record.
    pub fn whence(&self) -> Whence {
        Whence { address: Some(self.address.to_string()), user_agent: self.user_agent.clone() }
    }

    pub fn note_user(&self, user: UserId) {
        let _ = self.notes.user.set(user);
    }

    /// Whom somebody means to be, before they have shown it.
    pub fn note_target(&self, user: UserId) {
        let _ = self.notes.target.set(user);
    }

    pub fn target(&self) -> Option<UserId> {
        self.notes.target.get().copied()
    }

    pub fn note_session(&self, session: SessionId) {
        let _ = self.notes.session.set(session);
    }

    pub fn note_rotation(&self, generation: Generation, replay: Option<Replay>) {
        let _ = self.notes.rotation.set((generation, replay));
    }

    /// Sessions that this request ended.
    pub fn note_ended(&self, ended: Vec<Ended>) {
        let _ = self.notes.ended.set(ended);
    }

    pub fn note_outcome(&self, outcome: &'static str) {
        let _ = self.notes.outcome.set(outcome);
    }

    pub fn user(&self) -> Option<UserId> {
        self.notes.user.get().copied()
    }

    pub fn session(&self) -> Option<SessionId> {
        self.notes.session.get().copied()
    }

    pub fn outcome(&self) -> Option<&'static str> {
        self.notes.outcome.get().copied()
    }

    pub fn ended(&self) -> &[Ended] {
        self.notes.ended.get().map_or(&[], Vec::as_slice)
    }

    /// What was handed out by a refresh, and what it was that was presented.
    pub fn rotation(&self) -> Option<(Generation, Option<Replay>)> {
        self.notes.rotation.get().copied()
    }

    // === What is worth a span of its own ===

    pub fn span_begin(&self) {
        if let Some(trace) = &self.trace {
            trace.span_begin();
        }
    }

    /// Ends the span that was begun last.
    pub fn span_end(
        &self,
        name: &'static str,
        kind: SpanKind,
        failed: bool,
        attributes: impl FnOnce() -> Attributes,
    ) {
        if let Some(trace) = &self.trace {
            trace.span_end(name, kind, attributes(), failed);
        }
    }
}

fn is_plain_id(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// The sender's address. `X-Forwarded-For` is believed only from a trusted proxy, and only back to the first
/// address that is none: whatever stands before it, the client wrote itself.
fn client_address(headers: &HeaderMap, peer: Option<Peer>, trusted: &[TrustedProxy]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|proxy| proxy.includes(address));
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip().to_canonical());
    if !is_trusted(peer) {
        return peer;
    }
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut address = peer;
    for hop in hops.iter().rev() {
        match hop.parse::<IpAddr>() {
            Ok(hop) => address = hop.to_canonical(),
            Err(_) => break,
        }
        if !is_trusted(address) {
            break;
        }
    }
    address
}

/// Whoever has one IPv6 address has the other 2^64 of its network too, and would have a limit for each.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
    }
}

/// Handlers take their arrival as a parameter: `At(arrival)`.
pub struct At(pub Arc<Arrival>);

impl<S: Send + Sync> FromRequestParts<S> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let arrival = parts.extensions.get::<Arc<Arrival>>().cloned();
        if let Some(trace) = arrival.as_ref().and_then(|arrival| arrival.trace.as_ref())
            && let Some(route) = parts.extensions.get::<MatchedPath>()
        {
            trace.note_route(route.as_str());
        }
        arrival.map(At).ok_or_else(|| Problem::new(Code::InternalError, "The request did not pass the door."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted: Vec<TrustedProxy> = serde_json::from_value(serde_json::json!(trusted)).unwrap();
        let peer = Peer(SocketAddr::new(peer.parse().unwrap(), 1));
        client_address(&headers, Some(peer), &trusted).to_string()
    }

    #[test]
    fn forwarded_addresses_are_believed_only_from_trusted_proxies() {
        assert_eq!(address("203.0.113.9", &["10.0.0.1"], &[]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["203.0.113.9"], &["10.0.0.1"]), "203.0.113.9");
        // What the client itself wrote in front does not count.
        assert_eq!(address("10.0.0.1", &["1.2.3.4, 203.0.113.9"], &["10.0.0.1"]), "203.0.113.9");
        assert_eq!(
            address("10.0.0.1", &["203.0.113.9", "10.0.0.2"], &["10.0.0.1", "10.0.0.2"]),
            "203.0.113.9"
        );
        assert_eq!(address("10.0.0.1", &["<script>"], &["10.0.0.1"]), "10.0.0.1");
        assert_eq!(address("::ffff:10.0.0.1", &["203.0.113.9"], &["10.0.0.1"]), "203.0.113.9");
    }

    #[test]
    fn a_network_of_proxies_is_believed_as_each_of_them_would_be() {
        let networks = ["10.0.0.0/8", "fd00::/8"];
        for peer in ["10.0.0.1", "10.255.255.255", "::ffff:10.1.2.3", "fd00::1"] {
            assert_eq!(address(peer, &["203.0.113.9"], &networks), "203.0.113.9", "{peer}");
        }
        for peer in ["11.0.0.1", "9.255.255.255", "fe00::1", "::a00:1"] {
            assert_eq!(address(peer, &["203.0.113.9"], &networks), peer, "{peer}");
        }
        // Back through as many of them as there are, and not beyond the first that is none.
        assert_eq!(
            address("10.0.0.1", &["1.2.3.4, 203.0.113.9, 10.9.9.9, fd00::2"], &networks),
            "203.0.113.9"
        );
        // However it is written: peers of IPv4 are held against it as IPv4.
        for mapped in ["::ffff:10.0.0.0/104", "::ffff:10.0.0.1"] {
            assert_eq!(address("10.0.0.1", &["203.0.113.9"], &[mapped]), "203.0.113.9", "{mapped}");
        }
    }

    #[test]
    fn the_addresses_of_one_network_are_one_sender() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("203.0.113.9"), "203.0.113.9");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("2001:db8:1:2:ffff::"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:3::1"), network("2001:db8:1:2::1"));
    }

    #[test]
    fn request_ids_from_outside_are_kept_only_if_they_are_plain() {
        assert!(is_plain_id("0af7651916cd43dd8448eb211c80319c"));
        for odd in ["", "short", "with space in it", "new\nline-new", &"x".repeat(65)] {
            assert!(!is_plain_id(odd), "{odd:?}");
        }
    }
}
