//! Three independent servers. One may hang, be down or come back empty.

use std::time::{Duration, Instant};

use ports::Reply;
use ports::native::{NativeRedis, NativeRuntime};
use token_lock::{Acquired, Extended, Grant, LockError, Locks, Released, Resource, Settings};

use crate::world::{Instance, LONG, PATIENT, World, on_three, resource, until_existing};

/// For lists, which ask each server: they wait once for the deadline of one that hangs.
const IMPATIENT: Settings = Settings { timeout_ms: 1_000, circuit_open_ms: 1_000 };

/// Clients that check that the locks work.
pub struct Clients {
    one: Instance,
    other: Instance,
    lists: Instance,
    last_fencing: u64,
}

impl Clients {
    pub fn of(world: &World) -> Self {
        let [one, other] = [PATIENT; 2].map(|settings| world.instance(settings));
        Self { one, other, lists: world.instance(IMPATIENT), last_fencing: 0 }
    }

    /// The same with new instances, which have no connections and open no circuits.
    pub fn renew(&mut self, world: &World) {
        *self = Self { last_fencing: self.last_fencing, ..Self::of(world) };
    }

    /// One client acquires, extends and releases. The other cannot acquire meanwhile. The fencing number grows.
    pub async fn work(&mut self) {
        let (one, other) = (&self.one, &self.other);
        let orders = resource("orders");
        let grant = granted(one, &orders).await;
        assert!(grant.fencing > self.last_fencing, "{} after {}", grant.fencing, self.last_fencing);
        self.last_fencing = grant.fencing;
        assert_eq!(other.try_grant(&orders, 20_000).await, None);
        let extended = one.locks.extend(&orders, &grant.token, 20_000).await;
        assert!(matches!(extended, Ok(Extended::Until { .. })), "{extended:?}");
        let inspected = other.locks.inspect(&orders).await.expect("the majority replies");
        assert!(inspected.held.is_some_and(|held| held.ttl_ms > Some(10_000)), "{inspected:?}");
        assert_eq!(one.locks.release(&orders, &grant.token).await, Ok(Released::Removed));
        let inspected = other.locks.inspect(&orders).await.expect("the majority replies");
        assert_eq!(inspected.held, None);

        let held = granted(one, &resource("held")).await;
        assert!(is_listed(&self.lists, &held.resource).await);
        assert_eq!(one.locks.release(&held.resource, &held.token).await, Ok(Released::Removed));
    }

