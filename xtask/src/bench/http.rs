//! A small HTTP client with one keep-alive connection. It checks responses before they are measured, and sends requests
//! that depend on earlier responses, which wrk cannot.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Longer than any measured request.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// A connection.
pub struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

/// A response.
#[derive(Debug)]
pub struct Response {
    head: String,
    /// The body.
    pub body: String,
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The names of its header fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0))
    }

    /// Checks that it came from the cache.
    ///
    /// # Errors
    /// If it did not.
    pub fn expect_hit(&self) -> Result<()> {
        let is_hit = self.header("cache-status").is_some_and(|status| status.contains("hit"));
        ensure!(is_hit, "not cached: {self:?}");
        Ok(())
    }

    fn status(&self) -> Option<u16> {
        self.head.split(' ').nth(1)?.parse().ok()
    }
}

impl Client {
    /// Connects to `127.0.0.1:port`.
    ///
    /// # Errors
    /// If no server listens there.
    pub fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { address: address.into(), stream: BufReader::new(stream) })
    }

    /// Sends a request, with `body` as JSON unless it is empty, and returns the response.
    ///
    /// # Errors
    /// If the connection breaks, or the status is not `status`.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
        status: u16,
    ) -> Result<Response> {
        let response = self.exchange(method, path, fields, body).with_context(|| format!("{method} {path} failed"))?;
        let is_expected = response.status() == Some(status);
        ensure!(is_expected, "{method} {path}: expected {status}, got\n{}\n{}", response.head, response.body);
        Ok(response)
    }

    fn exchange(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Result<Response> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in fields {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        // In one write, so that the server receives all of it at once.
        self.stream.get_mut().write_all([&request, "\r\n", body].concat().as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(self.stream.read_line(&mut head)? > 0, "the connection was closed");
        }
        let mut response = Response { head, body: String::new() };
        let length = response.header("content-length").and_then(|length| length.parse().ok());
        if response.status() != Some(304) {
            let mut bytes = vec![0; length.context("the response has no content-length")?];
            self.stream.read_exact(&mut bytes)?;
            response.body = String::from_utf8(bytes)?;
        }
        Ok(response)
    }
}

/// Sends GET on a new connection and returns the response.
///
/// # Errors
/// If the connection breaks, or the status is not `status`.
pub fn get(address: &str, path: &str, fields: &[(&str, &str)], status: u16) -> Result<Response> {
    Client::connect(address)?.send("GET", path, fields, "", status)
}
