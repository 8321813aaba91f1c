//! What is in the streams and on the channels.

use events::{Channel, NewEvent};
use ports::Reply;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

use crate::world::{LONG_STREAM, PATIENT, World, next, on_redis, until};

/// What a client of Redis receives, as raw lines.
struct Listener(Lines<BufReader<TcpStream>>);

impl Listener {
    /// What clients publish on this channel.
    async fn on(world: &World, channel: &str) -> Self {
        Self::to(world, &format!("SUBSCRIBE {channel}"), ":1").await
    }

    /// The commands of all clients.
    async fn to_commands(world: &World) -> Self {
        Self::to(world, "MONITOR", "+OK").await
    }

    async fn to(world: &World, command: &str, confirmation: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", world.server.port())).await.expect("it listens");
        stream.write_all(format!("{command}\r\n").as_bytes()).await.expect("it reads");
        let mut listener = Self(BufReader::new(stream).lines());
        listener.until(confirmation).await;
        listener
    }

    /// Returns the first line that starts like this.
    async fn until(&mut self, start: &str) -> String {
        loop {
            let line = self.next().await;
            if line.starts_with(start) {
                return line;
            }
        }
    }

    async fn next(&mut self) -> String {
        self.0.next_line().await.expect("it replies").expect("it runs")
    }
}

#[tokio::test]
async fn an_event_is_appended_and_then_published() {
    on_redis(async |world| {
        let mut listener = Listener::on(&world, "tumbler:events").await;
        let mut commands = Listener::to_commands(&world).await;
        let instance = world.instance();
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        instance.publisher.emit(NewEvent::new("test.changed", "things/7").version(3), Some(trace.to_owned()));
        let published = listener.until("{").await;
        let events = world.events().await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(event.to_json(), published);
        assert_eq!(
            (&*event.source, &*event.kind, event.subject.as_deref()),
            ("/test", "test.changed", Some("things/7"))
        );
        assert_eq!((event.version, event.traceparent.as_deref()), (Some(3), Some(trace)));
        assert!(event.id.len() == 32 && event.id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", event.id);
        assert_eq!(instance.lost.get(), 0);
        let (first, second) = (commands.next().await, commands.next().await);
        assert!(first.contains("\"XADD\" \"tumbler:events\" \"MAXLEN\" \"~\" \"100000\" \"*\" \"event\""), "{first}");
        assert!(second.contains("\"PUBLISH\" \"tumbler:events\""), "{second}");
    })
    .await;
}

#[tokio::test]
async fn messages_have_a_stream_and_channels_of_their_own() {
    on_redis(async |world| {
        let channel = Channel::new("orders").expect("valid");
        let mut listener = Listener::on(&world, "tumbler:channel:orders").await;
        let instance = world.instance();
        let mut reader = instance.messages.subscribe(None).await.expect("Redis replies");
        let message = NewEvent::new("tumbler.message", channel.name()).data(json!({"n": 1}));
        let id = instance.publisher.send(&channel, message, None).await.expect("Redis replies");
        let published: serde_json::Value = serde_json::from_str(&listener.until("{").await).expect("JSON");
        assert_eq!((&published["id"], &published["data"]), (&json!(id), &json!({"n": 1})));
        assert_eq!(world.redis().say("XLEN tumbler:messages").await, [Reply::Int(1)]);
        assert_eq!(world.length().await, 0);
        assert_eq!(next(&mut reader, 1).await, ["orders"]);
    })
    .await;
}

#[tokio::test]
async fn the_stream_is_capped() {
    on_redis(async |world| {
        let instance = world.instance_with(PATIENT, 200);
        for n in 0..1_000 {
            instance.emit(n);
            until(async || n % 100 > 0 || world.calls("publish").await > n as u64).await;
        }
        until(async || world.calls("publish").await == 1_000).await;
        // Redis removes blocks of 100 entries.
        let length = world.length().await;
        assert!((200..300).contains(&length), "{length}");
        assert_eq!(instance.lost.get(), 0);
    })
    .await;
}

/// Redis has some megabytes for messages, however large they are.
#[tokio::test]
async fn fewer_large_messages_are_kept() {
    on_redis(async |world| {
        let instance = world.instance_with(PATIENT, LONG_STREAM);
        let channel = Channel::new("a").expect("valid");
        for _ in 0..600 {
            let message = NewEvent::new("tumbler.message", "a").data("x".repeat(64 * 1024));
            instance.publisher.send(&channel, message, None).await.expect("Redis replies");
        }
        let Reply::Int(length) = world.redis().say("XLEN tumbler:messages").await[0] else { panic!("a number") };
        assert!((200..=300).contains(&length), "{length}");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_published_if_the_stream_may_have_no_events() {
    on_redis(async |world| {
        let instance = world.instance_with(PATIENT, 0);
        assert!(!instance.publisher.is_enabled());
        instance.emit(1);
        world.instance().emit(2);
        until(async || world.calls("publish").await > 0).await;
        let subjects: Vec<_> = world.events().await.into_iter().filter_map(|event| event.subject).collect();
        assert_eq!((subjects, instance.lost.get()), (vec!["things/2".to_owned()], 0));
    })
    .await;
}
