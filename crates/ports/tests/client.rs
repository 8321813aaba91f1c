//! [`ports::Client`] over a scripted Redis and a clock that jumps from one timer to the next.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ports::{Arg, Client, ClientSettings, Connect, Connection, Redis, RedisError, Reply, Runtime};

const SETTINGS: ClientSettings = ClientSettings { timeout_ms: 100, circuit_open_ms: 500, patience_ms: 0 };

/// What the fake Redis does with the next command. Without a script it replies OK at once.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Replies after this many ms.
    ReplyAfter(u64),
    /// The connection breaks.
    Break,
    /// Replies with an error.
    Refuse,
}
use Behaviour::{Break, Refuse, ReplyAfter};

const NEVER: Behaviour = ReplyAfter(u64::MAX);

#[derive(Default)]
struct World {
    now_ms: Cell<u64>,
    /// When the futures that are pending want to be polled again.
    timers: RefCell<Vec<u64>>,
    script: RefCell<VecDeque<Behaviour>>,
    /// Commands on the shared connection.
    commands: RefCell<Vec<String>>,
    reconnects: Cell<u32>,
    connections_opened: Cell<u32>,
    connections_open: Cell<u32>,
}

struct Fake(Rc<World>);

impl Fake {
    async fn wait_until(&self, ms: u64) {
        poll_fn(|_| {
            if self.0.now_ms.get() >= ms {
                return Poll::Ready(());
            }
            self.0.timers.borrow_mut().push(ms);
            Poll::Pending
        })
        .await;
    }

    async fn reply(&self, status: &str) -> Result<Vec<Reply>, RedisError> {
        let next = self.0.script.borrow_mut().pop_front().unwrap_or(ReplyAfter(0));
        match next {
            ReplyAfter(ms) => {
                self.wait_until(self.0.now_ms.get().saturating_add(ms)).await;
                Ok(vec![Reply::Status(status.to_owned())])
            }
            Break => Err(RedisError::Unreachable("broken".to_owned())),
            Refuse => Err(RedisError::Refused("OOM".to_owned())),
        }
    }
}

impl Redis for Fake {
    async fn execute(&self, command: &str, _: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.0.commands.borrow_mut().push(command.to_owned());
        self.reply("OK").await
    }

    fn reconnect(&self) {
        self.0.reconnects.set(self.0.reconnects.get() + 1);
    }
}

impl Connect for Fake {
    type Connection = FakeConnection;

    async fn connect(&self) -> Result<FakeConnection, RedisError> {
        self.0.connections_opened.set(self.0.connections_opened.get() + 1);
        self.0.connections_open.set(self.0.connections_open.get() + 1);
        Ok(FakeConnection(Fake(Rc::clone(&self.0))))
    }
}

struct FakeConnection(Fake);

impl Connection for FakeConnection {
    async fn execute(&self, command: &str, _: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        self.0.reply(if command == "PEXPIRE" { "QUEUED" } else { "OK" }).await
    }
}

impl Drop for FakeConnection {
    fn drop(&mut self) {
        self.0.0.connections_open.set(self.0.0.connections_open.get() - 1);
    }
}

impl Runtime for Fake {
    fn unix_ms(&self) -> u64 {
        self.0.now_ms.get()
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.now_ms.get()
    }

    fn random_u64(&self) -> u64 {
        0
    }

    async fn sleep(&self, ms: u64) {
        self.wait_until(self.0.now_ms.get() + ms).await;
    }

