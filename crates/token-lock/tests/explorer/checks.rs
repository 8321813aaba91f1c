//! What must hold in the simulated world.

use token_lock::Grant;

use crate::redis::Redis;
use crate::step::Step;
use crate::world::{START_MS, World};

impl World {
    fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// Invariant 5, and that numbers only grow: what a command may change.
    pub fn check_effect(&mut self, task: usize, step: &Step, before: &Redis) {
        let after = &mut self.servers[step.server];
        let mut wrong = None;
        for (key, entry) in &before.keys {
            if key.starts_with("locks:") && after.keys.get(key) != Some(entry) {
                if self.owners.get(&entry.0) != Some(&task) {
                    wrong = Some(format!("task {task} touched the lock of another with {}", step.command));
                }
                if !after.keys.contains_key(key) {
                    self.live.remove(&entry.0);
                    *self.deleted.entry(entry.0.clone()).or_default() += 1;
                }
            }
        }
        for key in after.keys.keys().filter(|key| key.starts_with("fencing:")) {
            let number = after.number(key);
            if let Some(number) = number
                && before.number(key) != Some(number)
            {
                if number <= after.greatest {
                    wrong = Some(format!("{number} is drawn after {}", after.greatest));
                }
                after.greatest = after.greatest.max(number);
                break;
            }
        }
        if let Some(what) = wrong {
            self.violated(what);
        }
    }

    /// Invariant 6 and mutual exclusion: a client has learnt that it holds the lock.
    pub fn check_grant(&mut self, task: usize, grant: &Grant) {
        let (fencing, floor) = (grant.fencing, self.floor[task]);
        if fencing <= floor {
            self.violated(format!("task {task} was granted {fencing}, but {floor} was granted before it began"));
        }
        if !self.rules.locks_may_vanish && fencing <= self.granted {
            self.violated(format!("task {task} was granted {fencing} after {}", self.granted));
        }
        self.granted = self.granted.max(fencing);
        self.check_holder(task, grant.token.as_str(), grant.expires_at_ms);
    }

    /// A client has learnt that it holds the lock until `expires_at_ms`.
    pub fn check_holder(&mut self, task: usize, token: &str, expires_at_ms: u64) {
        self.tell(&format!("task {task} holds it until {}", expires_at_ms - START_MS));
        if expires_at_ms <= self.now_ms {
            self.violated(format!("task {task} was told that it holds a lock that is over"));
        }
        if self.rules.locks_may_vanish {
            return;
        }
        let now_ms = self.now_ms;
        if self.live.iter().any(|(other, until)| other != token && *until > now_ms) {
            self.violated(format!("task {task} was told that it holds the lock, and so was another"));
        }
        self.live.insert(token.to_owned(), expires_at_ms);
        let ends = |redis: &Redis| {
            redis.keys.values().filter(|(value, _)| value == token).filter_map(|(_, expires)| *expires).max()
        };
        let held = self.servers.iter().filter(|redis| ends(redis).is_some_and(|end| end >= expires_at_ms)).count();
        if held <= self.servers.len() / 2 {
            self.violated(format!("task {task} trusts its lock for longer than the servers keep it"));
        }
    }

    /// A client was told whether it has removed its lock.
    pub fn check_release(&mut self, task: usize, token: &str, removed: bool) {
        self.tell(&format!("task {task} has released: {removed}"));
        let deleted = self.deleted.remove(token).unwrap_or(0);
        self.live.remove(token);
        if removed != (deleted > self.servers.len() / 2) {
            self.violated(format!("task {task} was told {removed}, and its lock was deleted {deleted} times"));
        }
    }
}
