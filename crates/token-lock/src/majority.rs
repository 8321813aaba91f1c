//! Acquiring one resource on the majority of the servers (Redlock:
//! <https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/>). With one server, it is the majority.

use std::rc::Rc;

use futures_util::future::join_all;
use ports::{Connect, Redis, Runtime};

use crate::Locks;
use crate::grant::Vote;
use crate::outcome::{Grant, LockError};
use crate::quorum::Ballot;
use crate::resource::Resource;
use crate::token::Token;
use crate::unclaimed::Unclaimed;

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Locks<R, T> {
    /// `None`: somebody else holds it.
    pub(crate) async fn acquire_one(
        &self,
        resource: &Resource,
        ttl_ms: u64,
    ) -> Result<Option<(Grant, Unclaimed<R, T>)>, LockError> {
        let token = Token::from_random(self.runtime.random_u64(), self.runtime.random_u64());
        // The TTL begins to count before a server can have set it.
        let (started, started_unix) = (self.runtime.monotonic_ms(), self.runtime.unix_ms());
        let life_ms = ttl_ms - self.drift_ms(ttl_ms);
        let valid_until_ms = started + life_ms;
        let unclaimed = Unclaimed::new(&self.servers, &self.runtime, resource, &token);
        let mut votes = Ballot::new(&self.servers, |server| {
            let (resource, token) = (resource.clone(), token.clone());
            async move {
                server.admit()?;
                server.within_deadline(server.grant(&resource, &token, ttl_ms)).await
            }
        });
        let granted = |vote: &Vote| matches!(vote, Vote::Granted(_));
        let taken = |vote: &Vote| *vote == Vote::Taken;
        votes.until(|votes| votes.most(granted) || votes.most(taken)).await;
        self.linger(&mut votes).await;
        let fencing = if votes.most(granted) { self.agree(&votes, resource).await } else { None };
        if let Some(fencing) = fencing
            && self.is_valid(valid_until_ms)
        {
            self.leave(votes);
            let expires_at_ms = started_unix + life_ms;
            let grant = Grant { resource: resource.clone(), token, fencing, ttl_ms, expires_at_ms, valid_until_ms };
            return Ok(Some((grant, unclaimed)));
        }
        let outcome = if votes.most(granted) {
            Err(LockError::Unavailable(format!("the majority's answers took longer than {ttl_ms} ms, or differ")))
        } else if votes.most(|_| true) {
            Ok(None)
        } else {
            Err(votes.error())
        };
        self.withdraw(&votes, unclaimed, resource, &token).await;
        outcome
    }

    /// The greatest of the numbers that were drawn, once the majority will draw greater ones: any majority that grants
    /// the next lock shares a server with this one.
    async fn agree(&self, votes: &Ballot<Vote>, resource: &Resource) -> Option<u64> {
        let drawn: Vec<(usize, u64)> =
            votes.answers().filter_map(|(at, vote)| vote.number().map(|number| (at, number))).collect();
        let greatest = drawn.iter().map(|(_, number)| *number).max()?;
        let raises = drawn.into_iter().map(async |(at, number)| {
            let server = &self.servers[at];
            server.within_deadline(server.raise(resource, number, greatest)).await
        });
        let raised = join_all(raises).await.into_iter().filter(|raised| *raised == Ok(true)).count();
        (raised >= votes.majority()).then_some(greatest)
    }

    /// Removes what an attempt that came to nothing has taken: now where that is known, else in the background.
    async fn withdraw(&self, votes: &Ballot<Vote>, mut unclaimed: Unclaimed<R, T>, resource: &Resource, token: &Token) {
        let removals = votes.answers().map(async |(at, vote)| {
            let server = &self.servers[at];
            let gone = *vote == Vote::Taken || server.within_deadline(server.delete_if(resource, token)).await.is_ok();
            gone.then(|| Rc::clone(server))
        });
        for server in join_all(removals).await.into_iter().flatten() {
            unclaimed.claim_on(&server);
        }
    }
}
