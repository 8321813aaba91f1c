//! Releasing, extending and breaking.

use ports::{Connect, Redis, Reply, Runtime};

use crate::Locks;
use crate::compare::Compared;
use crate::outcome::{Extended, LockError, Released};
use crate::quorum::Ballot;
use crate::resource::Resource;
use crate::token::Token;

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Locks<R, T> {
    /// Unlocks `resource` if `token` holds it.
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: the lock may still be held, until it expires.
    pub async fn release(&self, resource: &Resource, token: &Token) -> Result<Released, LockError> {
        let ballot = Ballot::new(&self.servers, |server| {
            let (resource, token) = (resource.clone(), token.clone());
            async move {
                server.admit_holder()?;
                server.within_deadline(server.delete_if(&resource, &token)).await
            }
        });
        Ok(match self.compared(ballot).await? {
            Compared::Same => Released::Removed,
            Compared::Absent => Released::Expired,
            Compared::Different => Released::HeldByAnother,
        })
    }

    /// Lets `token`'s lock end `ttl_ms` (in [`TTL_MS`](crate::TTL_MS)) from now, whether that is later or earlier than
    /// it would have ended.
    ///
    /// # Errors
    /// [`LockError::Unavailable`]: it may end when it would have ended, or `ttl_ms` from now.
    pub async fn extend(&self, resource: &Resource, token: &Token, ttl_ms: u64) -> Result<Extended, LockError> {
        let (started, started_unix) = (self.runtime.monotonic_ms(), self.runtime.unix_ms());
        let life_ms = ttl_ms - self.drift_ms(ttl_ms);
        let ballot = Ballot::new(&self.servers, |server| {
            let (resource, token) = (resource.clone(), token.clone());
            async move {
                server.admit_holder()?;
                server.within_deadline(server.expire_if(&resource, &token, ttl_ms)).await
            }
        });
        Ok(match self.compared(ballot).await? {
            Compared::Same if self.is_valid(started + life_ms) => {
                Extended::Until { expires_at_ms: started_unix + life_ms }
            }
            // Extended, but so slowly that it has ended since.
            Compared::Same | Compared::Absent => Extended::Expired,
            Compared::Different => Extended::HeldByAnother,
        })
    }

    /// Unlocks `resource`, whoever holds it; answers whether somebody did. For operators: the holder is not told, but
    /// its fencing number is outdated by the next grant.
    ///
    /// # Errors
    /// [`LockError::Unavailable`].
    pub async fn break_lock(&self, resource: &Resource) -> Result<bool, LockError> {
        let mut ballot = Ballot::new(&self.servers, |server| {
            let key = resource.key();
            async move {
                server.admit_holder()?;
                server.within_deadline(server.call("DEL", vec![key.into()])).await
            }
        });
        ballot.until(|ballot| ballot.most(|_| true)).await;
        self.linger(&mut ballot).await;
        let outcome = if ballot.most(|_| true) {
            Ok(ballot.count(|reply| *reply != Reply::Int(0)) > 0)
        } else {
            Err(ballot.error())
        };
        self.leave(ballot);
        outcome
    }

    /// What the majority found. Where a minority that did not answer might make the difference, nobody knows.
    async fn compared(&self, mut ballot: Ballot<Compared>) -> Result<Compared, LockError> {
        const ALL: [Compared; 3] = [Compared::Same, Compared::Absent, Compared::Different];
        let agreed = |ballot: &Ballot<Compared>| ALL.into_iter().find(|found| ballot.most(|answer| answer == found));
        ballot.until(|ballot| agreed(ballot).is_some()).await;
        self.linger(&mut ballot).await;
        let same = ballot.count(|answer| *answer == Compared::Same);
        let outcome = match agreed(&ballot) {
            Some(found) => Ok(found),
            None if ballot.has_failed() || same + ballot.silent() >= ballot.majority() => Err(ballot.error()),
            // Neither this token nor another has the majority.
            None => Ok(Compared::Absent),
        };
        self.leave(ballot);
        outcome
    }
}
