//! `POST /api/cache/lock/acquire`.

use std::collections::HashSet;

use axum::response::Response;
use http_api::response::json;
use http_api::{Errors, FromJson, JsonBody, NoQuery, Object, Problem, Shared, WholeNumber, present};
use serde::Deserialize;
use serde_json::Number;
use spin_adapter::on_undelivered;
use token_lock::{Acquired, Grant, MAX_RESOURCES, MAX_WAIT_MS, Resource};

use crate::app::App;
use crate::responses::{AcquireResponse, GrantedLock};
use crate::{problems, rules};

/// The TTL of a lock if the body has none.
const TTL_DEFAULT_MS: u64 = 5_000;
const WAIT: WholeNumber = WholeNumber::new(0, MAX_WAIT_MS, "milliseconds");

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawAcquire {
    #[serde(deserialize_with = "present")]
    resource: Option<String>,
    #[serde(deserialize_with = "present")]
    resources: Option<Vec<String>>,
    #[serde(deserialize_with = "present")]
    ttl: Option<Number>,
    #[serde(deserialize_with = "present")]
    wait: Option<Number>,
}

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcquireBody {
    /// The resources, without duplicates.
    pub resources: Vec<Resource>,
    /// Whether the body has a list of resources. Then the response has a list of locks.
    pub is_list: bool,
    /// The TTL of the locks in milliseconds.
    pub ttl_ms: u64,
    /// Milliseconds to wait while another client holds a lock.
    pub wait_ms: u64,
}

impl FromJson for AcquireBody {
    type Raw = Object<RawAcquire>;
    const MAX_BYTES: usize = rules::BODY_MAX_BYTES;

    fn check(Object(body): Object<RawAcquire>, errors: &mut Errors) -> Option<Self> {
        let is_list = body.resources.is_some();
        let resources = match (body.resource, body.resources) {
            (Some(name), None) => errors.check("/resource", rules::resource(name)).map(|resource| vec![resource]),
            (None, Some(names)) => check_resources(names, errors),
            (None, None) => {
                errors.add("/resource", "is missing: give resource or resources");
                None
            }
            (Some(_), Some(_)) => {
                errors.add("/resource", "cannot be combined with /resources");
                errors.add("/resources", "cannot be combined with /resource");
                None
            }
        };
        let ttl_ms = errors.optional("/ttl", body.ttl, |ttl| rules::TTL.of_json(ttl));
        let wait_ms = errors.optional("/wait", body.wait, |wait| WAIT.of_json(wait));
        let (ttl_ms, wait_ms) = (ttl_ms.unwrap_or(TTL_DEFAULT_MS), wait_ms.unwrap_or(0));
        Some(Self { resources: resources?, is_list, ttl_ms, wait_ms })
    }
}

fn check_resources(names: Vec<String>, errors: &mut Errors) -> Option<Vec<Resource>> {
    if names.is_empty() || names.len() > MAX_RESOURCES {
        errors.add("/resources", format!("must have 1 to {MAX_RESOURCES} elements"));
        return None;
    }
    let mut seen = HashSet::new();
    errors.each("/resources", names, |errors, name| {
        let resource = errors.check("", rules::resource(name))?;
        let is_new = seen.insert(resource.clone());
        errors.check("", if is_new { Ok(resource) } else { Err("is a duplicate".to_owned()) })
    })
}

/// Returns the locks, or how long another client will hold one of them. If the response cannot be delivered, the locks
/// are released: the client may have disconnected while it waited.
///
/// # Errors
/// A bad body; Redis is unavailable; two of the lock servers are the same one.
pub async fn acquire(app: Shared<App>, _: NoQuery, JsonBody(body): JsonBody<AcquireBody>) -> Result<Response, Problem> {
    app.locks.check_servers().await.map_err(problems::acquire)?;
    let acquired = app.locks.acquire_within(&body.resources, body.ttl_ms, body.wait_ms).await;
    let grants = match acquired.map_err(problems::acquire)? {
        Acquired::Granted(grants) => grants,
        Acquired::Taken { retry_after_ms: retry_after } => {
            app.count("contended", 1);
            return Ok(json(&AcquireResponse::Taken { acquired: false, retry_after }));
        }
    };
    let granted = granted(&body, &grants).ok_or_else(|| Problem::internal("a resource has no grant"))?;
    app.count("acquired", grants.len());
    Ok(on_undelivered(json(&granted), async move {
        for Grant { resource, token, .. } in &grants {
            if let Err(error) = app.locks.release(resource, token).await {
                tracing::warn!(%error, "the lock of a client that has disconnected was not released: its TTL ends it");
            }
        }
    }))
}

/// The locks in the order of the body.
fn granted(body: &AcquireBody, grants: &[Grant]) -> Option<AcquireResponse> {
    let lock_on = |resource: &Resource| grants.iter().find(|grant| grant.resource == *resource).map(GrantedLock::from);
    let mut locks: Vec<GrantedLock> = body.resources.iter().map(lock_on).collect::<Option<_>>()?;
    Some(if body.is_list {
        AcquireResponse::Locks { acquired: true, locks }
    } else {
        AcquireResponse::Lock { acquired: true, lock: locks.pop()? }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_api::FieldError;

    fn names(body: &AcquireBody) -> Vec<&str> {
        body.resources.iter().map(Resource::name).collect()
    }

    #[test]
    fn one_resource_or_several_with_defaults() {
        let one = AcquireBody::from_json(br#"{"resource": "orders"}"#).unwrap();
        assert_eq!((names(&one), one.is_list, one.ttl_ms, one.wait_ms), (vec!["orders"], false, 5_000, 0));
        let body = br#"{"resources": ["b", "a"], "ttl": 10, "wait": 30000}"#;
        let several = AcquireBody::from_json(body).unwrap();
        assert_eq!((names(&several), several.is_list, several.ttl_ms), (vec!["b", "a"], true, 10));
        assert_eq!(several.wait_ms, 30_000);
    }

    #[test]
    fn all_broken_rules_are_reported_at_once() {
        for (body, expected) in [
            (r#"{"resource": "a", "resources": ["b"], "ttl": -1}"#, &["/resource", "/resources", "/ttl"][..]),
            (r#"{"resources": ["a", "", "a"]}"#, &["/resources/1", "/resources/2"]),
        ] {
            let problem = AcquireBody::from_json(body.as_bytes()).unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.wrong_fields()), (422, expected.to_vec()), "{body}");
        }
    }

    #[test]
    fn a_ttl_is_a_whole_number_within_bounds() {
        let with_ttl = |json: &str| {
            let body = format!(r#"{{"resource": "orders", "ttl": {json}}}"#);
            AcquireBody::from_json(body.as_bytes()).map(|body| body.ttl_ms)
        };
        assert_eq!((with_ttl("10"), with_ttl("3600000")), (Ok(10), Ok(3_600_000)));
        assert_eq!((with_ttl("5000.0"), with_ttl("5e3")), (Ok(5_000), Ok(5_000)));
        for json in ["0", "-1", "9", "3600001", "18446744073709551615", "-9223372036854775808", "5000.5", "5e-3"] {
            let text = "must be a whole number of milliseconds from 10 to 3600000";
            assert_eq!(with_ttl(json).unwrap_err().errors(), [FieldError::at("/ttl", text)], "{json}");
        }
        for json in ["1e30", "18446744073709551616", "\"5000\"", "true", "[]"] {
            assert_eq!(with_ttl(json).unwrap_err().wrong_fields(), ["/ttl"], "{json}");
        }
    }
}
