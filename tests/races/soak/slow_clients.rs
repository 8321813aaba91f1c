//! Clients that send slowly or not at all, that do not read, or that disconnect: the other clients must not notice
//! them.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::progress::Progress;

/// How many there are at a time, on both hosts together.
const MOST: usize = 120;
/// How long they stay, at most.
const STAY_MS: u64 = 8_000;

/// What a client sends at its start. Later it sends single bytes at most.
const KINDS: [&str; 8] = [
    "",
    "GET /users HT",
    "GET /users HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
    "PUT /api/cache/slow HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n[",
    "PUT /api/cache/slow HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
    // These wait for a response and do not read it.
    "GET /users?limit=1000 HTTP/1.1\r\nHost: a\r\n\r\nGET /users?limit=1000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /api/events HTTP/1.1\r\nHost: a\r\n\r\n",
];

/// Keeps opening such connections and dropping them until the minute ends.
pub async fn come_and_go(addresses: [String; 2], progress: Arc<Progress>, mut rng: Rng) {
    while progress.goes_on() {
        let mut connections = Vec::new();
        for number in 0..rng.usize(1..MOST) {
            // The first host may be down.
            let Ok(mut stream) = TcpStream::connect(&addresses[number % 2]).await else { continue };
            let kind = KINDS[rng.usize(..KINDS.len())];
            if stream.write_all(kind.as_bytes()).await.is_ok() {
                connections.push(stream);
            }
            progress.count("slow clients", 1);
        }
        let end = tokio::time::Instant::now() + Duration::from_millis(rng.u64(..STAY_MS));
        // Some of them send a byte now and then.
        while tokio::time::Instant::now() < end && progress.goes_on() {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if let Some(stream) = rng.choice(&mut connections) {
                stream.write_all(b"1").await.ok();
            }
        }
    }
}