    /// Waits until every client asks this server again.
    async fn until_back(&self, world: &World, at: usize) {
        let (back, give_up) = (resource("back"), Instant::now() + LONG);
        for client in [&self.one, &self.other, &self.lists] {
            loop {
                let grant = granted(client, &back).await;
                let exists = world.redis_at(at).say("EXISTS locks:back").await;
                assert_eq!(client.locks.release(&back, &grant.token).await, Ok(Released::Removed));
                if exists == [Reply::Int(1)] {
                    break;
                }
                assert!(Instant::now() < give_up, "server {at} gets no requests");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Locks a resource that nobody holds for long. Waits, because the slowest server may not have handled the last release
/// yet.
async fn granted(client: &Instance, resource: &Resource) -> Grant {
    match client.locks.acquire_within(std::slice::from_ref(resource), 20_000, 30_000).await {
        Ok(Acquired::Granted(mut grants)) => grants.remove(0),
        not_granted => panic!("{not_granted:?}"),
    }
}

async fn is_listed(instance: &Instance, resource: &Resource) -> bool {
    let mut cursor = None;
    let give_up = Instant::now() + LONG;
    loop {
        let page = match instance.locks.list(cursor.as_deref()).await {
            Ok(page) => page,
            // Beside a server that hangs, another one was late: this instance has short deadlines.
            Err(_) if Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            Err(error) => panic!("the majority does not reply: {error:?}"),
        };
        if page.locks.iter().any(|(listed, _)| listed == resource) {
            return true;
        }
        let Some(next) = page.next else { return false };
        cursor = Some(next);
    }
}

#[tokio::test]
async fn one_server_that_hangs_or_is_down_changes_nothing() {
    on_three(async |mut world| {
        let mut clients = Clients::of(&world);
        clients.work().await;
        for at in [0, 1, 2] {
            let started = Instant::now();
            world.servers[at].pause();
            for _ in 0..5 {
                clients.work().await;
            }
            // The deadline of a server is 60 s.
            assert!(started.elapsed() < LONG, "somebody waits for the server that hangs: {:?}", started.elapsed());
            world.servers[at].resume();
            world.servers[at].kill().await.expect("killed");
            for _ in 0..5 {
                clients.work().await;
            }
            world.servers[at].restart().await.expect("restarted, empty");
            // The next server goes away too.
            clients.until_back(&world, at).await;
            for _ in 0..3 {
                clients.work().await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_majority_nothing_is_granted_and_nothing_is_left() {
    on_three(async |mut world| {
        for server in &mut world.servers[1..] {
            server.kill().await.expect("killed");
        }
        let locks = &world.one.locks;
        let outcome = locks.acquire(&[resource("orders")], 60_000).await;
        assert!(matches!(outcome, Err(LockError::Unavailable(_))), "{outcome:?}");
        world.until_gone("locks:orders").await;
        assert!(matches!(locks.list(None).await, Ok(page) if page.next.is_some()), "the first server replies");
        assert!(matches!(locks.list(Some("1.0.0")).await, Err(LockError::Unavailable(_))));
    })
    .await;
}

#[tokio::test]
async fn a_client_with_a_minority_releases_it() {
    on_three(async |world| {
        for at in [1, 2] {
            world.redis_at(at).say("SET locks:orders somebody PX 600000").await;
        }
        let outcome = world.one.locks.acquire(&[resource("orders")], 60_000).await;
        assert!(matches!(outcome, Ok(Acquired::Taken { .. })), "{outcome:?}");
        world.until_gone("locks:orders").await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_takes_a_lock_after_its_release_does_not_keep_it() {
    on_three(async |world| {
        let (client, permits) = world.instance_with_late_sets();
        let grant = client.grant(&resource("orders"), 600_000).await;
        assert_eq!(client.locks.release(&grant.resource, &grant.token).await, Ok(Released::Removed));
        let late = world.redis_at(2);
        assert_eq!(late.say("EXISTS locks:orders").await, [Reply::Int(0)], "the removal overtook the SET");
        permits.add_permits(1);
        // The fencing counter of this server is used after the lock was taken.
        until_existing(&late, "fencing:orders", 1).await;
        until_existing(&late, "locks:orders", 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_takes_a_lock_late_keeps_it_until_the_release() {
    on_three(async |world| {
        let (client, permits) = world.instance_with_late_sets();
        let grant = client.grant(&resource("orders"), 600_000).await;
        client.take_commands();
        permits.add_permits(1);
        let (mut commands, give_up) = (Vec::new(), Instant::now() + LONG);
        while commands.iter().filter(|command| *command == "GET").count() < 3 {
            assert!(Instant::now() < give_up, "nobody asks whether the lock is held: {commands:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
            commands.extend(client.take_commands());
        }
        assert!(client.locks.inspect(&grant.resource).await.expect("the majority replies").held.is_some());
        commands.extend(client.take_commands());
        assert!(!commands.iter().any(|command| command.contains("DEL")), "{commands:?}");
        assert_eq!(world.redis_at(2).say("EXISTS locks:orders").await, [Reply::Int(1)]);
    })
    .await;
}

/// A client uses no server that failed a short time ago. Another client may have used it for the grant.
#[tokio::test]
async fn a_server_behind_an_open_circuit_is_released_later() {
    const LONG_CIRCUIT: Settings = Settings { circuit_open_ms: 1_000, ..PATIENT };
    on_three(async |mut world| {
        let (one, other) = (&world.one, world.instance(LONG_CIRCUIT));
        world.servers[2].kill().await.expect("killed");
        let before = other.grant(&resource("before"), 600_000).await;
        world.servers[2].restart().await.expect("restarted");
        let grant = one.grant(&resource("orders"), 600_000).await;
        let third = world.redis_at(2);
        until_existing(&third, "locks:orders", 1).await;
        for grant in [&before, &grant] {
            assert_eq!(other.locks.release(&grant.resource, &grant.token).await, Ok(Released::Removed));
        }
        until_existing(&third, "locks:orders", 0).await;
    })
    .await;
}

/// One counter is far ahead: a majority with it uses its numbers, and later majorities without it have greater ones.
#[tokio::test]
async fn numbers_grow_in_every_majority() {
    on_three(async |mut world| {
        let mut clients = Clients::of(&world);
        clients.work().await;
        for at in [0, 1, 2, 1] {
            world.redis_at(at).say("INCRBY fencing:orders 1000000").await;
            let ahead = clients.last_fencing + 1_000_000;
            // The majority is the server that is ahead, and one other.
            world.servers[(at + 1) % 3].kill().await.expect("killed");
            clients.renew(&world);
            clients.work().await;
            assert!(clients.last_fencing >= ahead, "{} is not ahead", clients.last_fencing);
            world.servers[(at + 1) % 3].restart().await.expect("restarted");
            // The majority is without the server that is ahead.
            world.servers[at].pause();
            clients.renew(&world);
            clients.work().await;
            world.servers[at].resume();
        }
    })
    .await;
}

#[tokio::test]
async fn one_server_with_two_votes_is_refused() {
    on_three(async |world| {
        assert_eq!(world.one.locks.check_servers().await, Ok(()));
        let [first, second] = [&world.servers[0], &world.servers[1]].map(|server| server.url());
        let other_database = format!("{}/1", first.trim_end_matches('/'));
        let servers = [first, other_database, second].map(|url| NativeRedis::new(&url).expect("a Redis URL"));
        let locks = Locks::new(servers.into(), NativeRuntime::default(), PATIENT);
        assert_eq!(locks.check_servers().await, Err(LockError::SameServer));
    })
    .await;
}
