//! `GET /admin/locks`: the locks that are held, in pages.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use http_api::response::{next_link, to_json};
use http_api::{ETag, Errors, FromQuery, Preconditions, Problem, Query, Shared, WholeNumber, query};
use token_lock::LockError;

use crate::app::App;
use crate::problems;
use crate::responses::{HeldLock, LockPage};

const LIMIT: WholeNumber = WholeNumber::new(1, 1_000, "");
const LIMIT_DEFAULT: usize = 100;
/// Steps of a scan for one page, at most. If most keys in Redis are not locks, a page may have few locks or none.
const STEPS_MAX: usize = 200;

/// The query string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Where the page starts: `next` of the page before. The lock protocol checks it.
    pub cursor: Option<String>,
    /// The page ends when it has this many locks. The last step of the scan may add some more.
    pub limit: usize,
}

impl FromQuery for ListQuery {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        let [cursor, limit] = query::read(query, ["cursor", "limit"], errors);
        let limit = errors.optional("limit", limit, |text| LIMIT.parse(&text));
        Some(Self { cursor, limit: limit.map_or(LIMIT_DEFAULT, |limit| limit as usize) })
    }
}

impl ListQuery {
    /// The `Link` to the page that starts at `next`.
    fn link(&self, next: &str) -> (HeaderName, HeaderValue) {
        let limit = Some(self.limit).filter(|limit| *limit != LIMIT_DEFAULT);
        let query = query::write([("limit", limit.map(|limit| limit.to_string())), ("cursor", Some(next.to_owned()))]);
        next_link(&format!("/admin/locks?{query}"))
    }
}

/// Returns a page of locks, with a link to the next one.
///
/// # Errors
/// Bad parameters; an `If-Match` that does not allow it; Redis is unavailable.
pub async fn list(
    app: Shared<App>,
    Query(query): Query<ListQuery>,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    let warnings = if query.cursor.is_none() { warnings(&app).await } else { Vec::new() };
    let mut cursor = query.cursor.clone();
    // Two steps may find the same lock.
    let mut found = BTreeMap::new();
    for _ in 0..STEPS_MAX {
        let page = app.locks.list(cursor.as_deref()).await.map_err(problems::read)?;
        found.extend(page.locks);
        cursor = page.next;
        if cursor.is_none() || found.len() >= query.limit {
            break;
        }
    }
    let link = cursor.as_deref().map(|next| [query.link(next)]);
    let locks = found.iter().map(|(resource, inspected)| HeldLock::new(resource, inspected)).collect();
    let json = to_json(&LockPage { locks, next: cursor, warnings });
    Ok((link, conditions.respond(&ETag::of_bytes(&json), json)?).into_response())
}

/// What an administrator should change, on the first page only.
async fn warnings(app: &App) -> Vec<String> {
    let mut warnings = Vec::new();
    let servers = app.locks.evicting_servers().await;
    if servers > 0 {
        warnings.push(format!(
            "{servers} of the Redis servers with locks may evict keys when the memory is full: then a lock that is \
             held can be granted again. Set lock_redis_urls to servers with maxmemory-policy noeviction."
        ));
    }
    if app.locks.check_servers().await == Err(LockError::SameServer) {
        warnings.push(
            "Two of the servers in lock_redis_urls are one and the same server, under two names or databases: no lock \
             is granted until each has one vote."
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parameters_are_optional() {
        assert_eq!(ListQuery::from_query(""), Ok(ListQuery { cursor: None, limit: LIMIT_DEFAULT }));
        let second = ListQuery { cursor: Some("a b".to_owned()), limit: 1_000 };
        assert_eq!(ListQuery::from_query("cursor=a+b&limit=1000"), Ok(second));
    }

    #[test]
    fn the_link_to_the_next_page_keeps_the_limit() {
        let link = |query| ListQuery::from_query(query).unwrap().link("17").1;
        assert_eq!(link("cursor=5"), r#"</admin/locks?cursor=17>; rel="next""#);
        assert_eq!(link("limit=2"), r#"</admin/locks?limit=2&cursor=17>; rel="next""#);
    }
}
