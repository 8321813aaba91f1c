//! Sends bytes and reads responses, without an HTTP client that would correct them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// How long the server may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// What came back on one connection.
#[derive(Debug)]
pub struct Answers {
    /// The responses, in their order.
    pub responses: Vec<Response>,
    /// Whether the server closed the connection.
    pub closed: bool,
}

/// A response.
#[derive(Debug)]
pub struct Response {
    /// The status line and the fields.
    head: String,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Response {
    /// The value of the field `name`; fields that occur twice are joined, as RFC 9110, section 5.3 has it.
    pub fn field(&self, name: &str) -> Option<String> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let values: Vec<&str> =
            fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Whether it has the version HTTP/1.0.
    pub fn is_old(&self) -> bool {
        self.head.starts_with("HTTP/1.0 ")
    }
}

/// Sends `request` on a connection of its own and reads until the server closes it. If `is_head`, responses have no
/// bodies.
///
/// # Errors
/// If the server cannot be reached, is silent, or sends something that is not a response with a `Content-Length`.
pub fn exchange(address: &str, request: &[u8], is_head: bool) -> Result<Answers> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    // The server may have refused the request, and closed, before it has all of it.
    let sent = stream.write_all(request);
    let mut bytes = Vec::new();
    let closed = match stream.read_to_end(&mut bytes) {
        Ok(_) => true,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset && !bytes.is_empty() => true,
        Err(error) => return Err(sent.err().unwrap_or(error).into()),
    };
    Ok(Answers { responses: split(&bytes, is_head)?, closed })
}

/// As [`exchange`], for one response to a request that says `Connection: close`.
pub fn one(address: &str, request: &str) -> Result<Response> {
    let mut answers = exchange(address, request.as_bytes(), false)?;
    ensure!(answers.responses.len() == 1, "{} responses to one request", answers.responses.len());
    Ok(answers.responses.remove(0))
}

fn split(mut bytes: &[u8], is_head: bool) -> Result<Vec<Response>> {
    let mut responses = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").context("a response without an end")?;
        let head = std::str::from_utf8(&bytes[..end])?.to_owned();
        bytes = &bytes[end + 4..];
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status: u16 = status.with_context(|| format!("not a status line: {head}"))?;
        let mut response = Response { head, status, body: String::new() };
        if !is_head && status >= 200 && !matches!(status, 204 | 304) {
            let length = response.field("content-length").context("a response without Content-Length")?.parse()?;
            let Some((body, rest)) = bytes.split_at_checked(length) else { bail!("a response that is cut off") };
            response.body = String::from_utf8_lossy(body).into_owned();
            bytes = rest;
        }
        responses.push(response);
    }
    Ok(responses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_split_by_their_length() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: 1\r\na: 2\r\n\r\nokHTTP/1.1 204 x\r\n\r\n";
        let responses = split(bytes, false).unwrap();
        assert_eq!(responses.iter().map(|response| response.status).collect::<Vec<_>>(), [100, 200, 204]);
        assert_eq!((responses[1].body.as_str(), responses[1].field("A").as_deref()), ("ok", Some("1, 2")));
        assert_eq!(split(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true).unwrap().len(), 1);
        for broken in [
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\n\r\n",
            "x\r\n\r\n",
        ] {
            assert!(split(broken.as_bytes(), false).is_err(), "{broken:?}");
        }
    }
}
