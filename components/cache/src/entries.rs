//! `GET /admin/cache/entries`: what is cached.

use axum::response::Response;
use form_urlencoded::Serializer;
use problem::{FieldError, Problem};
use serde::Serialize;
use spin_adapter::http::Failure;
use spin_adapter::http::query::{checked, read};
use versioned_cache::{Listed, Page};

use crate::app::{App, KEYED};
use crate::name::{EXPECTED_NAME, is_name};
use crate::query::number;
use crate::{answers, failures};

const LIMIT_MAX: u64 = 1_000;
const LIMIT_DEFAULT: u64 = 100;

/// Which entries.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EntriesQuery {
    /// Only those of this module.
    module: Option<String>,
    /// Only those of this operation.
    operation: Option<String>,
    /// Where the page starts, as a page before told.
    cursor: Option<String>,
    /// Entries on the page, at most.
    limit: u64,
}

/// What the route answers.
#[derive(Debug, Serialize)]
struct Entries<'a> {
    entries: Vec<Shown<'a>>,
    next: Option<&'a str>,
}

/// One entry.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    /// As this API calls it if it does, else the key in Redis.
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

/// Entries by operation, and among those of one operation by their ends.
///
/// # Errors
/// Bad parameters, no Redis.
pub async fn list(app: &App, query: &str) -> Result<Response, Failure> {
    let query = EntriesQuery::parse(query)?;
    let limit = query.limit as usize;
    let (module, operation) = (query.module.as_deref(), query.operation.as_deref());
    let page = app.cache.entries(module, operation, query.cursor.as_deref(), limit).await;
    let Some(Page { entries, next }) = page.map_err(failures::redis)? else {
        let error = FieldError::field("cursor", "must be the cursor of a link to a next page");
        return Err(Problem::parameters(vec![error]).into());
    };
    let link = next.as_deref().map(|cursor| query.link(cursor));
    let entries = entries.iter().map(Shown::new).collect();
    Ok(answers::page(&Entries { entries, next: next.as_deref() }, link))
}

impl<'a> Shown<'a> {
    fn new(listed: &'a Listed) -> Self {
        let Listed { key, name, module, operation, ttl_ms, size, version } = listed;
        let ttl = ttl_ms.div_ceil(1000);
        let name = name.as_deref().filter(|_| (module.as_str(), operation.as_str()) == KEYED);
        Self { key: name.unwrap_or(key), module, operation, ttl, size: *size, version: version.to_string() }
    }
}

impl EntriesQuery {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let [module, operation, cursor, limit] = read(query, ["module", "operation", "cursor", "limit"], &mut errors);
        if module.is_none() && operation.is_some() {
            errors.push(FieldError::field("module", "is missing: operations are told apart by their modules"));
        }
        for (name, value) in [("module", &module), ("operation", &operation)] {
            if value.as_ref().is_some_and(|value| !is_name(value)) {
                errors.push(FieldError::field(name, EXPECTED_NAME));
            }
        }
        let limit =
            limit.map_or(Some(LIMIT_DEFAULT), |limit| number("limit", &limit, "entries", LIMIT_MAX, &mut errors));
        checked(Self { module, operation, cursor, limit: limit.unwrap_or(LIMIT_DEFAULT) }, errors)
    }

    fn link(&self, cursor: &str) -> String {
        let mut query = Serializer::new(String::new());
        if let Some(module) = &self.module {
            query.append_pair("module", module);
        }
        if let Some(operation) = &self.operation {
            query.append_pair("operation", operation);
        }
        if self.limit != LIMIT_DEFAULT {
            query.append_pair("limit", &self.limit.to_string());
        }
        query.append_pair("cursor", cursor);
        format!("/admin/cache/entries?{}", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(query: &str) -> Vec<String> {
        let problem = EntriesQuery::parse(query).expect_err(query);
        assert_eq!(problem.status(), 400);
        let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        let errors = json["errors"].as_array().unwrap();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

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
        assert_eq!(Shown::new(&listed("kv", Some("a:b"))).key, "a:b");
        assert_eq!(Shown::new(&listed("sellers", Some("u1:0f"))).key, "in Redis");
        assert_eq!(Shown::new(&listed("users", None)).key, "in Redis");
    }

    #[test]
    fn links_lead_to_the_next_page() {
        for given in ["", "module=users", "module=users&operation=getById&limit=2&cursor=0-1-1"] {
            let query = EntriesQuery::parse(given).unwrap();
            let link = query.link("0-17-3");
            let next = EntriesQuery::parse(link.strip_prefix("/admin/cache/entries?").unwrap()).unwrap();
            assert_eq!(next, EntriesQuery { cursor: Some("0-17-3".into()), ..query });
        }
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        assert_eq!(wrong("operation=get"), ["module"]);
        assert_eq!(wrong("module=a:b&operation=*&limit=0&x=1"), ["x", "module", "operation", "limit"]);
        assert_eq!(wrong("module=a&module=b"), ["module"]);
        for limit in ["0", "1001", "abc", "-1", "", "1.5"] {
            assert_eq!(wrong(&format!("module=a&limit={limit}")), ["limit"]);
        }
    }
}
