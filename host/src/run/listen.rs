//! Listening sockets: one per worker on the same address. The kernel distributes the connections.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

const BACKLOG: i32 = 1024;

/// When the system asks whether a silent client still exists, and how often. Otherwise the host would never notice that
/// a client's machine has disappeared while a component waits for a lock or has no events to send.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_INTERVAL: Duration = Duration::from_secs(15);

/// How much of a response the system keeps that it cannot send yet, in bytes. By default it keeps megabytes for each
/// client that does not read. The write timeout needs a small value, too: the system reports progress only when half of
/// this has been sent.
#[cfg(target_os = "linux")]
const MAX_UNSENT: u32 = 64 * 1024;

/// Parses the value of `--listen`: an address and a port, or a name and a port.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?.peekable();
    // A name such as localhost may have addresses of both kinds: prefer IPv4, which most clients try.
    let first = addresses.peek().copied();
    addresses.find(SocketAddr::is_ipv4).or(first).ok_or_else(|| "no such address".to_owned())
}

/// Opens `count` sockets. With port 0, the system chooses one port for all of them. Errors: the address is in use, also
/// by another tumbler-host.
pub fn open(address: SocketAddr, count: usize) -> Result<Vec<TcpListener>> {
    if address.port() != 0 {
        // Tried without SO_REUSEPORT first: with it, two hosts could share an address by mistake.
        match socket(address, false) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!("{address} is already in use"),
            Err(error) => return Err(error).with_context(|| format!("cannot listen on {address}")),
        }
    }
    let mut listeners: Vec<TcpListener> = Vec::with_capacity(count);
    for _ in 0..count {
        let address = listeners.first().map_or(Ok(address), TcpListener::local_addr)?;
        let listener = socket(address, true).with_context(|| format!("cannot listen on {address}"))?;
        listeners.push(listener.into());
    }
    Ok(listeners)
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    // The connections inherit these options.
    socket
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_INTERVAL).with_retries(4))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(MAX_UNSENT)?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_share_a_port_that_nobody_else_gets() {
        let any = "127.0.0.1:0".parse().expect("valid");
        let listeners = open(any, 3).expect("a free port");
        let address = listeners[0].local_addr().expect("bound");
        assert_ne!(address.port(), 0);
        assert!(listeners.iter().all(|listener| listener.local_addr().expect("bound") == address));
        let error = open(address, 1).expect_err("in use");
        assert_eq!(error.to_string(), format!("{address} is already in use"));
    }

    #[test]
    fn names_are_looked_up() {
        assert_eq!(parse("127.0.0.1:3000"), Ok("127.0.0.1:3000".parse().expect("valid")));
        assert_eq!(parse("localhost:0"), Ok("127.0.0.1:0".parse().expect("valid")));
        assert!(parse("127.0.0.1").is_err());
    }
}
