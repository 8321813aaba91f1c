//! Whether a new connection is served: the limits for all workers together, and for one client address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::metrics::Closed;

/// The open connections of all workers.
pub struct Admission {
    max: u64,
    max_per_address: Option<u64>,
    open: AtomicU64,
    /// Whether the limit was reached, and the number of connections is not yet well below it again.
    is_full: AtomicBool,
    /// The open connections of each client. Empty if there is no limit per address.
    by_address: Mutex<HashMap<IpAddr, u64>>,
}

/// A connection that is served, until this is dropped.
pub struct Admitted {
    admission: Arc<Admission>,
    client: IpAddr,
}

impl Admission {
    /// No connections yet, of at most `max`, and `max_per_address` for each client.
    pub fn new(max: u64, max_per_address: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            open: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            by_address: Mutex::default(),
        })
    }

    /// Admits a connection of `client`. At the limit, `make_room` closes another one and returns whether it did: that
    /// one still counts until it is closed. Errors: how the refusal is counted.
    pub fn admit(self: &Arc<Self>, client: IpAddr, make_room: impl FnOnce() -> bool) -> Result<Admitted, Closed> {
        let client = network(client);
        if let Some(max) = self.max_per_address {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let open = by_address.entry(client).or_default();
            if *open >= max {
                return Err(Closed::RefusedAddress);
            }
            *open += 1;
        }
        let open = self.open.fetch_add(1, Relaxed);
        // If the connection is refused, dropping this counts it no longer.
        let admitted = Admitted { admission: self.clone(), client };
        if open < self.max {
            return Ok(admitted);
        }
        if !self.is_full.swap(true, Relaxed) {
            let max = self.max;
            eprintln!(
                "{max} connections are open (--max-connections): idle ones are closed for new ones, and if there are \
                 none, new ones are refused"
            );
        }
        if make_room() { Ok(admitted) } else { Err(Closed::Refused) }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let Admission { max, max_per_address, open, is_full, by_address } = &*self.admission;
        let left = open.fetch_sub(1, Relaxed) - 1;
        // An eighth below the limit: otherwise both lines would be repeated for each connection near the limit.
        let few = max - (max / 8).max(1);
        if is_full.load(Relaxed) && left <= few && is_full.swap(false, Relaxed) {
            eprintln!("{left} connections are open, which is below the limit again");
        }
        if max_per_address.is_some() {
            let mut by_address = by_address.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(open) = by_address.get_mut(&self.client) {
                *open -= 1;
                if *open == 0 {
                    by_address.remove(&self.client);
                }
            }
        }
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, because a client has a whole network.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_limit_holds_until_a_connection_is_closed() {
        let admission = Admission::new(2, None);
        let client = address("127.0.0.1");
        let admit = |room: bool| admission.admit(client, || room);
        let (first, _second) = (admit(false).expect("room"), admit(false).expect("room"));
        assert_eq!(admit(false).err(), Some(Closed::Refused));
        let third = admit(true).expect("made room");
        drop(first);
        assert_eq!(admit(false).err(), Some(Closed::Refused), "two are open");
        drop(third);
        assert!(!admission.is_full.load(Relaxed));
        assert!(admit(false).is_ok());
    }

    #[test]
    fn each_client_has_a_limit_of_its_own() {
        let admission = Admission::new(100, Some(1));
        let admit = |client: &str| admission.admit(address(client), || false);
        let first = admit("10.0.0.1").expect("room");
        assert_eq!(admit("10.0.0.1").err(), Some(Closed::RefusedAddress));
        assert_eq!(admit("::ffff:10.0.0.1").err(), Some(Closed::RefusedAddress));
        let _other = admit("10.0.0.2").expect("another client");
        let _network = admit("2001:db8:1:2::1").expect("another client");
        assert_eq!(admit("2001:db8:1:2:ffff::2").err(), Some(Closed::RefusedAddress));
        assert!(admit("2001:db8:1:3::1").is_ok());
        drop(first);
        assert!(admit("10.0.0.1").is_ok());
        assert_eq!(admission.by_address.lock().expect("unlocked").len(), 2, "nobody else is remembered");
    }
}
