//! A client of Server-Sent Events, as a browser has it:
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use crate::Request;

/// How long an event may take that must come.
const BOUND: Duration = Duration::from_secs(90);

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSentEvent {
    /// The id of the event, or the last one before it.
    pub id: String,
    /// The field `event`; `message` if there is none.
    pub kind: String,
    /// The data.
    pub data: String,
}

impl ServerSentEvent {
    /// The data as JSON. Panics if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A response that goes on. Dropping it closes its connection.
#[derive(Debug)]
pub struct EventStream {
    response: reqwest::Response,
    parser: Parser,
    /// Of what was taken from the parser: it may be further ahead.
    last_id: String,
}

impl EventStream {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        Self { response, parser: Parser::default(), last_id: String::new() }
    }

    /// The next event; `None` when the response has ended. Panics if nothing comes for long, or if the connection
    /// breaks.
    pub async fn next(&mut self) -> Option<ServerSentEvent> {
        self.try_next().await.unwrap_or_else(|error| panic!("the connection broke: {error:?}"))
    }

    /// As [`EventStream::next`].
    ///
    /// # Errors
    /// The connection breaks.
    pub async fn try_next(&mut self) -> Result<Option<ServerSentEvent>, reqwest::Error> {
        let next = async {
            loop {
                if let Some(block) = self.parser.next() {
                    self.last_id = block.id.clone();
                    if !block.data.is_empty() {
                        return Ok(Some(block));
                    }
                    continue;
                }
                match self.response.chunk().await? {
                    Some(chunk) => self.parser.push(&chunk),
                    None => return Ok(None),
                }
            }
        };
        let next = tokio::time::timeout(BOUND, next).await;
        next.unwrap_or_else(|_| panic!("no event within {BOUND:?}: {:?}", self.parser))
    }

    /// The next event. Panics if the response ends.
    pub async fn expect_next(&mut self) -> ServerSentEvent {
        self.next().await.unwrap_or_else(|| panic!("the response ended: {:?}", self.parser))
    }

    /// Reads until a comment has come. Panics, as [`EventStream::expect_next`] does; events before it are kept.
    pub async fn expect_comment(&mut self, comment: &str) {
        let next = async {
            while !self.parser.comments.iter().any(|found| found == comment) {
                let chunk = self.response.chunk().await.unwrap_or_else(|error| panic!("{error:?}"));
                self.parser.push(&chunk.unwrap_or_else(|| panic!("the response ended: {:?}", self.parser)));
            }
        };
        let waited = tokio::time::timeout(BOUND, next).await;
        waited.unwrap_or_else(|_| panic!("no comment {comment:?} within {BOUND:?}: {:?}", self.parser));
        self.parser.comments.retain(|found| found != comment);
    }

    /// The value of a header field; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map_or("", |value| value.to_str().expect("our header fields are ASCII"))
    }

    /// The id to resume with: that of the last event that [`EventStream::next`] returned, or of a block without data
    /// that came after it and was read.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// How long the server wants clients to wait before they connect again, in milliseconds.
    pub fn retry_ms(&self) -> Option<u64> {
        self.parser.retry_ms
    }
}

impl Request {
    /// Sends the request. Returns when the head of the response is there. Panics unless it is a stream of events.
    pub async fn open(self) -> EventStream {
        let response = self.stream().await.unwrap_or_else(|error| panic!("no response: {error:?}"));
        assert_eq!(response.status(), 200, "{response:?}");
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        assert!(content_type.is_some_and(|kind| kind.starts_with("text/event-stream")), "{response:?}");
        EventStream::new(response)
    }
}

/// Finds events in the bytes of a response.
#[derive(Debug, Default)]
struct Parser {
    bytes: Vec<u8>,
    last_id: String,
    /// Of the event that is being read.
    kind: String,
    data: Vec<String>,
    comments: Vec<String>,
    retry_ms: Option<u64>,
    /// Also blocks without data: they have an id.
    blocks: VecDeque<ServerSentEvent>,
}

impl Parser {
    fn next(&mut self) -> Option<ServerSentEvent> {
        self.blocks.pop_front()
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8(line).unwrap_or_else(|error| panic!("{error}"));
            self.line(line.trim_end_matches(['\r', '\n']));
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "" => self.comments.push(value),
            "id" => self.last_id = value,
            "event" => self.kind = value,
            "data" => self.data.push(value),
            "retry" => self.retry_ms = Some(value.parse().unwrap_or_else(|error| panic!("{line}: {error}"))),
            _ => panic!("an unknown field: {line}"),
        }
    }

    fn dispatch(&mut self) {
        let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        self.blocks.push_back(ServerSentEvent { id: self.last_id.clone(), kind, data: data.join("\n") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_wherever_chunks_end() {
        let text =
            "retry: 1000\nid: 1-0\n\n: heartbeat\n\nid: 2-0\nevent: a.b\ndata: {\"ä\":1}\n\ndata: x\ndata:y\n\nid: 3";
        for size in 1..text.len() {
            let mut parser = Parser::default();
            text.as_bytes().chunks(size).for_each(|chunk| parser.push(chunk));
            let block = |id: &str, kind: &str, data: &str| {
                Some(ServerSentEvent { id: id.into(), kind: kind.into(), data: data.into() })
            };
            assert_eq!(parser.next(), block("1-0", "message", ""));
            assert_eq!(parser.next(), block("1-0", "message", ""));
            assert_eq!(parser.next(), block("2-0", "a.b", "{\"ä\":1}"));
            assert_eq!(parser.next(), block("2-0", "message", "x\ny"));
            assert_eq!((parser.next(), parser.retry_ms), (None, Some(1000)));
            assert_eq!(parser.comments, ["heartbeat"]);
        }
    }
}
