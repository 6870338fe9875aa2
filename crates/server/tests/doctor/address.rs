//! Addresses of this machine that nobody else uses: all of 127/8 is this machine's on Linux. So every server of a case has
//! the port that it likes, also when it is started again.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};

/// One more in the network of this process.
pub fn unused() -> Ipv4Addr {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let last = LAST.fetch_add(1, Ordering::Relaxed);
    assert!(last < u8::MAX, "there are no more addresses");
    let [.., network, host] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 1 + network % 120, host, last + 1)
}

/// The same in a network of which half is another.
pub fn elsewhere(address: Ipv4Addr) -> Ipv4Addr {
    let [first, second, third, fourth] = address.octets();
    Ipv4Addr::new(first, second + 128, third, fourth)
}
