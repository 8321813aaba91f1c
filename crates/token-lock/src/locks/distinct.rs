//! Whether the servers of a quorum are different ones.

use std::collections::HashSet;
use std::rc::Rc;

use ports::{Connect, RedisError, Runtime};

use super::Locks;
use crate::outcome::LockError;
use crate::quorum::Server;

impl<R: Connect, T: Runtime> Locks<R, T> {
    /// Refuses a quorum in which one server has several votes: under several names, or in several databases. Such a
    /// quorum should survive the loss of any one server, but it loses all locks with that server. This compares the
    /// ids that the servers have chosen at their start (`run_id` in `INFO server`). Servers that do not respond, or
    /// have no id, pass. It asks once per instance, and not at all if there is a single server.
    ///
    /// # Errors
    /// [`LockError::SameServer`].
    pub async fn check_servers(&self) -> Result<(), LockError> {
        if self.quorum.servers.len() == 1 || self.are_distinct.get() {
            return Ok(());
        }
        let question = |server: Rc<Server<R, T>>| async move { server.run(run_id(&server)).await };
        // All of them, also the slow ones: one of two replies of the same server shows nothing.
        let replies = self.quorum.ask(question, |replies| replies.unknown() == 0).await;
        let mut seen = HashSet::new();
        if !replies.successful().filter_map(|(_, id)| id.as_ref()).all(|id| seen.insert(id)) {
            return Err(LockError::SameServer);
        }
        self.are_distinct.set(replies.is_quorum());
        Ok(())
    }
}

async fn run_id<R: Connect, T: Runtime>(server: &Server<R, T>) -> Result<Option<String>, RedisError> {
    let reply = server.client.send_one("INFO", vec!["server".into()]).await?;
    let info = reply.into_bytes().and_then(|text| String::from_utf8(text).ok()).unwrap_or_default();
    Ok(info.lines().find_map(|line| line.trim_end().strip_prefix("run_id:")).map(str::to_owned))
}
