//! Reserving free ports.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Error;

/// Below the ephemeral ports (Linux from 32768, macOS from 49152): no outgoing connection takes the port of a server
/// while that is being restarted.
const RANGE: std::ops::Range<u16> = 10_240..32_700;

/// A reserved port of 127.0.0.1. No other `Port` on this machine gets the same number until this one is dropped, even
/// while no server listens on it. So a server can be killed and restarted there, and two servers with SO_REUSEPORT
/// never share a port by accident.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// The operating system releases the lock when this process dies.
    _lock: File,
}

impl Port {
    /// Reserves a free port.
    ///
    /// # Errors
    /// [`Error::NoPort`] if 1,000 tries found none, [`Error::Io`] if a lock file cannot be written.
    pub fn reserve() -> Result<Self, Error> {
        let folder = lock_folder();
        std::fs::create_dir_all(&folder).map_err(Error::io(format!("create {}", folder.display())))?;
        for attempt in 0..1000 {
            let number = candidate(attempt);
            let path = folder.join(number.to_string());
            let lock = File::create(&path).map_err(Error::io(format!("create {}", path.display())))?;
            match lock.try_lock() {
                Ok(()) if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() => {
                    return Ok(Self { number, _lock: lock });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(Error::io(format!("lock {}", path.display()))(error)),
            }
        }
        Err(Error::NoPort)
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// One folder per user, because users cannot open each other's lock files.
fn lock_folder() -> PathBuf {
    std::env::temp_dir().join(format!("tumbler-ports-{}", rustix::process::getuid().as_raw()))
}

/// Gives concurrent processes different parts of the range (Fibonacci hashing: 2^64 divided by the golden ratio).
fn candidate(attempt: u64) -> u16 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let seed = u64::from(std::process::id()) << 32 | u64::from(nanos);
    let spread = seed.wrapping_add(attempt).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    RANGE.start + (spread % RANGE.len() as u64) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_not_given_out_twice() {
        let ports: Vec<Port> = (0..300).map(|_| Port::reserve().unwrap()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
    }

    #[test]
    fn a_reserved_port_can_be_listened_on() {
        let port = Port::reserve().unwrap();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
    }
}
