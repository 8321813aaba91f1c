//! A server that keeps requests waiting until the test opens it.
//!
//! A component that calls it is busy for as long as the test needs, on any machine: no test has to guess how long
//! something takes.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::host::DEADLINE;

/// A server that answers no request before [`Gate::open`].
pub struct Gate {
    url: String,
    is_open: watch::Sender<bool>,
    arrived: watch::Receiver<usize>,
}

/// What a component's `/fetch` returns when the gate is open.
pub const OPEN: &str = "200 OK\nopen";

impl Gate {
    /// A closed gate.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        // [`crate::host::MANIFEST`] allows this name with any port.
        let url = format!("http://localhost:{}/", listener.local_addr().expect("bound").port());
        let (is_open, opened) = watch::channel(false);
        let (count, arrived) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, opened.clone(), count.clone()));
            }
        });
        Self { url, is_open, arrived }
    }

    /// The gate's URL, which [`crate::host::MANIFEST`] allows.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A path of the component `probe` that ends with a request to the gate: `path?…&url=…`, such as `/fetch?`.
    pub fn through(&self, path: &str) -> String {
        format!("{path}url={}", self.url)
    }

    /// Waits until `count` requests have arrived.
    pub async fn wait_for(&self, count: usize) {
        let mut arrived = self.arrived.clone();
        let enough = timeout(DEADLINE, arrived.wait_for(|arrived| *arrived >= count)).await;
        drop(enough.expect("requests arrive").expect("the server runs"));
    }

    /// Answers the waiting requests and all later ones.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }
}

async fn answer(mut stream: TcpStream, mut opened: watch::Receiver<bool>, count: watch::Sender<usize>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    count.send_modify(|count| *count += 1);
    if opened.wait_for(|open| *open).await.is_ok() {
        let response = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nopen";
        // The component may have been stopped.
        let _ = stream.write_all(response).await;
    }
}
