//! `POST /api/ratelimit/check`: rate limits for other programs, which choose the key and the policy.

use axum::response::Response;
use http_api::response::json;
use http_api::{Errors, FromJson, JsonBody, NoQuery, Object, Problem, Shared, WholeNumber, present, whole};
use rate_limit::{Class, Decision, Policy, Quota};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use spin_adapter::count_bypassed;

use crate::app::App;

/// The longest key, in characters.
const KEY_MAX: usize = 256;
const LIMIT: WholeNumber = WholeNumber::new(1, Policy::LIMIT_MAX, "requests");
const WINDOW: WholeNumber = WholeNumber::new(Policy::WINDOW_MIN_MS, Policy::WINDOW_MAX_MS, "milliseconds");

/// What serde reads. Members are optional, so that `check` reports all that are missing.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawCheck {
    #[serde(deserialize_with = "present")]
    key: Option<String>,
    #[serde(deserialize_with = "present")]
    limit: Option<Number>,
    #[serde(deserialize_with = "present")]
    window: Option<Number>,
    #[serde(deserialize_with = "present")]
    cost: Option<Number>,
}

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckBody {
    key: String,
    policy: Policy,
    cost: u64,
}

impl FromJson for CheckBody {
    type Raw = Object<RawCheck>;
    const MAX_BYTES: usize = 16 * 1024;

    fn check(Object(body): Object<RawCheck>, errors: &mut Errors) -> Option<Self> {
        let key = errors.required("/key", body.key, |key| match key.chars().count() {
            1..=KEY_MAX => Ok(key),
            _ => Err(format!("must have 1 to {KEY_MAX} characters")),
        });
        let limit = errors.required("/limit", body.limit, |limit| LIMIT.of_json(limit));
        let window_ms = errors.required("/window", body.window, |window| WINDOW.of_json(window));
        // Without a valid limit, the cost is compared with the greatest possible limit.
        let cost_max = limit.unwrap_or(Policy::LIMIT_MAX);
        let of_cost = |cost: Number| match whole(&cost).and_then(|cost| cost.try_into().ok()) {
            Some(cost) if (1..=cost_max).contains(&cost) => Ok(cost),
            _ => Err(format!("must be a whole number from 1 to the limit, {cost_max}")),
        };
        let is_given = body.cost.is_some();
        let cost = errors.optional("/cost", body.cost, of_cost);
        let policy = Policy::new(limit?, window_ms?).ok()?;
        Some(Self { key: key?, policy, cost: if is_given { cost? } else { 1 } })
    }
}

/// The response.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckResponse {
    allowed: bool,
    remaining: u64,
    reset_ms: u64,
}

/// Counts `cost` requests for the key, unless they exceed the limit. If Redis cannot count them, they are allowed.
///
/// # Errors
/// A bad body.
pub async fn check(app: Shared<App>, _: NoQuery, JsonBody(body): JsonBody<CheckBody>) -> Result<Response, Problem> {
    let CheckBody { key, policy, cost } = body;
    // Each length of a window has its own counters: windows of different lengths may have the same number.
    let client = format!("{key}:{}", policy.window_ms());
    let decision = app.service.limiter.check(&Class::api(policy), &client, cost).await;
    if matches!(decision, Decision::Bypassed(_)) {
        count_bypassed(&app.service.counters);
    }
    Ok(json(&response(decision, policy, cost)))
}

fn response(decision: Decision, policy: Policy, cost: u64) -> CheckResponse {
    let (allowed, Quota { remaining, reset_ms }) = match decision {
        Decision::Allowed(quota) => (true, quota),
        Decision::Refused(quota) => (false, quota),
        // The numbers of a client that has sent nothing before.
        Decision::Bypassed(_) => {
            (true, Quota { remaining: policy.limit().saturating_sub(cost), reset_ms: policy.window_ms() })
        }
    };
    CheckResponse { allowed, remaining, reset_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<CheckBody, Problem> {
        CheckBody::from_json(body.as_bytes())
    }

    #[test]
    fn the_cost_is_1_if_it_is_not_given() {
        let policy = Policy::new(10, 1_000).unwrap();
        let expected = |cost| CheckBody { key: "a".to_owned(), policy, cost };
        assert_eq!(read(r#"{"key":"a","limit":10,"window":1000}"#), Ok(expected(1)));
        assert_eq!(read(r#"{"key":"a","limit":10,"window":1000,"cost":10}"#), Ok(expected(10)));
    }

    #[test]
    fn all_wrong_members_are_named() {
        let long = format!(r#"{{"key":"{}","limit":1,"window":1000}}"#, "é".repeat(257));
        for (body, pointers) in [
            ("{}", &["/key", "/limit", "/window"][..]),
            (r#"{"key":"","limit":0,"window":999,"cost":0}"#, &["/key", "/limit", "/window", "/cost"]),
            (r#"{"key":"a","limit":1000001,"window":86400001}"#, &["/limit", "/window"]),
            (r#"{"key":"a","limit":10,"window":1000,"cost":11}"#, &["/cost"]),
            (r#"{"key":"a","limit":-1,"window":1000.5,"cost":1e-3}"#, &["/limit", "/window", "/cost"]),
            (r#"{"key":null,"limit":1,"window":1000}"#, &["/key"]),
            (r#"{"key":"a","limit":"10","window":1000}"#, &["/limit"]),
            (r#"{"key":"a","limit":1,"window":1000,"policy":1}"#, &["/policy"]),
            (r#"[]"#, &[""]),
            (&long, &["/key"]),
        ] {
            let problem = read(body).unwrap_err();
            assert_eq!(problem.status(), 422, "{body}");
            assert_eq!(problem.wrong_fields(), pointers, "{body}");
        }
    }

    #[test]
    fn what_redis_cannot_count_is_allowed() {
        let (policy, quota) = (Policy::new(10, 1_000).unwrap(), Quota { remaining: 3, reset_ms: 7 });
        let unreachable = ports::RedisError::Unreachable(String::new());
        for (decision, allowed, remaining, reset_ms) in [
            (Decision::Allowed(quota), true, 3, 7),
            (Decision::Refused(quota), false, 3, 7),
            (Decision::Bypassed(unreachable), true, 6, 1_000),
        ] {
            assert_eq!(response(decision, policy, 4), CheckResponse { allowed, remaining, reset_ms });
        }
    }
}
