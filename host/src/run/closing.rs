//! The end of a connection that the host closes.
//!
//! If a socket is closed while the client still sends, the system resets the connection, and the client may never read
//! the response. Therefore the host closes its own direction first and discards what arrives, for a while: RFC 9112,
//! section 9.6.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::problem;

/// How long the next bytes may take, and all bytes together.
const PAUSE: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(30);

/// How many bytes are discarded at most.
const MAX_BYTES: usize = 16 << 20;

/// Closes the host's direction, and discards what the client sends until it closes its own.
pub async fn discard(stream: &mut TcpStream) {
    let discard = async {
        // It may be closed already.
        let _ = stream.shutdown().await;
        let mut buffer = vec![0; 16 << 10];
        let mut discarded = 0;
        while discarded < MAX_BYTES {
            match timeout(PAUSE, stream.read(&mut buffer)).await {
                Ok(Ok(read @ 1..)) => discarded += read,
                Ok(Ok(0) | Err(_)) | Err(_) => return,
            }
        }
    };
    // The connection is closed in either case.
    let _ = timeout(TOTAL, discard).await;
}

/// Sends a last response, and closes the connection.
pub async fn respond(mut stream: TcpStream, response: &Response<Bytes>) {
    let message = problem::message(response);
    if matches!(timeout(PAUSE, stream.write_all(&message)).await, Ok(Ok(()))) {
        discard(&mut stream).await;
    }
}

/// Closes the connection at once. What the client has not read is lost, so that the system does not keep it.
pub fn reset(stream: &TcpStream) {
    // If it fails, the system keeps it for a while.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
