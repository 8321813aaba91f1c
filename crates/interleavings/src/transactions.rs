//! WATCH, MULTI and EXEC for a simulated Redis
//! (<https://redis.io/docs/latest/develop/using-commands/transactions/>).

use std::collections::{BTreeMap, BTreeSet};

/// A connection: the task that opened it, and the number of the connection within the task.
pub type ConnectionId = (usize, u32);

/// The transaction on one connection.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Transaction<C> {
    watched: BTreeSet<String>,
    /// Whether a watched key has changed.
    dirty: bool,
    /// The commands queued since MULTI.
    queued: Option<Vec<C>>,
}

/// The transactions on all connections to a server; `C` is a command.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Transactions<C>(BTreeMap<ConnectionId, Transaction<C>>);

impl<C> Default for Transactions<C> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// What the server must do with a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Handled<C> {
    /// Reply with this status.
    Status(&'static str),
    /// Reply with this error.
    Refused(&'static str),
    /// Reply nil: EXEC after a watched key has changed.
    Nil,
    /// EXEC: run these commands and reply with the array of their replies.
    Exec(Vec<C>),
    /// Run the command: it is not part of a transaction.
    Run(C),
}

/// Deliberate defects of a server, to test that an explorer catches them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defects {
    /// EXEC runs the commands although a watched key has changed.
    pub exec: bool,
    /// WATCH after MULTI replies OK and does nothing, instead of an error.
    pub watch: bool,
}

impl<C> Transactions<C> {
    /// The server calls this when a key changes: it is set, deleted, evicted or expired.
    pub fn touch(&mut self, key: &str) {
        self.0.values_mut().filter(|open| open.watched.contains(key)).for_each(|open| open.dirty = true);
    }

    /// The server calls this when a connection is closed.
    pub fn close(&mut self, connection: ConnectionId) {
        self.0.remove(&connection);
    }

    /// Restores the connection's state from `before`. The client has closed the connection, but commands that it sent
    /// are still on the way to the server.
    pub fn restore(&mut self, connection: ConnectionId, before: &Self)
    where
        C: Clone,
    {
        if let Some(open) = before.0.get(&connection) {
            self.0.insert(connection, open.clone());
        }
    }

    /// The commands queued on a connection.
    pub fn queued(&self, connection: ConnectionId) -> &[C] {
        self.0.get(&connection).and_then(|open| open.queued.as_deref()).unwrap_or_default()
    }

    /// Whether commands on a connection are queued: it has sent MULTI.
    pub fn is_queueing(&self, connection: ConnectionId) -> bool {
        self.0.get(&connection).is_some_and(|open| open.queued.is_some())
    }

    /// The keys that a connection watches.
    pub fn watched(&self, connection: ConnectionId) -> impl Iterator<Item = &str> {
        self.0.get(&connection).into_iter().flat_map(|open| open.watched.iter().map(String::as_str))
    }

    /// Handles a command that arrives on a connection. `name` is its name, `key` its first argument (empty if there is
    /// none).
    pub fn handle(
        &mut self,
        connection: ConnectionId,
        name: &str,
        key: &str,
        command: C,
        defects: Defects,
    ) -> Handled<C> {
        let none = || Transaction { watched: BTreeSet::new(), dirty: false, queued: None };
        let open = self.0.entry(connection).or_insert_with(none);
        match (name, &mut open.queued) {
            ("WATCH", Some(_)) if defects.watch => Handled::Status("OK"),
            ("WATCH", Some(_)) => Handled::Refused("ERR WATCH inside MULTI is not allowed"),
            ("WATCH", None) => {
                open.watched.insert(key.to_owned());
                Handled::Status("OK")
            }
            ("MULTI", Some(_)) => Handled::Refused("ERR MULTI calls can not be nested"),
            ("MULTI", queued) => {
                *queued = Some(Vec::new());
                Handled::Status("OK")
            }
            ("DISCARD", _) => {
                self.close(connection);
                Handled::Status("OK")
            }
            ("EXEC", queued) => {
                let (queued, dirty) = (queued.take(), open.dirty && !defects.exec);
                self.close(connection);
                match queued {
                    None => Handled::Refused("ERR EXEC without MULTI"),
                    Some(_) if dirty => Handled::Nil,
                    Some(queued) => Handled::Exec(queued),
                }
            }
            (_, Some(queued)) => {
                queued.push(command);
                Handled::Status("QUEUED")
            }
            (_, None) => Handled::Run(command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queued_commands_run_only_if_no_watched_key_has_changed() {
        for (changed, exec) in [("a", Handled::Nil), ("b", Handled::Exec(vec!["SET a"]))] {
            let mut open = Transactions::default();
            let mut say = |name, command| open.handle((0, 1), name, "a", command, Defects::default());
            assert_eq!(say("WATCH", ""), Handled::Status("OK"));
            assert_eq!(say("MULTI", ""), Handled::Status("OK"));
            assert_eq!(say("WATCH", ""), Handled::Refused("ERR WATCH inside MULTI is not allowed"));
            assert_eq!(say("SET", "SET a"), Handled::Status("QUEUED"));
            open.touch(changed);
            assert_eq!(open.handle((0, 1), "EXEC", "", "", Defects::default()), exec);
            assert_eq!(open.handle((0, 1), "GET", "a", "GET a", Defects::default()), Handled::Run("GET a"));
        }
    }
}