    fn spawn(&self, _: impl Future<Output = ()> + 'static) {}
}

fn given() -> (Rc<World>, Client<Fake, Fake>) {
    let world = Rc::<World>::default();
    let client = Client::new(Fake(Rc::clone(&world)), Rc::new(Fake(Rc::clone(&world))), SETTINGS);
    (world, client)
}

/// Runs `work`. When it waits, time jumps to the next timer.
fn run<V>(world: &World, work: impl Future<Output = V>) -> V {
    let mut work = pin!(work);
    loop {
        if let Poll::Ready(value) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        world.now_ms.set(world.timers.take().into_iter().min().expect("something will happen"));
    }
}

fn script(world: &World, behaviours: &[Behaviour]) {
    world.script.borrow_mut().extend(behaviours);
}

#[test]
fn a_call_ends_at_its_deadline_and_a_reply_at_the_last_moment_counts() {
    for (reply_after_ms, in_time) in [(0, true), (99, true), (100, true), (101, true), (102, false), (10_000, false)] {
        let (world, client) = given();
        script(&world, &[ReplyAfter(reply_after_ms)]);
        let outcome = run(&world, client.call_one("GET", vec!["k".into()]));
        assert_eq!(outcome.is_ok(), in_time, "after {reply_after_ms} ms: {outcome:?}");
        assert_eq!(world.reconnects.get(), u32::from(!in_time), "the next call gets a new connection");
        assert_eq!(world.now_ms.get(), reply_after_ms.min(101));
    }
}

#[test]
fn the_deadline_grows_with_the_arguments() {
    let (world, client) = given();
    let args = vec![Arg::from(vec![0; 64 * 1024]); 20];
    assert_eq!(client.timeout_for(&args), 100 + 1 + 80);
    script(&world, &[ReplyAfter(181), ReplyAfter(181)]);
    assert!(run(&world, client.call_large("MSET", args.clone())).is_ok());
    assert!(run(&world, client.call("MSET", args)).is_err());
}

#[test]
fn one_deadline_holds_for_an_operation_of_several_commands() {
    let (world, client) = given();
    script(&world, &[ReplyAfter(60), ReplyAfter(60)]);
    let both = async {
        client.send("GET", vec!["a".into()]).await?;
        client.send("GET", vec!["b".into()]).await
    };
    assert!(run(&world, client.within_timeout(both)).is_err());
}

#[test]
fn only_repeatable_commands_are_sent_again_on_a_broken_connection() {
    for (command, args, repeatable) in [
        ("MGET", vec!["k".into()], true),
        ("INCRBY", vec!["k".into(), 1_i64.into()], true),
        ("SET", vec!["k".into(), "v".into(), "NX".into()], false),
        ("SET", vec!["k".into(), "v".into(), "IFEQ".into(), "v".into()], true),
        ("HINCRBY", vec!["h".into(), "f".into(), 1_i64.into()], false),
        ("UNLINK", vec!["k".into()], false),
        ("ZADD", vec!["k".into(), 1_i64.into(), "n".into()], true),
        ("ZADD", vec!["k".into(), "XX".into(), "INCR".into(), 1_i64.into(), "n".into()], false),
        ("INCREX", vec!["k".into(), "BYINT".into(), 1_i64.into()], false),
    ] {
        let (world, client) = given();
        script(&world, &[Break]);
        let outcome = run(&world, client.call(command, args));
        assert_eq!(outcome.is_ok(), repeatable, "{command}");
        assert_eq!(world.commands.borrow().len(), if repeatable { 2 } else { 1 }, "{command}");
    }
}

#[test]
fn a_command_is_repeated_once_and_not_after_a_refusal() {
    for (behaviours, sent) in [([Break, Break, Break], 2), ([Refuse, Break, Break], 1)] {
        let (world, client) = given();
        script(&world, &behaviours);
        assert!(run(&world, client.call("GET", vec!["k".into()])).is_err());
        assert_eq!(world.commands.borrow().len(), sent);
    }
}

#[test]
fn a_failure_opens_the_circuit_and_a_reply_closes_it() {
    for (reply, closed) in [(ReplyAfter(0), true), (Refuse, true), (Break, false)] {
        let (world, client) = given();
        script(&world, &[Break, reply]);
        assert!(client.admits());
        assert!(run(&world, client.call("SET", vec![])).is_err());
        assert!(!client.admits());
        world.now_ms.set(499);
        assert!(!client.admits());
        world.now_ms.set(500);
        assert!(client.admits(), "half-open: one probe");
        assert!(!client.admits(), "and not two");
        world.now_ms.set(600);
        assert!(client.admits(), "a probe that never returned does not block for ever");
        // A caller that must try does not ask.
        let _ = run(&world, client.call("SET", vec![]));
        assert_eq!(client.admits(), closed);
    }
}

#[test]
fn a_missed_deadline_opens_the_circuit_from_then_on() {
    let (world, client) = given();
    script(&world, &[NEVER]);
    assert!(run(&world, client.call("GET", vec![])).is_err());
    let now_ms = world.now_ms.get();
    world.now_ms.set(now_ms + 499);
    assert!(!client.admits());
    world.now_ms.set(now_ms + 500);
    assert!(client.admits());
}

/// WATCH, MULTI, PEXPIRE, EXEC.
async fn transaction(client: &Client<Fake, Fake>) -> Result<(), RedisError> {
    let watched = client.watch("k").await?;
    watched.queue("PEXPIRE", vec!["k".into()]).await?;
    watched.exec().await.map(drop)
}

#[test]
fn transactions_share_a_connection_as_long_as_it_works() {
    let (world, client) = given();
    for _ in 0..3 {
        assert_eq!(run(&world, client.within_timeout(transaction(&client))), Ok(()));
    }
    assert_eq!((world.connections_opened.get(), world.connections_open.get()), (1, 1));
    script(&world, &[Break]);
    assert_eq!(run(&world, client.within_timeout(transaction(&client))), Ok(()));
    assert_eq!((world.connections_opened.get(), world.connections_open.get()), (2, 1), "the broken one is closed");
}

#[test]
fn a_connection_whose_reply_is_late_is_closed() {
    // The step that gets no reply: WATCH, MULTI, PEXPIRE, EXEC.
    for step in 0..4 {
        let (world, client) = given();
        script(&world, &[ReplyAfter(1)].repeat(step));
        script(&world, &[NEVER]);
        assert!(run(&world, client.within_timeout(transaction(&client))).is_err());
        assert_eq!((world.connections_opened.get(), world.connections_open.get()), (1, 0), "step {step}");
        assert_eq!(run(&world, client.within_timeout(transaction(&client))), Ok(()));
        assert_eq!(world.connections_opened.get(), 2);
    }
}

#[test]
fn a_missed_deadline_closes_idle_connections() {
    let (world, client) = given();
    assert_eq!(run(&world, client.within_timeout(transaction(&client))), Ok(()));
    assert_eq!(world.connections_open.get(), 1);
    script(&world, &[NEVER]);
    assert!(run(&world, client.call("GET", vec![])).is_err());
    assert_eq!(world.connections_open.get(), 0);
}

#[test]
fn a_late_transaction_leaves_the_circuit_and_the_shared_connection_alone() {
    let (world, client) = given();
    script(&world, &[NEVER]);
    let set = client.set_watched("k", vec!["k".into(), "v".into()], async || Ok(true));
    assert!(run(&world, set).is_err());
    assert!(client.admits());
    assert_eq!((world.reconnects.get(), world.connections_open.get()), (0, 0));
}
