//! One request, to see that what is about to be measured is right.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    text: String,
}

impl Head {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.text.lines().filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn status(&self) -> Option<u16> {
        self.text.split(' ').nth(1)?.parse().ok()
    }
}

/// Sends GET and returns the head of the answer.
///
/// # Errors
/// If the status is not `status`.
pub fn expect(address: &str, path: &str, headers: &[(&str, &str)], status: u16) -> Result<Head> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("GET {path} was not answered"))?;
    let answer = String::from_utf8_lossy(&answer);
    let head = Head { text: answer.split("\r\n\r\n").next().unwrap_or_default().to_owned() };
    if head.status() != Some(status) {
        bail!("GET {path} should answer {status}, and answers\n{answer}");
    }
    Ok(head)
}
