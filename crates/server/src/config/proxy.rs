//! Proxies whose `X-Forwarded-For` is believed: an address, or a network in which each of them may have any.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

/// Written as `10.0.0.7` or as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

impl TrustedProxy {
    /// Peers come here canonical: of IPv4 they are IPv4, however they were connected.
    pub fn includes(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        // Not ipnet's own reading, to which 010.0.0.0 is the same as 10.0.0.0.
        let address: IpAddr = address.parse().ok()?;
        let network = match bits {
            Some(bits) => IpNet::new(address, bits).ok()?,
            None => address.into(),
        };
        Some(Self(canonical(network)))
    }

    /// What keeps it from being believed.
    pub fn fault(&self, development: bool) -> Option<String> {
        let network = self.0;
        if network.prefix_len() == 0 && !development {
            return Some(format!(
                "server.trusted_proxies: {network} is everybody, who could then write any address; name the proxies, \
                 or start with --dev"
            ));
        }
        (network != network.trunc()).then(|| {
            format!(
                "server.trusted_proxies: {network} is an address in a network; write {} for the network, or {} for \
                 the address",
                network.trunc(),
                network.addr()
            )
        })
    }
}

/// What is IPv4 in the form of IPv6 as IPv4, like the peers that it is held against.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let within = mapped.prefix_len().checked_sub(96).zip(mapped.addr().to_ipv4_mapped());
    within.and_then(|(bits, address)| IpNet::new(address.into(), bits).ok()).unwrap_or(network)
}

impl<'de> Deserialize<'de> for TrustedProxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no address or network such as 10.0.0.0/8"))
        })
    }
}
