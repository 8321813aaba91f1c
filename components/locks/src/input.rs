//! The bodies of requests: acquire, release, extend.

use problem::{FieldError, Kind, Object, Problem};
use serde::{Deserialize, Deserializer};
use token_lock::{MAX_RESOURCES, Resource, TTL_MS, Token};

use crate::milliseconds::{Milliseconds, TTL_DEFAULT_MS, WAIT_MS};

/// What `POST /api/cache/lock/acquire` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquire {
    /// The resources, all different; one of them unless `several`.
    pub resources: Vec<Resource>,
    /// Whether they were given as a list, so that the answer is one, too.
    pub several: bool,
    /// Milliseconds until the locks end by themselves.
    pub ttl_ms: u64,
    /// Milliseconds that the client is ready to wait.
    pub wait_ms: u64,
}

/// What `POST /api/cache/lock/release` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The resource of the key.
    pub resource: Resource,
    /// The token that the lock was acquired with.
    pub token: Token,
}

/// What `POST /api/cache/lock/extend` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extend {
    /// The resource of the key.
    pub resource: Resource,
    /// The token that the lock was acquired with.
    pub token: Token,
    /// Milliseconds from now until the lock is to end.
    pub ttl_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcquireBody {
    #[serde(default, deserialize_with = "present")]
    resource: Option<String>,
    #[serde(default, deserialize_with = "present")]
    resources: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    ttl: Option<Milliseconds>,
    #[serde(default, deserialize_with = "present")]
    wait: Option<Milliseconds>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    #[serde(default, deserialize_with = "present")]
    key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtendBody {
    #[serde(default, deserialize_with = "present")]
    key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    token: Option<String>,
    #[serde(default, deserialize_with = "present")]
    ttl: Option<Milliseconds>,
}

impl Acquire {
    /// Reads the body of `POST /api/cache/lock/acquire`.
    ///
    /// # Errors
    /// Malformed JSON; members that are missing, unknown or not valid.
    pub fn from_body(bytes: &[u8]) -> Result<Self, Problem> {
        let Object(body): Object<AcquireBody> = problem::parse(bytes)?;
        let mut errors = Errors::default();
        let several = body.resources.is_some();
        let resources = match (body.resource, body.resources) {
            (Some(name), None) => errors.keep("/resource", resource(name)).into_iter().collect(),
            (None, Some(names)) => errors.resources(names),
            (None, None) => {
                errors.add("/resource", "is missing, as is /resources: one of them must be there");
                Vec::new()
            }
            (Some(_), Some(_)) => {
                errors.add("/resource", "cannot be combined with /resources");
                errors.add("/resources", "cannot be combined with /resource");
                Vec::new()
            }
        };
        let ttl_ms = errors.keep("/ttl", body.ttl.map_or(Ok(TTL_DEFAULT_MS), |ttl| ttl.within(&TTL_MS)));
        let wait_ms = errors.keep("/wait", body.wait.map_or(Ok(0), |wait| wait.within(&WAIT_MS)));
        errors.check()?;
        let complete = ttl_ms.zip(wait_ms).map(|(ttl_ms, wait_ms)| Self { resources, several, ttl_ms, wait_ms });
        Ok(complete.expect("what is not there is an error"))
    }
}

impl Release {
    /// Reads the body of `POST /api/cache/lock/release`.
    ///
    /// # Errors
    /// Malformed JSON; members that are missing, unknown or not valid; a key that is not a lock's.
    pub fn from_body(bytes: &[u8]) -> Result<Self, Problem> {
        let Object(body): Object<ReleaseBody> = problem::parse(bytes)?;
        let mut errors = Errors::default();
        let key = errors.keep("/key", required(body.key));
        let token = errors.keep("/token", required(body.token).and_then(token));
        errors.check()?;
        let (key, token) = key.zip(token).expect("what is not there is an error");
        Ok(Self { resource: resource_of(&key)?, token })
    }
}

impl Extend {
    /// Reads the body of `POST /api/cache/lock/extend`.
    ///
    /// # Errors
    /// Malformed JSON; members that are missing, unknown or not valid; a key that is not a lock's.
    pub fn from_body(bytes: &[u8]) -> Result<Self, Problem> {
        let Object(body): Object<ExtendBody> = problem::parse(bytes)?;
        let mut errors = Errors::default();
        let key = errors.keep("/key", required(body.key));
        let token = errors.keep("/token", required(body.token).and_then(token));
        let ttl_ms = errors.keep("/ttl", required(body.ttl).and_then(|ttl| ttl.within(&TTL_MS)));
        errors.check()?;
        let ((key, token), ttl_ms) = key.zip(token).zip(ttl_ms).expect("what is not there is an error");
        Ok(Self { resource: resource_of(&key)?, token, ttl_ms })
    }
}

/// Broken rules, gathered so that all are told at once.
#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(FieldError::at(pointer, detail));
    }

    fn keep<T>(&mut self, pointer: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|detail| self.add(pointer, detail)).ok()
    }

    fn resources(&mut self, names: Vec<String>) -> Vec<Resource> {
        if names.is_empty() || names.len() > MAX_RESOURCES {
            self.add("/resources", format!("must have 1 to {MAX_RESOURCES} elements"));
            return Vec::new();
        }
        let mut resources = Vec::with_capacity(names.len());
        for (at, name) in names.into_iter().enumerate() {
            let pointer = format!("/resources/{at}");
            match self.keep(&pointer, resource(name)) {
                Some(resource) if resources.contains(&resource) => self.add(pointer, "stands in the list before"),
                valid => resources.extend(valid),
            }
        }
        resources
    }

    fn check(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::validation(self.0)) }
    }
}

