//! `GET /admin/cache/entries`: a page of what is cached.

use axum::response::IntoResponse;
use http_api::response::{json, next_link};
use http_api::{Errors, FieldError, FromQuery, Problem, Query, Shared, WholeNumber, query};
use serde::Serialize;
use versioned_cache::{Listed, Page};

use crate::app::App;
use crate::kv::{KV_MODULE, KV_OPERATION};
use crate::problems;
use crate::target::name;

const LIMIT: WholeNumber = WholeNumber::new(1, 1_000, "entries");
const LIMIT_DEFAULT: u64 = 100;

/// The query string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntriesQuery {
    /// Only entries of this module.
    module: Option<String>,
    /// Only entries of this operation.
    operation: Option<String>,
    /// Where the page starts: `next` of the page before it.
    cursor: Option<String>,
    /// Entries on the page, at most.
    limit: u64,
}

#[derive(Serialize)]
struct EntriesPage<'a> {
    entries: Vec<Row<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    /// The key of this API, if the entry has one; else the key in Redis.
    key: &'a str,
    module: &'a str,
    operation: &'a str,
    /// Seconds.
    ttl: u64,
    /// Bytes.
    size: u64,
    /// A number that may be above 2^53, and so a string (RFC 8259, section 6).
    version: String,
}

/// Entries by operation; those of one operation by the times when they expire.
///
/// # Errors
/// Bad parameters; Redis is unavailable.
pub async fn entries(app: Shared<App>, Query(query): Query<EntriesQuery>) -> Result<impl IntoResponse, Problem> {
    let EntriesQuery { module, operation, cursor, limit } = &query;
    let page = app.cache.entries(module.as_deref(), operation.as_deref(), cursor.as_deref(), *limit as usize).await;
    let Some(Page { entries, next }) = page.map_err(problems::redis)? else {
        let error = FieldError::field("cursor", "must be the cursor of a link to a next page");
        return Err(Problem::parameters(vec![error]));
    };
    let link = next.as_deref().map(|cursor| [next_link(&query.next(cursor))]);
    Ok((link, json(&EntriesPage { entries: entries.iter().map(Row::new).collect(), next })))
}

impl<'a> Row<'a> {
    fn new(listed: &'a Listed) -> Self {
        let Listed { key, name, module, operation, ttl_ms, size, version } = listed;
        let ttl = ttl_ms.div_ceil(1000);
        let name = name.as_deref().filter(|_| (module.as_str(), operation.as_str()) == (KV_MODULE, KV_OPERATION));
        Self { key: name.unwrap_or(key), module, operation, ttl, size: *size, version: version.to_string() }
    }
}

impl FromQuery for EntriesQuery {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        let [module, operation, cursor, limit] = query::read(query, ["module", "operation", "cursor", "limit"], errors);
        if module.is_none() && operation.is_some() {
            errors.add("module", "is missing: an operation is named with its module");
        }
        let module = errors.optional("module", module, name);
        let operation = errors.optional("operation", operation, name);
        let limit = errors.optional("limit", limit, |limit| LIMIT.parse(&limit)).unwrap_or(LIMIT_DEFAULT);
        Some(Self { module, operation, cursor, limit })
    }
}

impl EntriesQuery {
    /// The path and the query string of the page that starts at `cursor`.
    fn next(&self, cursor: &str) -> String {
        let query = query::write([
            ("module", self.module.clone()),
            ("operation", self.operation.clone()),
            ("limit", (self.limit != LIMIT_DEFAULT).then(|| self.limit.to_string())),
            ("cursor", Some(cursor.to_owned())),
        ]);
        format!("/admin/cache/entries?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_this_api_have_the_keys_of_this_api() {
        let listed = |module: &str, name: Option<&str>| Listed {
            key: "in Redis".into(),
            name: name.map(str::to_owned),
            module: module.into(),
            operation: "get".into(),
            ttl_ms: 1,
            size: 2,
            version: 3,
        };
        assert_eq!(Row::new(&listed("kv", Some("a:b"))).key, "a:b");
        assert_eq!(Row::new(&listed("sellers", Some("u1:0f"))).key, "in Redis");
        assert_eq!(Row::new(&listed("users", None)).key, "in Redis");
    }

    #[test]
    fn links_lead_to_the_next_page() {
        for given in ["", "module=users", "module=users&operation=getById&limit=2&cursor=0-1-1"] {
            let query = EntriesQuery::from_query(given).unwrap();
            let link = query.next("0-17-3");
            let next = EntriesQuery::from_query(link.strip_prefix("/admin/cache/entries?").unwrap()).unwrap();
            assert_eq!(next, EntriesQuery { cursor: Some("0-17-3".into()), ..query });
        }
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        for (query, wrong) in [
            ("operation=get", &["module"][..]),
            ("module=a:b&operation=*&limit=0&x=1", &["x", "module", "operation", "limit"]),
        ] {
            assert_eq!(EntriesQuery::from_query(query).expect_err(query).wrong_fields(), wrong);
        }
    }
}
