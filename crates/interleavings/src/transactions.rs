//! WATCH, MULTI and EXEC as Redis has them, for simulated servers
//! (<https://redis.io/docs/latest/develop/using-commands/transactions/>).

use std::collections::{BTreeMap, BTreeSet};

/// A connection: the task that opened it and a count.
pub type ConnectionId = (usize, u32);

/// A transaction on one connection.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Transaction<C> {
    watched: BTreeSet<String>,
    /// A watched key has changed.
    dirty: bool,
    /// What is queued since MULTI.
    queued: Option<Vec<C>>,
}

/// The transactions on the connections to a server; `C` is a command.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Transactions<C>(BTreeMap<ConnectionId, Transaction<C>>);

impl<C> Default for Transactions<C> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// What a server does about a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<C> {
    /// It answers this, and that is all.
    Status(&'static str),
    /// It answers with this error.
    Refused(&'static str),
    /// EXEC: a watched key has changed.
    Nil,
    /// EXEC: it runs these, one after the other.
    Exec(Vec<C>),
    /// It is in no transaction: it runs it.
    Run(C),
}

/// What a weakened server does not heed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lax {
    /// EXEC does not care whether a watched key has changed.
    pub exec: bool,
    /// WATCH after MULTI is ignored instead of refused.
    pub watch: bool,
}

impl<C> Transactions<C> {
    /// A key has changed: set, deleted, evicted or expired.
    pub fn touch(&mut self, key: &str) {
        self.0.values_mut().filter(|open| open.watched.contains(key)).for_each(|open| open.dirty = true);
    }

    /// A connection is closed.
    pub fn close(&mut self, connection: ConnectionId) {
        self.0.remove(&connection);
    }

    /// A connection is as it was `before`: the client has closed it, but what it had sent is still to be heard.
    pub fn keep(&mut self, connection: ConnectionId, before: &Self)
    where
        C: Clone,
    {
        if let Some(open) = before.0.get(&connection) {
            self.0.insert(connection, open.clone());
        }
    }

    /// What is queued on a connection.
    pub fn queued(&self, connection: ConnectionId) -> &[C] {
        self.0.get(&connection).and_then(|open| open.queued.as_deref()).unwrap_or_default()
    }

    /// A command on a connection: its name, its first argument (empty if there is none), and all of it.
    pub fn hear(&mut self, connection: ConnectionId, name: &str, key: &str, command: C, lax: Lax) -> Heard<C> {
        let none = || Transaction { watched: BTreeSet::new(), dirty: false, queued: None };
        let open = self.0.entry(connection).or_insert_with(none);
        match (name, &mut open.queued) {
            ("WATCH", Some(_)) if lax.watch => Heard::Status("OK"),
            ("WATCH", Some(_)) => Heard::Refused("ERR WATCH inside MULTI is not allowed"),
            ("WATCH", None) => {
                open.watched.insert(key.to_owned());
                Heard::Status("OK")
            }
            ("MULTI", Some(_)) => Heard::Refused("ERR MULTI calls can not be nested"),
            ("MULTI", queued) => {
                *queued = Some(Vec::new());
                Heard::Status("OK")
            }
            ("DISCARD", _) => {
                self.close(connection);
                Heard::Status("OK")
            }
            ("EXEC", queued) => {
                let (queued, dirty) = (queued.take(), open.dirty && !lax.exec);
                self.close(connection);
                match queued {
                    None => Heard::Refused("ERR EXEC without MULTI"),
                    Some(_) if dirty => Heard::Nil,
                    Some(queued) => Heard::Exec(queued),
                }
            }
            (_, Some(queued)) => {
                queued.push(command);
                Heard::Status("QUEUED")
            }
            (_, None) => Heard::Run(command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_queued_runs_only_if_nothing_that_is_watched_has_changed() {
        for (changed, exec) in [("a", Heard::Nil), ("b", Heard::Exec(vec!["SET a"]))] {
            let mut open = Transactions::default();
            let mut say = |name, command| open.hear((0, 1), name, "a", command, Lax::default());
            assert_eq!(say("WATCH", ""), Heard::Status("OK"));
            assert_eq!(say("MULTI", ""), Heard::Status("OK"));
            assert_eq!(say("WATCH", ""), Heard::Refused("ERR WATCH inside MULTI is not allowed"));
            assert_eq!(say("SET", "SET a"), Heard::Status("QUEUED"));
            open.touch(changed);
            assert_eq!(open.hear((0, 1), "EXEC", "", "", Lax::default()), exec);
            assert_eq!(open.hear((0, 1), "GET", "a", "GET a", Lax::default()), Heard::Run("GET a"));
        }
    }
}
