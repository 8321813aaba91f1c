//! Requests at a fixed rate, whatever the responses: an open loop. The other tables have closed loops, whose clients
//! send less when the server is slow, so they cannot overload it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep_until, timeout_at};

/// How long a client waits for a response before it closes its connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most connections. A request that finds none free is counted as one without an answer.
const MAX_CONNECTIONS: usize = 8_000;
/// The resolution of the timer: requests that are due in the same step are sent together.
const STEP: Duration = Duration::from_millis(1);

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How long each response with status 200 took, sorted. It counts from the time at which the request was due.
    pub served: Vec<Duration>,
    /// The same of responses with status 503.
    pub refused: Vec<Duration>,
    /// Requests without an answer: the client lost patience or found no connection.
    pub unanswered: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

#[derive(Default)]
struct Clients {
    idle: Vec<TcpStream>,
    open: usize,
    outcome: Outcome,
}

/// GETs `path` `rate` times per second for `seconds`.
///
/// # Errors
/// A response that is neither 200 nor 503.
pub async fn run(address: &str, path: &str, rate: f64, seconds: u64) -> Result<Outcome> {
    let request: Rc<[u8]> = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes().into();
    let clients: Rc<RefCell<Clients>> = Rc::default();
    let start = Instant::now();
    let send = async {
        let (mut requests, mut sent) = (JoinSet::new(), 0_u64);
        let mut step = start;
        while step < start + Duration::from_secs(seconds) {
            step += STEP;
            sleep_until(step.into()).await;
            loop {
                let due = start + Duration::from_secs_f64(sent as f64 / rate);
                if due > Instant::now() || due > start + Duration::from_secs(seconds) {
                    break;
                }
                sent += 1;
                requests.spawn_local(one(clients.clone(), address.to_owned(), request.clone(), due));
            }
            while let Some(done) = requests.try_join_next() {
                done??;
            }
        }
        while let Some(done) = requests.join_next().await {
            done??;
        }
        Ok::<_, anyhow::Error>(())
    };
    LocalSet::new().run_until(send).await?;
    let mut outcome = std::mem::take(&mut clients.borrow_mut().outcome);
    outcome.elapsed = start.elapsed();
    outcome.served.sort_unstable();
    outcome.refused.sort_unstable();
    Ok(outcome)
}

/// Sends one request that is due at `due`, and notes what becomes of it.
async fn one(clients: Rc<RefCell<Clients>>, address: String, request: Rc<[u8]>, due: Instant) -> Result<()> {
    let idle = {
        let mut clients = clients.borrow_mut();
        let idle = clients.idle.pop();
        if idle.is_none() {
            if clients.open >= MAX_CONNECTIONS {
                clients.outcome.unanswered += 1;
                return Ok(());
            }
            clients.open += 1;
        }
        idle
    };
    let answer = timeout_at((due + PATIENCE).into(), exchange(idle, &address, &request)).await;
    let took = due.elapsed();
    let mut clients = clients.borrow_mut();
    match answer {
        Ok(Ok((200, connection))) => {
            clients.outcome.served.push(took);
            clients.idle.push(connection);
        }
        Ok(Ok((503, connection))) => {
            clients.outcome.refused.push(took);
            clients.idle.push(connection);
        }
        Ok(Ok((status, _))) => bail!("a response has the status {status}"),
        // The connection broke, or took too long.
        Ok(Err(_)) | Err(_) => {
            clients.outcome.unanswered += 1;
            clients.open -= 1;
        }
    }
    Ok(())
}

/// Sends the request and reads the response. Returns its status, and the connection for the next request.
async fn exchange(idle: Option<TcpStream>, address: &str, request: &[u8]) -> Result<(u16, TcpStream)> {
    let mut connection = match idle {
        Some(connection) => connection,
        None => TcpStream::connect(address).await?,
    };
    connection.write_all(request).await?;
    let mut bytes = Vec::with_capacity(4096);
    let end = loop {
        ensure!(connection.read_buf(&mut bytes).await? > 0, "the connection was closed");
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = std::str::from_utf8(&bytes[..end])?.to_ascii_lowercase();
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).context("no content-length")?;
    let mut rest = (end + length.trim().parse::<usize>()?).saturating_sub(bytes.len());
    let mut buffer = vec![0; rest.min(64 * 1024)];
    while rest > 0 {
        let part = rest.min(buffer.len());
        let read = connection.read(&mut buffer[..part]).await?;
        ensure!(read > 0, "the connection was closed");
        rest -= read;
    }
    Ok((status, connection))
}
