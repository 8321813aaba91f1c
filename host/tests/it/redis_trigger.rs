//! `[[trigger.redis]]`: messages of Redis channels, with the component `listener`.

use std::time::Duration;

use dev_servers::RedisServer;
use redis::AsyncCommands;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::gate::Gate;
use crate::host::{DEADLINE, Host, MANIFEST, command, get};

/// A manifest with Redis triggers only: `one` listens on two channels, `two` on one of them.
const TRIGGERS: &str = r#"
spin_manifest_version = 2

[application]
name = "listeners"

[application.trigger.redis]
address = "{{ redis_url }}"

[variables]
redis_url = { required = true }

[[trigger.redis]]
channel = "shared"
component = "one"

[[trigger.redis]]
channel = "own"
address = "{{ redis_url }}"
component = "one"

[[trigger.redis]]
channel = "shared"
component = "two"

[component.one]
source = "LISTENER"
allowed_outbound_hosts = ["http://localhost:*"]

[component.two]
source = "LISTENER"
"#;

/// A Redis server, and a host that listens to it.
struct World {
    host: Host,
    redis: RedisServer,
    _folder: tempfile::TempDir,
}

/// A host with [`TRIGGERS`], which does not wait for Redis.
fn host(redis: &RedisServer, arguments: &[&str]) -> Host {
    host_at(&redis.url(), arguments)
}

fn host_at(redis_url: &str, arguments: &[&str]) -> Host {
    let variable = format!("redis_url={redis_url}");
    let arguments: Vec<&str> = ["--variable", &variable].iter().chain(arguments).copied().collect();
    let (command, folder) = command(TRIGGERS, &arguments);
    Host::spawn(command, folder)
}

impl World {
    async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let redis = RedisServer::start(folder.path()).await.expect("a server");
        let host = host(&redis, arguments);
        host.wait_for_line("listening on own, shared").await;
        Self { host, redis, _folder: folder }
    }

    /// Publishes a message. Fails unless somebody listens on the channel.
    async fn publish(&self, channel: &str, message: &str) {
        publish(&self.redis, channel, message).await;
    }

    /// Waits for a line, which begins with the component's id.
    async fn wait_for(&self, component: &str, text: &str) {
        let line = self.host.wait_for_line(text).await;
        assert!(line.starts_with(&format!("[{component}] ")), "{line}");
    }
}

async fn publish(redis: &RedisServer, channel: &str, message: &str) {
    let client = redis::Client::open(redis.url()).expect("valid");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connected");
    let receivers: usize = connection.publish(channel, message).await.expect("published");
    assert_eq!(receivers, 1, "one connection listens on {channel}");
}

#[tokio::test]
async fn each_component_of_a_channel_gets_its_messages_in_their_order() {
    let world = World::start(&[]).await;
    for number in 0..20 {
        world.publish("shared", &format!("print number {number}")).await;
    }
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let line = world.host.wait_for_line("number").await;
        match line.split_once("] ").expect("a prefix") {
            ("[one", text) => one.push(text.to_owned()),
            (_, text) => two.push(text.to_owned()),
        }
    }
    // Each message has a new instance.
    let expected: Vec<String> = (0..20).map(|number| format!("number {number}, message 1")).collect();
    assert_eq!((one, two), (expected.clone(), expected));
    world.publish("own", "print only one").await;
    world.wait_for("one", "only one").await;
}

#[tokio::test]
async fn the_channels_are_announced() {
    let folder = tempfile::tempdir().expect("a folder");
    let redis = RedisServer::start(folder.path()).await.expect("a server");
    let host = host(&redis, &[]);
    for expected in
        [&format!("Redis channels on 127.0.0.1:{}:", redis.port()), "  one: shared", "  one: own", "  two: shared"]
    {
        assert_eq!(host.wait_for_line(expected).await, expected);
    }
}

#[tokio::test]
async fn http_and_redis_triggers_work_in_one_application() {
    let folder = tempfile::tempdir().expect("a folder");
    let redis = RedisServer::start(folder.path()).await.expect("a server");
    let manifest = format!(
        "{MANIFEST}\n[[trigger.redis]]\nchannel = \"x\"\naddress = \"{}\"\ncomponent = \"listener\"\n\
         [component.listener]\nsource = \"LISTENER\"\nallowed_outbound_hosts = [\"http://other.spin.internal\", \"http://self\"]\n",
        redis.url()
    );
    let host = Host::start_manifest(&manifest, &["--workers", "2"]).await;
    host.wait_for_line("listening on x").await;
    publish(&redis, "x", "fetch http://other.spin.internal/hello").await;
    host.wait_for_line("[listener] fetched 200").await;
    publish(&redis, "x", "fetch http://self.alt/fixed").await;
    host.wait_for_line("[listener] fetched 203").await;
    host.get("/hello").await.assert_body("hello");
    // It has no HTTP export that others could call.
    let refused = host.get("/fetch?url=http://listener.spin.internal/").await.body;
    assert_eq!(refused, "ErrorCode::HttpRequestDenied");
}

