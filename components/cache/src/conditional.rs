//! Changes with `If-Match` or `If-None-Match`. The decision and the change are one step: if another request changes the
//! value in between, the decision is made again. Without these fields they cost nothing.

use std::cell::Cell;

use http_api::{ETag, Preconditions, Problem};
use versioned_cache::Entry;

use crate::app::App;
use crate::problems;

/// Sets the value of an entry.
///
/// # Errors
/// The conditions do not hold; Redis is unavailable.
pub async fn set(app: &App, entry: &Entry, value: &[u8], conditions: &Preconditions) -> Result<(), Problem> {
    if conditions.is_empty() {
        return app.cache.set(entry, value).await.map_err(problems::redis_change);
    }
    let refusal = Cell::default();
    let outcome = app.cache.set_if(entry, value, |current| allows(conditions, current, &refusal)).await;
    if outcome.map_err(problems::redis_change)? { Ok(()) } else { Err(refused(refusal)) }
}

/// Removes an entry. `true`: it existed.
///
/// # Errors
/// The conditions do not hold; Redis is unavailable.
pub async fn delete(app: &App, entry: &Entry, conditions: &Preconditions) -> Result<bool, Problem> {
    if conditions.is_empty() {
        return app.cache.delete(entry).await.map_err(problems::redis_change);
    }
    let (refusal, existed) = (Cell::default(), Cell::new(false));
    let wanted = |current: Option<&[u8]>| {
        existed.set(current.is_some());
        allows(conditions, current, &refusal)
    };
    let outcome = app.cache.delete_if(entry, wanted).await;
    if outcome.map_err(problems::redis_change)? { Ok(existed.get()) } else { Err(refused(refusal)) }
}

fn allows(conditions: &Preconditions, current: Option<&[u8]>, refusal: &Cell<Option<Problem>>) -> bool {
    let problem = conditions.check(current.map(ETag::of_bytes).as_ref()).err();
    let is_allowed = problem.is_none();
    refusal.set(problem);
    is_allowed
}

fn refused(refusal: Cell<Option<Problem>>) -> Problem {
    refusal.take().unwrap_or_else(|| Problem::internal("a change was refused without a reason"))
}
