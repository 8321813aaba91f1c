//! The first request to each component: one that cannot use its settings says so in its log when it gets that, and at
//! start somebody is reading.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::routes;

/// How long a component may take for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Asks the application at `listen` for every route of its manifest. What a component answers does not matter, as long as
/// it is at work.
///
/// # Errors
/// A component answers 500, or nothing.
pub fn run(listen: &str, manifest: &Path) -> Result<()> {
    for line in routes::of(manifest)? {
        let route = line.split_whitespace().next().unwrap_or_default();
        let status_line = get(listen, route.trim_end_matches("...")).with_context(|| format!("{route} is silent"))?;
        ensure!(!status_line.contains(" 500 "), "the component behind {route} cannot work: its log above says why");
    }
    Ok(())
}

fn get(listen: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(listen)?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {listen}\r\nconnection: close\r\n\r\n")?;
    let mut status_line = String::new();
    BufReader::new(stream).read_line(&mut status_line)?;
    Ok(status_line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;
    use std::net::TcpListener;

    /// What is said of an application that answers the first route with 401 and all others with `status`.
    fn probed(status: &'static str) -> Result<()> {
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
        run(&listen, &workspace::root().join("spin.toml"))
    }

    #[test]
    fn only_a_component_that_cannot_work_is_a_failure() {
        probed("404 Not Found").unwrap();
        let error = probed("500 Internal Server Error").unwrap_err().to_string();
        assert!(error.contains("the component behind /"), "{error}");
    }
}
