//! Described entries: they are named by module, operation, parameters and user.

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use http_api::{Errors, Members, Problem, path, present, row_id};
use serde::Deserialize;
use serde_json::Value;
use versioned_cache::{Entry, User};

use crate::kv::{is_json, ttl};
use crate::params::{Params, pairs};
use crate::problems;
use crate::ttl::{Seconds, TTL_OR_NONE};

/// Bytes of the name of a user, at most.
const USER_MAX: usize = 128;
/// Bytes of the name of a module or an operation, at most.
const NAME_MAX: usize = 64;
/// The modules of this application's components. Clients may not write their entries, which have other forms.
const RESERVED: [&str; 3] = ["users", "sellers", "kv"];

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Described {
    /// The module, such as `posts`.
    pub module: String,
    /// The operation, such as `list`.
    pub operation: String,
    /// The parameters of the operation.
    pub params: Params,
    /// The user whose result it is; `None`: it is everybody's.
    pub user: Option<String>,
}

impl Described {
    /// The entry, for reads and writes with this TTL.
    pub fn entry(&self, ttl_s: Seconds) -> Entry {
        let user = self.user.as_deref().map(User::new);
        let entry =
            Entry::described(self.module.clone(), self.operation.clone(), &self.params.to_json(), user, ttl(ttl_s))
                .checked_by(is_json);
        // The counters of these modules are those of the components that they belong to.
        if self.is_reserved() { entry.uncounted() } else { entry }
    }

    /// Where the origin has the value: a path without the slash at its beginning, and a query string.
    pub fn origin_target(&self) -> String {
        let query = self.params.to_query(self.user.as_deref().map(|user| ("_user", user)));
        let separator = if query.is_empty() { "" } else { "?" };
        [&self.module, "/", &self.operation, separator, &query].concat()
    }

    /// Whether clients may not write entries of this module.
    pub fn is_reserved(&self) -> bool {
        RESERVED.contains(&self.module.as_str())
    }

    /// Refuses to write entries of the modules of this application's components.
    ///
    /// # Errors
    /// The module is reserved.
    pub fn require_writable(&self) -> Result<(), Problem> {
        if self.is_reserved() { Err(problems::reserved(&self.module)) } else { Ok(()) }
    }
}

/// The rule for the names of modules and operations of entries.
///
/// # Errors
/// The detail: what it must be.
pub fn entry_name(text: String) -> Result<String, String> {
    let is_name = (1..=NAME_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    is_name.then_some(text).ok_or_else(|| format!("must be 1 to {NAME_MAX} letters, digits, hyphens or underscores"))
}

/// The rule for the names of users.
///
/// # Errors
/// The detail: what it must be.
pub fn user_name(text: String) -> Result<String, String> {
    match text.len() {
        1..=USER_MAX => Ok(text),
        _ => Err(format!("must have 1 to {USER_MAX} bytes")),
    }
}

/// The rule for users in bodies: any name, or the id of a row as a number.
///
/// # Errors
/// The detail: what it must be.
pub fn user_in_json(user: Value) -> Result<String, String> {
    match user {
        Value::String(name) => user_name(name),
        other => row_id(&other.to_string()).map(|id| id.to_string()),
    }
}

/// An entry in a body, without its value.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawDescribed {
    #[serde(deserialize_with = "present")]
    pub module: Option<String>,
    #[serde(deserialize_with = "present")]
    pub operation: Option<String>,
    #[serde(deserialize_with = "present")]
    pub params: Option<Members>,
    #[serde(deserialize_with = "present")]
    pub user: Option<Value>,
}

impl RawDescribed {
    /// Checks the members.
    pub fn check(self, errors: &mut Errors) -> Option<Described> {
        let module = errors.required("/module", self.module, entry_name);
        let operation = errors.required("/operation", self.operation, entry_name);
        let params = match self.params {
            Some(Members(members)) => Params::from_members(members, errors),
            None => Some(Params::default()),
        };
        let has_user = self.user.is_some();
        let user = errors.optional("/user", self.user, user_in_json);
        if has_user && user.is_none() {
            return None;
        }
        Some(Described { module: module?, operation: operation?, params: params?, user })
    }
}

