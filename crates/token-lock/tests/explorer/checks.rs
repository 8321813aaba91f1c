//! The invariants, checked in the simulated world.

use std::collections::BTreeMap;

use token_lock::Grant;

use crate::redis::{Entry, Redis, number_of};
use crate::step::Step;
use crate::world::{START_MS, World};

impl World {
    fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// Checks a command's effect: it changes no other holder's lock (invariant 5), and counters only grow. A counter
    /// that exists gets ahead of all counters by one at most. So it stays behind the greatest clock.
    pub fn check_effect(&mut self, task: usize, step: &Step, before: &BTreeMap<String, Entry>) {
        let greatest = self.servers.iter().map(|redis| redis.greatest).max().unwrap_or_default();
        let after = &mut self.servers[step.server];
        let mut wrong = None;
        for (key, entry) in before {
            if key.starts_with("locks:") && after.keys.get(key) != Some(entry) {
                if self.owners.get(&entry.0) != Some(&task) {
                    wrong = Some(format!("task {task} changed the lock of another holder with {}", step.command));
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
                && before.get(key).and_then(number_of) != Some(number)
            {
                if number <= after.greatest {
                    wrong = Some(format!("{number} was drawn after {}", after.greatest));
                }
                if before.get(key).and_then(number_of).is_some() && number > greatest + 1 {
                    wrong = Some(format!("{number} was reached by raising, but {greatest} was the greatest number"));
                }
                after.greatest = after.greatest.max(number);
                break;
            }
        }
        if let Some(what) = wrong {
            self.violated(what);
        }
    }

    /// A client received a grant: checks its fencing number (invariant 6) and mutual exclusion.
    pub fn check_grant(&mut self, task: usize, grant: &Grant) {
        let (fencing, floor) = (grant.fencing, self.floor[task]);
        if fencing <= floor {
            self.violated(format!("task {task} was granted {fencing}, but {floor} was granted before it began"));
        }
        if !self.rules.locks_may_be_lost && fencing <= self.granted {
            self.violated(format!("task {task} was granted {fencing} after {}", self.granted));
        }
        self.granted = self.granted.max(fencing);
        self.check_holder(task, grant.token.as_str(), grant.expires_at_ms);
    }

    /// A client received a reply that says that it holds the lock until `expires_at_ms`.
    pub fn check_holder(&mut self, task: usize, token: &str, expires_at_ms: u64) {
        self.log(&format!("task {task} holds it until {}", expires_at_ms - START_MS));
        if expires_at_ms <= self.now_ms {
            self.violated(format!("task {task} was granted a lock that has ended"));
        }
        if self.rules.locks_may_be_lost {
            return;
        }
        let now_ms = self.now_ms;
        if self.live.iter().any(|(other, until)| other != token && *until > now_ms) {
            self.violated(format!("task {task} was granted the lock while another holder trusts it"));
        }
        self.live.insert(token.to_owned(), expires_at_ms);
        let ends = |redis: &Redis| {
            redis.keys.values().filter(|(value, _)| value == token).filter_map(|(_, expires)| *expires).max()
        };
        let held = self.servers.iter().filter(|redis| ends(redis).is_some_and(|end| end >= expires_at_ms)).count();
        if held <= self.servers.len() / 2 {
            self.violated(format!("task {task} trusts its lock longer than the servers keep it"));
        }
    }

    /// A client received the result of its release.
    pub fn check_release(&mut self, task: usize, token: &str, removed: bool) {
        self.log(&format!("task {task} released: {removed}"));
        let deleted = self.deleted.remove(token).unwrap_or(0);
        self.live.remove(token);
        if removed != (deleted > self.servers.len() / 2) {
            self.violated(format!("task {task} received removed = {removed}, but {deleted} servers deleted its lock"));
        }
    }
}
