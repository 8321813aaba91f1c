//! The first request to each component. A component reports invalid settings in its log at its first request: sending
//! that when `up` starts shows the mistake at once.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::routes;

/// How long a component may take to respond.
const RESPONSE: Duration = Duration::from_secs(30);

/// Sends GET to every route of the manifest. Any status but 500 is fine.
///
/// # Errors
/// If a component responds with 500, or not at all.
pub async fn run(listen: &str, manifest: &Path) -> Result<()> {
    for line in routes::of(manifest)? {
        let route = line.split_whitespace().next().unwrap_or_default();
        let response = timeout(RESPONSE, get(listen, route.trim_end_matches("..."))).await;
        let status_line =
            response.map_err(Into::into).flatten().with_context(|| format!("no response from {route}"))?;
        ensure!(!status_line.contains(" 500 "), "the component at {route} does not work: its log above says why");
    }
    Ok(())
}

async fn get(listen: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(listen).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {listen}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let status_line = BufReader::new(stream).lines().next_line().await?;
    status_line.ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// Probes a server that responds with 401 to the first route and with `status` to all others.
    async fn probe(status: &'static str) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for (stream, number) in listener.incoming().zip(0..) {
                let mut stream = stream.unwrap();
                let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
                assert!(head.by_ref().any(|line| line.unwrap().is_empty()), "a whole head");
                let status = if number == 0 { "401 Unauthorized" } else { status };
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        });
        run(&listen, &workspace::root().join("spin.toml")).await
    }

    #[tokio::test]
    async fn only_status_500_is_a_failure() {
        probe("404 Not Found").await.unwrap();
        let error = probe("500 Internal Server Error").await.unwrap_err().to_string();
        assert!(error.contains("the component at /"), "{error}");
    }

    #[tokio::test]
    async fn a_component_that_hangs_does_not_block_the_thread() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (listen, manifest) = (listener.local_addr().unwrap().to_string(), workspace::root().join("spin.toml"));
        tokio::select! {
            biased;
            probed = run(&listen, &manifest) => panic!("no response was sent, but the probe ended: {probed:?}"),
            accepted = listener.accept() => drop(accepted.unwrap()),
        }
    }

    #[tokio::test]
    async fn a_closed_connection_is_a_failure() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (listen, manifest) = (listener.local_addr().unwrap().to_string(), workspace::root().join("spin.toml"));
        let closing = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                // Reads the whole head: otherwise the close resets the connection.
                let mut head = tokio::io::BufReader::new(&mut stream).lines();
                while head.next_line().await.unwrap().is_some_and(|line| !line.is_empty()) {}
            }
        };
        tokio::select! {
            probed = run(&listen, &manifest) => assert!(probed.unwrap_err().to_string().starts_with("no response from /")),
            () = closing => unreachable!("an endless loop"),
        }
    }
}
