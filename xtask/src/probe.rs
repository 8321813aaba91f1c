//! The first request to each component: one that cannot use its settings says so in its log when it gets that, and at
//! start somebody is reading.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::routes;

/// How long a component may take for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Asks the application at `listen` for every route of its manifest. What a component answers does not matter, as long as
/// it is at work.
///
/// # Errors
/// A component answers 500, or nothing.
pub async fn run(listen: &str, manifest: &Path) -> Result<()> {
    for line in routes::of(manifest)? {
        let route = line.split_whitespace().next().unwrap_or_default();
        let answer = timeout(ANSWER, get(listen, route.trim_end_matches("..."))).await;
        let status_line = answer.map_err(Into::into).flatten().with_context(|| format!("{route} is silent"))?;
        ensure!(!status_line.contains(" 500 "), "the component behind {route} cannot work: its log above says why");
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

    /// What is said of an application that answers the first route with 401 and all others with `status`.
    async fn probed(status: &'static str) -> Result<()> {
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
    async fn only_a_component_that_cannot_work_is_a_failure() {
        probed("404 Not Found").await.unwrap();
        let error = probed("500 Internal Server Error").await.unwrap_err().to_string();
        assert!(error.contains("the component behind /"), "{error}");
    }

    #[tokio::test]
    async fn a_component_that_hangs_keeps_nothing_else_from_being_done() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (listen, manifest) = (listener.local_addr().unwrap().to_string(), workspace::root().join("spin.toml"));
        tokio::select! {
            biased;
            probed = run(&listen, &manifest) => panic!("nobody answered, yet {probed:?}"),
            asked = listener.accept() => drop(asked.unwrap()),
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_is_no_answer() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (listen, manifest) = (listener.local_addr().unwrap().to_string(), workspace::root().join("spin.toml"));
        let closing = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                // All of it read: else the close is a reset.
                let mut head = tokio::io::BufReader::new(&mut stream).lines();
                while head.next_line().await.unwrap().is_some_and(|line| !line.is_empty()) {}
            }
        };
        tokio::select! {
            probed = run(&listen, &manifest) => assert!(probed.unwrap_err().to_string().ends_with("is silent")),
            () = closing => unreachable!("it goes on"),
        }
    }
}