/// The extractor of the path and the query string of `/api/cache/entries/:module/:operation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedRequest {
    /// What the entry is about.
    pub described: Described,
    /// `_ttl`, which only `GET` and `PUT` have. 0: nothing is stored.
    pub ttl_s: Option<Seconds>,
}

impl DescribedRequest {
    fn read(method: &Method, path: &str, query: &str) -> Result<Self, Problem> {
        let mut errors = Errors::in_parameters();
        let [module, operation] = path::last_segments(path);
        let module = errors.check("module", module.and_then(entry_name));
        let operation = errors.check("operation", operation.and_then(entry_name));
        let mut params = Params::default();
        let (mut user, mut ttl) = (None, None);
        for pair in pairs(query) {
            let (name, value) = match pair {
                Ok(pair) => pair,
                Err((name, detail)) => {
                    errors.add(&name, detail);
                    continue;
                }
            };
            let special = match name.as_str() {
                "_user" => &mut user,
                "_ttl" if *method == Method::GET || *method == Method::PUT => &mut ttl,
                name if name.starts_with('_') => {
                    errors.add(name, "is not a parameter of this route");
                    continue;
                }
                _ => {
                    params.add(name, value);
                    continue;
                }
            };
            if special.replace(value).is_some() {
                errors.add(&name, "is given more than once");
            }
        }
        if let Err(detail) = params.check() {
            errors.add("params", detail);
        }
        let user = errors.optional("_user", user, user_name);
        let ttl_s = errors.optional("_ttl", ttl, |ttl| TTL_OR_NONE.parse(&ttl));
        let described = module.zip(operation).map(|(module, operation)| Described { module, operation, params, user });
        errors.finish(described.map(|described| Self { described, ttl_s }))
    }
}

impl<S: Sync> FromRequestParts<S> for DescribedRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(&parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: Method, path: &str, query: &str) -> Result<DescribedRequest, Vec<String>> {
        DescribedRequest::read(&method, path, query).map_err(|problem| {
            assert_eq!(problem.status(), 400);
            problem.wrong_fields().into_iter().map(str::to_owned).collect()
        })
    }

    #[test]
    fn names_are_plain() {
        for good in ["posts", "getById", "a-b_2", "-", &"n".repeat(NAME_MAX)] {
            assert_eq!(entry_name(good.to_owned()).as_deref(), Ok(good));
        }
        for bad in ["", "a.b", "a:b", "a b", "*", "é", "@", &"n".repeat(NAME_MAX + 1)] {
            assert!(entry_name(bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(user_name(String::new()).is_err() && user_name("ä:*\0".to_owned()).is_ok());
        assert!(user_name("u".repeat(USER_MAX)).is_ok() && user_name("u".repeat(USER_MAX + 1)).is_err());
    }

    #[test]
    fn parameters_of_the_route_begin_with_an_underscore() {
        let request = read(Method::PUT, "/x/posts/list", "b=1&_user=user-123&_ttl=0&a=2").unwrap();
        assert_eq!((request.described.user.as_deref(), request.ttl_s), (Some("user-123"), Some(0)));
        assert_eq!(request.described.origin_target(), "posts/list?a=2&b=1&_user=user-123");
        assert_eq!(read(Method::GET, "/x/posts/list", "").unwrap().described.origin_target(), "posts/list");
        for (method, path, query, wrong) in [
            (Method::PUT, "/x/po.sts/li:st", "", &["module", "operation"][..]),
            (Method::PUT, "/x/%/a", "", &["module"]),
            (Method::GET, "/x/a/b", "_x=1&_user=&_ttl=-1", &["_x", "_user", "_ttl"]),
            (Method::GET, "/x/a/b", "_ttl=2592001", &["_ttl"]),
            (Method::GET, "/x/a/b", "_user=a&_user=b&a=%FF", &["_user", "a"]),
            (Method::HEAD, "/x/a/b", "_ttl=1", &["_ttl"]),
            (Method::DELETE, "/x/a/b", "_ttl=1", &["_ttl"]),
        ] {
            assert_eq!(read(method, path, query).unwrap_err(), wrong, "{path}?{query}");
        }
        assert_eq!(read(Method::GET, "/x/a/b", &"a&".repeat(101)).unwrap_err(), ["params"]);
    }
}
