//! Extends a lock.

use ports::{Connect, Runtime};

use super::compare::{Compared, expire_if, on_majority};
use crate::outcome::{Extended, LockError};
use crate::quorum::Quorum;
use crate::resource::Resource;
use crate::token::Token;

pub(super) async fn extend<R: Connect, T: Runtime>(
    quorum: &Quorum<R, T>,
    resource: &Resource,
    token: &Token,
    ttl_ms: u64,
) -> Result<Extended, LockError> {
    let validity = quorum.validity(ttl_ms);
    let compared = on_majority(quorum, |server| {
        let (resource, token) = (resource.clone(), token.clone());
        async move { server.run_for_holder(expire_if(&server, &resource, &token, ttl_ms)).await }
    });
    Ok(match compared.await? {
        Compared::Same if quorum.is_valid(validity.until_ms) => {
            Extended::Until { expires_at_ms: validity.expires_at_ms }
        }
        // Extended, but the reply took longer than the TTL.
        Compared::Same | Compared::Absent => Extended::Expired,
        Compared::Different => Extended::HeldByAnother,
    })
}