/// A member that may be absent, but not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn required<T>(value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| "is missing".to_owned())
}

fn resource(name: String) -> Result<Resource, String> {
    Resource::new(name).map_err(|error| error.to_string())
}

fn token(text: String) -> Result<Token, String> {
    Token::parse(&text).map_err(|error| error.to_string())
}

/// A key that is no lock's is refused as such, not as a wrong member: this route is not for deleting other keys.
fn resource_of(key: &str) -> Result<Resource, Problem> {
    Resource::from_key(key).map_err(|error| {
        let detail = "The key does not belong to a lock: this route reaches nothing else.";
        Problem::new(Kind::InvalidParameter, detail).with_errors(vec![FieldError::at("/key", error.to_string())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAA";

    fn pointers(problem: &Problem) -> Vec<&str> {
        problem.errors().iter().filter_map(FieldError::pointer).collect()
    }

    fn names(acquire: &Acquire) -> Vec<&str> {
        acquire.resources.iter().map(Resource::name).collect()
    }

    #[test]
    fn one_resource_or_several_with_defaults() {
        let one = Acquire::from_body(br#"{"resource": "orders"}"#).unwrap();
        assert_eq!((names(&one), one.several, one.ttl_ms, one.wait_ms), (vec!["orders"], false, 5_000, 0));
        let body = br#"{"resources": ["b", "a"], "ttl": 10, "wait": 30000}"#;
        let several = Acquire::from_body(body).unwrap();
        assert_eq!((names(&several), several.several, several.ttl_ms), (vec!["b", "a"], true, 10));
        assert_eq!(several.wait_ms, 30_000);
    }

    #[test]
    fn all_broken_rules_are_told_at_once() {
        for (body, expected) in [
            (r#"{"resource": "", "ttl": 0, "wait": 30001}"#, &["/resource", "/ttl", "/wait"][..]),
            (r#"{"resource": "a", "resources": ["b"], "ttl": -1}"#, &["/resource", "/resources", "/ttl"]),
            (r#"{"resources": ["a", "", "a"]}"#, &["/resources/1", "/resources/2"]),
            (r#"{"resources": []}"#, &["/resources"]),
            ("{}", &["/resource"]),
        ] {
            let problem = Acquire::from_body(body.as_bytes()).unwrap_err();
            assert_eq!((problem.kind(), pointers(&problem)), (Kind::Validation, expected.to_vec()), "{body}");
        }
        let problem = Extend::from_body(b"{}").unwrap_err();
        assert_eq!(pointers(&problem), ["/key", "/token", "/ttl"]);
    }

    #[test]
    fn a_key_of_something_else_is_not_a_validation_error() {
        for key in ["user:version:1", "locks:", "lock:orders", "fencing:orders", ""] {
            let body = format!(r#"{{"key": "{key}", "token": "{TOKEN}", "ttl": 10}}"#);
            let problem = Extend::from_body(body.as_bytes()).unwrap_err();
            assert_eq!((problem.kind(), pointers(&problem)), (Kind::InvalidParameter, vec!["/key"]), "{key}");
        }
        let body = format!(r#"{{"key": "locks:orders", "token": "{TOKEN}"}}"#);
        assert_eq!(Release::from_body(body.as_bytes()).unwrap().resource.name(), "orders");
    }
}
