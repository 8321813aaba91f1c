//! Requests of one instance that wait for the same resource.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use token_lock::{Acquired, Released, Resource};
use tokio::task::{JoinHandle, spawn_local, yield_now};

use crate::world::{Instance, on_redis, resource};

const WAITERS: usize = 10;
/// Of the waiters, one that gives up.
const GONE: usize = 3;

/// Waits for the lock, notes its number, and releases the lock.
fn waiter(instance: &Instance, orders: &Resource, number: usize, granted: &Rc<RefCell<Vec<usize>>>) -> JoinHandle<()> {
    let (locks, orders, granted) = (Rc::clone(&instance.locks), orders.clone(), Rc::clone(granted));
    spawn_local(async move {
        let acquired = locks.acquire_within(std::slice::from_ref(&orders), 600_000, 600_000).await;
        let Ok(Acquired::Granted(grants)) = acquired else { panic!("{acquired:?}") };
        granted.borrow_mut().push(number);
        assert_eq!(locks.release(&orders, &grants[0].token).await, Ok(Released::Removed));
    })
}

/// Waits until the instance has tried this many times.
async fn until_tried(instance: &Instance, times: usize) {
    let mut tried = 0;
    while tried < times {
        tokio::time::sleep(Duration::from_millis(1)).await;
        tried += instance.take_commands().iter().filter(|command| *command == "SET").count();
    }
}

#[tokio::test]
async fn waiters_of_one_instance_ask_one_after_the_other_in_their_order() {
    on_redis(async |world| {
        let orders = resource("orders");
        let held = world.other.grant(&orders, 600_000).await;
        let granted = Rc::default();
        let mut waiters = vec![waiter(&world.one, &orders, 0, &granted)];
        // Its second attempt comes after it has joined the line. The pauses grow until the sixth.
        until_tried(&world.one, 6).await;
        for number in 1..WAITERS {
            waiters.push(waiter(&world.one, &orders, number, &granted));
            yield_now().await;
        }
        let start = Instant::now();
        until_tried(&world.one, 10).await;
        // One waiter pauses for 32 to 64 ms. Ten of them would need a tenth of this time, on a slow machine more.
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(250), "ten attempts within {took:?}");

        waiters[GONE].abort();
        assert_eq!(world.other.locks.release(&orders, &held.token).await, Ok(Released::Removed));
        for (number, waiter) in waiters.into_iter().enumerate() {
            assert_eq!(waiter.await.is_ok(), number != GONE);
        }
        let expected: Vec<usize> = (0..WAITERS).filter(|number| *number != GONE).collect();
        assert_eq!(*granted.borrow(), expected);
    })
    .await;
}

/// A request for several resources may have to wait for one after the other.
#[tokio::test]
async fn a_waiter_moves_to_the_line_of_the_resource_that_is_taken() {
    on_redis(async |world| {
        let (orders, stock) = (resource("orders"), resource("stock"));
        let held = [world.other.grant(&orders, 600_000).await, world.other.grant(&stock, 600_000).await];
        let locks = Rc::clone(&world.one.locks);
        let both = [orders.clone(), stock.clone()];
        let waiting = spawn_local(async move { locks.acquire_within(&both, 600_000, 600_000).await });
        until_tried(&world.one, 2).await;
        world.other.locks.release(&orders, &held[0].token).await.expect("Redis replies");
        until_tried(&world.one, 6).await;
        // It waits for `stock` and holds nothing, so another request of the instance gets `orders`.
        let locks = &world.one.locks;
        let got = locks.acquire_within(std::slice::from_ref(&orders), 600_000, 600_000).await.expect("Redis replies");
        let Acquired::Granted(grants) = got else { panic!("{got:?}") };
        locks.release(&orders, &grants[0].token).await.expect("Redis replies");
        world.other.locks.release(&stock, &held[1].token).await.expect("Redis replies");
        let acquired = waiting.await.expect("it does not panic");
        assert!(matches!(acquired, Ok(Acquired::Granted(grants)) if grants.len() == 2));
    })
    .await;
}
