//! The part of HTTP/1.1 that the origin needs.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How the origin replies to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// This status, content type and body.
    Body(u16, &'static str, Vec<u8>),
    /// Status 200 and a JSON body that never ends.
    Endless,
    /// Announces a body of 1,000 bytes and closes the connection after a few.
    Broken,
    /// Closes the connection without a reply.
    Closed,
}

impl Reply {
    /// Status 200 with this text as the JSON body, sent as it is.
    pub fn json(text: impl Into<String>) -> Self {
        Self::Body(200, "application/json", text.into().into_bytes())
    }

    /// This status, with a JSON body.
    pub fn status(status: u16) -> Self {
        Self::Body(status, "application/json", b"{\"of\":\"the origin\"}".to_vec())
    }
}

/// One request that the origin received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginRequest {
    /// The method and the target, undecoded: `GET /a%2Fb`.
    pub line: String,
    /// The header fields as they came.
    pub headers: Vec<String>,
}

/// Reads the head of a request. GET has no body.
pub(super) async fn read(stream: &mut BufReader<TcpStream>) -> Option<OriginRequest> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.first()?.trim_end_matches(" HTTP/1.1").to_owned();
    Some(OriginRequest { line, headers: lines.split_off(1) })
}

/// Sends a reply; `None` when the connection is closed.
pub(super) async fn send(stream: &mut TcpStream, reply: Reply) -> Option<()> {
    let head = |status: u16, kind: &str, length: usize| {
        format!("HTTP/1.1 {status} \r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n")
    };
    match reply {
        Reply::Body(status, kind, body) => {
            let reply = [head(status, kind, body.len()).as_bytes(), &body].concat();
            stream.write_all(&reply).await.ok()
        }
        Reply::Endless => {
            let head = "HTTP/1.1 200 \r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            let chunk = format!("10000\r\n{}\r\n", "[".repeat(0x10000));
            loop {
                stream.write_all(chunk.as_bytes()).await.ok()?;
            }
        }
        Reply::Broken => {
            let start = [head(200, "application/json", 1000).as_bytes(), b"{\"a\":"].concat();
            stream.write_all(&start).await.ok()?;
            None
        }
        Reply::Closed => None,
    }
}