#[tokio::test]
async fn an_error_or_a_trap_is_logged_and_the_next_message_is_handled() {
    let world = World::start(&["--metrics-listen", "127.0.0.1:0"]).await;
    for (message, logged) in [
        ("error", "the handler returned an error: asked to"),
        ("fetch http://example.com/", "the handler returned an error: "),
        ("trap", "the handler failed: "),
    ] {
        world.publish("own", message).await;
        world.wait_for("one", &format!("a message on \"own\": {logged}")).await;
    }
    world.publish("own", "print still here").await;
    world.wait_for("one", "still here, message 1").await;
}

#[tokio::test]
async fn messages_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let redis = RedisServer::start(folder.path()).await.expect("a server");
    let host = host(&redis, &["--metrics-listen", "127.0.0.1:0", "--request-timeout", "60s"]);
    let url = host.wait_for_line("Metrics: ").await.trim_start_matches("Metrics: ").to_owned();
    host.wait_for_line("listening on").await;
    for message in ["print a", "error", "trap", "print b"] {
        publish(&redis, "own", message).await;
    }
    let lines = [
        "tumbler_host_redis_messages_total{component=\"one\",result=\"handled\"} 2",
        "tumbler_host_redis_messages_total{component=\"one\",result=\"failed\"} 2",
        "tumbler_host_redis_messages_total{component=\"one\",result=\"dropped\"} 0",
        "tumbler_host_redis_messages_total{component=\"two\",result=\"handled\"} 0",
        "tumbler_host_traps_total{component=\"one\"} 1",
        "tumbler_host_instances_created_total{component=\"one\"} 4",
        "tumbler_host_instances{component=\"one\"} 0",
    ];
    let counted = async {
        loop {
            let text = get(&url).await.body;
            if lines.iter().all(|expected| text.lines().any(|line| line == *expected)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(DEADLINE, counted).await.is_ok(), "{}", get(&url).await.body);
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_stopped() {
    let world = World::start(&["--request-timeout", "2s"]).await;
    world.publish("own", "spin").await;
    world.publish("own", "print after it").await;
    // Other triggers do not wait for it.
    world.publish("shared", "print meanwhile").await;
    world.wait_for("one", "did not finish in time").await;
    world.wait_for("one", "after it").await;
}

#[tokio::test]
async fn the_host_connects_again_when_redis_is_back() {
    let mut world = World::start(&[]).await;
    for _ in 0..2 {
        world.redis.kill().await.expect("killed");
        world.host.wait_for_line("the connection is lost, trying to connect again").await;
        world.redis.restart().await.expect("restarted");
        world.host.wait_for_line("listening on own, shared").await;
        world.publish("own", "print here again").await;
        world.wait_for("one", "here again").await;
    }
}

#[tokio::test]
async fn an_unreachable_redis_is_logged_once() {
    // It closes each connection at once.
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("redis://{}", server.local_addr().expect("bound"));
    let host = host_at(&url, &[]);
    let tries = async {
        for _ in 0..5 {
            drop(server.accept().await.expect("a connection"));
        }
    };
    timeout(DEADLINE, tries).await.expect("the host tries again");
    host.wait_for_line("cannot listen, trying again: ").await;
    let lines = host.lines_so_far().await;
    assert!(!lines.iter().any(|line| line.starts_with("Redis 127.0.0.1")), "{lines:?}");
}

#[tokio::test]
async fn an_unreachable_redis_does_not_end_the_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut redis = RedisServer::start(folder.path()).await.expect("a server");
    redis.kill().await.expect("killed");
    let mut host = host(&redis, &[]);
    host.wait_for_line("cannot listen, trying again: ").await;
    redis.restart().await.expect("restarted");
    host.wait_for_line("listening on own, shared").await;
    publish(&redis, "own", "print at last").await;
    host.wait_for_line("at last").await;
    redis.kill().await.expect("killed");
    host.wait_for_line("the connection is lost").await;
    let status = host.terminate().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn messages_that_a_slow_component_cannot_keep_up_with_are_dropped() {
    let gate = Gate::start().await;
    let world = World::start(&["--max-queue", "2"]).await;
    world.publish("own", &format!("fetch {}", gate.url())).await;
    gate.wait_for(1).await;
    for number in 0..7 {
        world.publish("own", &format!("print number {number}")).await;
    }
    world.wait_for("one", "channel \"own\": the component is too slow: messages are dropped").await;
    // The other trigger of the component is not affected.
    world.publish("shared", "print beside it").await;
    // The component `two` listens to this channel, too, and may be first.
    world.host.wait_for_line("[one] beside it").await;
    gate.open();
    world.wait_for("one", "fetched 200").await;
    world.wait_for("one", "number 0, message 1").await;
    world.wait_for("one", "number 1, message 1").await;
    world.wait_for("one", "has caught up: 5 messages were dropped").await;
}

#[tokio::test]
async fn after_a_signal_the_messages_that_wait_are_handled() {
    let gate = Gate::start().await;
    let mut world = World::start(&[]).await;
    world.publish("own", &format!("fetch {}", gate.url())).await;
    world.publish("own", "print the last one").await;
    gate.wait_for(1).await;
    let client = redis::Client::open(world.redis.url()).expect("valid");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connected");
    let open = async {
        // The host stops listening first.
        loop {
            let receivers: usize = connection.publish("own", "print too late").await.expect("published");
            if receivers == 0 {
                return gate.open();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (status, ()) = tokio::join!(world.host.terminate(), open);
    assert!(status.success(), "{status}");
    world.wait_for("one", "fetched 200").await;
    world.wait_for("one", "the last one").await;
}
