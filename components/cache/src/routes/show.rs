//! `GET /api/cache/:key`, from the cache or the origin.

use axum::response::Response;
use http_api::response::cache_status;
use http_api::{Problem, Query, Shared};

use crate::app::App;
use crate::key::Key;
use crate::ttl::TtlQuery;
use crate::{problems, responses};

/// # Errors
/// There is no value; the origin failed.
pub async fn show(app: Shared<App>, key: Key, Query(TtlQuery(ttl)): Query<TtlQuery>) -> Result<Response, Problem> {
    let found = app.get_or_fetch(&key, ttl).await.map_err(problems::origin)?;
    match found.value {
        Some(value) => Ok(responses::one_value(&key, &value, found.status)),
        None => Err(problems::no_such_value().with_header(cache_status(found.status))),
    }
}
