//! The connection to one Redis server: subscribes, and connects again when it is lost.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use redis::aio::PubSub;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{ConnectionInfo, ErrorKind, RedisError, RedisResult};

use super::inbox::Inbox;
use super::servers::Server;

/// How long connecting and subscribing may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before the next try to connect. It doubles up to [`MAX_PAUSE`], and starts again after a connection that
/// lasted as long as that.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// A server that loses power or network does not close the connection. After this time without a message the operating
/// system asks the server, and closes the connection if it does not respond.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 3;

/// Settings of connections that are silent for a long time.
pub fn with_keepalive(info: ConnectionInfo) -> ConnectionInfo {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(KEEPALIVE_PROBES);
    info.set_tcp_settings(TcpSettings::default().set_nodelay(true).set_keepalive(keepalive))
}

/// Puts the messages of `server` into the inboxes of their channels, for ever. Each change between connected and not
/// connected is logged once.
pub async fn keep(server: Server, inboxes: Vec<Rc<Inbox>>) {
    let name = &server.name;
    let (mut pause, mut is_down) = (FIRST_PAUSE, false);
    loop {
        match tokio::time::timeout(CONNECT_TIMEOUT, subscribe(&server)).await.unwrap_or_else(|_| Err(timed_out())) {
            Ok(mut subscribed) => {
                eprintln!("Redis {name}: listening on {}", server.channels().join(", "));
                let since = Instant::now();
                deliver(&mut subscribed, &inboxes).await;
                eprintln!("Redis {name}: the connection is lost, trying to connect again");
                is_down = true;
                if since.elapsed() >= MAX_PAUSE {
                    pause = FIRST_PAUSE;
                }
            }
            Err(error) if !is_down => {
                eprintln!("Redis {name}: cannot listen, trying again: {error}");
                is_down = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

async fn subscribe(server: &Server) -> RedisResult<PubSub> {
    let mut connection = server.client.get_async_pubsub().await?;
    connection.subscribe(server.channels()).await?;
    Ok(connection)
}

fn timed_out() -> RedisError {
    RedisError::from((ErrorKind::Io, "no response in time"))
}

/// Puts messages into the inboxes until the connection ends. It never waits for a handler: the library reads ahead
/// without a limit, so messages that cannot be kept must be dropped here.
async fn deliver(connection: &mut PubSub, inboxes: &[Rc<Inbox>]) {
    let mut messages = connection.on_message();
    while let Some(message) = messages.next().await {
        for inbox in inboxes.iter().filter(|inbox| inbox.channel() == message.get_channel_name()) {
            inbox.push(message.get_payload_bytes());
        }
    }
}
