//! An HTTP server that the cache fetches from. It records the requests and replies as the test says.

mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use wire::{OriginRequest, Reply};
use wire::{read, send};

/// How long [`Origin::received`] waits.
const BOUND: Duration = Duration::from_secs(60);

/// A small HTTP server on 127.0.0.1. By default it replies to the nth request with `{"request":n}`, so that two fetches
/// never return the same value. Dropping it stops it.
#[derive(Debug)]
pub struct Origin {
    port: u16,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    seen: Mutex<Seen>,
    /// Whether requests have to wait.
    held: watch::Sender<bool>,
    /// How many requests came.
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<OriginRequest>,
    replies: HashMap<String, Reply>,
    delay: Duration,
    in_progress: usize,
    most: usize,
}

impl Origin {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("127.0.0.1 has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let state = State { seen: Mutex::default(), held: watch::Sender::new(false), count: watch::Sender::new(0) };
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            // The tasks of the connections end with this one.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(Arc::clone(&shared), stream));
            }
        });
        Self { port, state, server }
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on a request for `path` (undecoded, with its slash) gets this reply.
    pub fn reply(&self, path: &str, reply: Reply) {
        self.seen().replies.insert(path.into(), reply);
    }

    /// From now on each reply is delayed by this time.
    pub fn delay(&self, delay: Duration) {
        self.seen().delay = delay;
    }

    /// From now on requests wait.
    pub fn hold(&self) {
        self.state.held.send_replace(true);
    }

    /// Replies to the requests that wait, and from now on to each at once.
    pub fn release(&self) {
        self.state.held.send_replace(false);
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<OriginRequest> {
        self.seen().requests.clone()
    }

    /// How many requests came so far.
    pub fn count(&self) -> usize {
        self.seen().requests.len()
    }

    /// The largest number of requests that were in progress at the same time.
    pub fn most_at_once(&self) -> usize {
        self.seen().most
    }

    /// Waits until `count` requests have come. Panics if that takes too long.
    pub async fn received(&self, count: usize) {
        let mut count_seen = self.state.count.subscribe();
        let enough = tokio::time::timeout(BOUND, count_seen.wait_for(|number| *number >= count)).await;
        enough.unwrap_or_else(|_| panic!("{} of {count} requests came", self.count())).expect("we hold the sender");
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.state.seen()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no task panics while it holds this")
    }
}

/// Counts the requests in progress, also those whose connection breaks.
struct InProgress<'a>(&'a State);

impl<'a> InProgress<'a> {
    fn begin(state: &'a State) -> Self {
        let mut seen = state.seen();
        seen.in_progress += 1;
        seen.most = seen.most.max(seen.in_progress);
        Self(state)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.seen().in_progress -= 1;
    }
}

/// Serves one connection until one side closes it.
async fn serve(state: Arc<State>, stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let in_progress = InProgress::begin(&state);
        let (reply, delay, number) = {
            let mut seen = state.seen();
            let path = request.line.split(' ').nth(1).unwrap_or_default();
            let reply = seen.replies.get(path).cloned();
            seen.requests.push(request);
            (reply, seen.delay, seen.requests.len())
        };
        state.count.send_replace(number);
        let mut held = state.held.subscribe();
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        tokio::time::sleep(delay).await;
        drop(in_progress);
        let reply = reply.unwrap_or_else(|| Reply::json(format!("{{\"request\":{number}}}")));
        if send(stream.get_mut(), reply).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_recorded_held_and_replied_to() {
        let origin = Origin::start().await;
        let get = |path: &str| reqwest::get(format!("{}{path}", origin.url()));
        assert_eq!(get("/a%2Fb").await.unwrap().text().await.unwrap(), "{\"request\":1}");
        assert_eq!(origin.requests()[0].line, "GET /a%2Fb");
        origin.reply("/gone", Reply::status(404));
        assert_eq!(get("/gone").await.unwrap().status(), 404);
        origin.reply("/broken", Reply::Broken);
        assert!(get("/broken").await.unwrap().text().await.is_err());
        origin.hold();
        let release = async {
            origin.received(5).await;
            origin.release();
        };
        let (one, other, ()) = tokio::join!(get("/one"), get("/other"), release);
        assert!(one.unwrap().status().is_success() && other.unwrap().status().is_success());
        assert_eq!((origin.count(), origin.most_at_once()), (5, 2));
    }
}
