//! What every test is given: a Redis server, instances of a service, and a plain Redis client.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dev_servers::RedisServer;
use events::{Event, Feed, Item, NewEvent, Publisher, StreamId, Subscription};
use ports::native::{NativeRedis, NativeRuntime, TestClient};
use ports::{Client, ClientSettings, Reply};

/// A limit for what takes milliseconds, also on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);

/// For tests that are not about deadlines: a busy machine is slow.
pub const PATIENT: ClientSettings = ClientSettings { timeout_ms: 60_000, circuit_open_ms: 100, patience_ms: 60_000 };

/// A length that no test reaches.
pub const LONG_STREAM: u64 = 100_000;

pub type NativeFeed = Rc<Feed<NativeRedis, NativeRuntime>>;
pub type NativeSubscription = Subscription<NativeRedis, NativeRuntime>;

pub struct World {
    pub server: RedisServer,
}

/// One instance of a service.
pub struct Instance {
    pub publisher: Rc<Publisher<NativeRedis, NativeRuntime>>,
    pub events: NativeFeed,
    pub messages: NativeFeed,
    /// How many events it has lost.
    pub lost: Rc<Cell<u64>>,
}

/// Runs a test with a Redis server.
pub async fn on_redis(test: impl AsyncFnOnce(World)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = RedisServer::start(folder.path()).await.expect("redis-server is installed and starts");
    tokio::task::LocalSet::new().run_until(test(World { server })).await;
}

impl World {
    /// An instance whose streams are never trimmed.
    pub fn instance(&self) -> Instance {
        self.instance_with(PATIENT, LONG_STREAM)
    }

    pub fn instance_with(&self, settings: ClientSettings, max_length: u64) -> Instance {
        let redis = NativeRedis::new(&self.server.url()).expect("a Redis URL");
        let client = Rc::new(Client::new(redis, Rc::new(NativeRuntime::default()), settings));
        let lost = Rc::new(Cell::new(0));
        let counter = Rc::clone(&lost);
        Instance {
            publisher: Publisher::new(Rc::clone(&client), "/test", max_length, move |n| counter.set(counter.get() + n)),
            events: Feed::new(Rc::clone(&client), events::EVENTS),
            messages: Feed::new(client, events::MESSAGES),
            lost,
        }
    }

    /// A plain client of the server.
    pub fn redis(&self) -> TestClient {
        TestClient::new(&self.server.url())
    }

    /// The number of entries of the stream of events.
    pub async fn length(&self) -> i64 {
        match self.redis().say("XLEN tumbler:events").await.as_slice() {
            [Reply::Int(length)] => *length,
            other => panic!("{other:?}"),
        }
    }

    /// The events in the stream, oldest first.
    pub async fn events(&self) -> Vec<Event> {
        let replies = self.redis().say("XRANGE tumbler:events - +").await;
        let values = replies.into_iter().skip(2).step_by(3);
        values.map(|json| serde_json::from_slice(&json.into_bytes().expect("bytes")).expect("an event")).collect()
    }

    /// How often the server has run this command.
    pub async fn calls(&self, command: &str) -> u64 {
        let info = self.redis().say("INFO commandstats").await.remove(0).into_bytes().expect("a text");
        let info = String::from_utf8(info).expect("UTF-8");
        let start = format!("cmdstat_{command}:calls=");
        let calls = info.lines().find_map(|line| line.strip_prefix(&start)?.split(',').next()?.parse().ok());
        calls.unwrap_or(0)
    }
}

impl Instance {
    /// Emits an event about the n-th thing.
    pub fn emit(&self, n: usize) {
        self.publisher.emit(NewEvent::new("test.changed", format!("things/{n}")).version(n as i64), None);
    }

    /// Emits events about these things, each after the one before is in the stream.
    pub async fn emit_in_order(&self, world: &World, things: impl IntoIterator<Item = usize>) {
        for n in things {
            let length = world.calls("xadd").await;
            self.emit(n);
            until(async || world.calls("xadd").await > length).await;
        }
    }

    pub async fn subscribe(&self, after: Option<StreamId>) -> NativeSubscription {
        self.events.subscribe(after).await.expect("Redis replies")
    }
}

/// Waits until a condition holds.
pub async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + LONG;
    while !condition().await {
        assert!(Instant::now() < give_up, "it does not happen");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Reads until there are `count` items: the subjects of events, and `gap`.
pub async fn next(reader: &mut NativeSubscription, count: usize) -> Vec<String> {
    let mut subjects = Vec::new();
    until(async || {
        subjects.extend(reader.read().await.expect("fast enough").iter().map(subject));
        subjects.len() >= count
    })
    .await;
    subjects
}

fn subject(item: &Item) -> String {
    match item {
        Item::Event(event) => event.subject.clone(),
        Item::Gap { .. } => "gap".to_owned(),
    }
}

/// The subjects of these things.
pub fn things(things: impl IntoIterator<Item = usize>) -> Vec<String> {
    things.into_iter().map(|n| format!("things/{n}")).collect()
}
