//! A server that the cache fetches from: it counts what it is asked for, and answers as the test says.

mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use wire::{Asked, Reply};
use wire::{read, send};

/// How long [`Origin::asked`] waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A small HTTP server on 127.0.0.1. Without other orders it answers every GET with `{"request":n}`, n counting from 1,
/// so that two fetches never bring the same value. It ends with its handle.
#[derive(Debug)]
pub struct Origin {
    port: u16,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    seen: Mutex<Seen>,
    /// Whether requests wait.
    held: watch::Sender<bool>,
    /// How many came.
    came: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Seen {
    asked: Vec<Asked>,
    replies: HashMap<String, Reply>,
    delay: Duration,
    now: usize,
    most: usize,
}

impl Origin {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("127.0.0.1 has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let state = State { seen: Mutex::default(), held: watch::Sender::new(false), came: watch::Sender::new(0) };
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

    /// From now on each reply comes this much later.
    pub fn delay(&self, delay: Duration) {
        self.seen().delay = delay;
    }

    /// From now on requests wait.
    pub fn hold(&self) {
        self.state.held.send_replace(true);
    }

    /// Those that wait are answered, and later ones at once.
    pub fn release(&self) {
        self.state.held.send_replace(false);
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Asked> {
        self.seen().asked.clone()
    }

    /// How many requests came so far.
    pub fn count(&self) -> usize {
        self.seen().asked.len()
    }

    /// The most requests that were being answered at the same time.
    pub fn most_at_once(&self) -> usize {
        self.seen().most
    }

    /// Waits until `count` requests have come. Panics if they do not.
    pub async fn asked(&self, count: usize) {
        let mut came = self.state.came.subscribe();
        let enough = tokio::time::timeout(PATIENCE, came.wait_for(|number| *number >= count)).await;
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

/// Counts the requests that are being answered, also those whose connection breaks.
struct AtWork<'a>(&'a State);

impl<'a> AtWork<'a> {
    fn begin(state: &'a State) -> Self {
        let mut seen = state.seen();
        seen.now += 1;
        seen.most = seen.most.max(seen.now);
        Self(state)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.seen().now -= 1;
    }
}

/// One connection, until somebody closes it.
async fn serve(state: Arc<State>, stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream).await {
        let at_work = AtWork::begin(&state);
        let (reply, delay, number) = {
            let mut seen = state.seen();
            let path = asked.line.split(' ').nth(1).unwrap_or_default();
            let reply = seen.replies.get(path).cloned();
            seen.asked.push(asked);
            (reply, seen.delay, seen.asked.len())
        };
        state.came.send_replace(number);
        let mut held = state.held.subscribe();
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        tokio::time::sleep(delay).await;
        drop(at_work);
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
    async fn requests_are_counted_held_and_answered_as_ordered() {
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
            origin.asked(5).await;
            origin.release();
        };
        let (one, other, ()) = tokio::join!(get("/one"), get("/other"), release);
        assert!(one.unwrap().status().is_success() && other.unwrap().status().is_success());
        assert_eq!((origin.count(), origin.most_at_once()), (5, 2));
    }
}
