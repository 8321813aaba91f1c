//! Rate limits of all components, and POST /api/ratelimit/check.

mod access;
mod check;
mod check_validation;
mod classes;
mod clients;
mod counters;
mod exemptions;
mod fields;
mod outages;
mod proxies;
mod settings;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blackbox::{App, Builder, Response};

/// A day, in seconds. Most tests use windows of a day, so that no window ends while they count.
const DAY_S: u64 = 24 * 60 * 60;

/// An application with this policy for all requests: so many in a day. Its window does not end during the test.
async fn limited(limit: u64) -> App {
    builder(limit).await.spawn().await
}

/// As [`limited`], for other settings.
async fn builder(limit: u64) -> Builder {
    far_from_midnight().await;
    App::builder().variable("rate_limit", &format!("{limit}/24h"))
}

/// Waits until no window of a day ends within the next minutes.
async fn far_from_midnight() {
    const MARGIN_S: u64 = 100;
    let left = DAY_S - now_ms() / 1_000 % DAY_S;
    if left < MARGIN_S {
        tokio::time::sleep(Duration::from_secs(left + 1)).await;
    }
}

/// Unix time in milliseconds.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// What a header field says about a class: its name and two numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    class: String,
    numbers: [u64; 2],
}

/// Parses `"class";q=100;w=60` with these names of the two parameters. `None`: there is no such field.
fn field(response: &Response, name: &str, parameters: [&str; 2]) -> Option<Field> {
    let value = response.header(name);
    if value.is_empty() {
        return None;
    }
    let parts: Vec<_> = value.split(';').collect();
    let [class, one, other] = parts[..] else { panic!("{name}: {value}") };
    let class = class.strip_prefix('"').and_then(|class| class.strip_suffix('"'));
    let number = |part: &str, name: &str| {
        let number = part.strip_prefix(name).and_then(|part| part.strip_prefix('='));
        number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{name} in {value}"))
    };
    let numbers = [number(one, parameters[0]), number(other, parameters[1])];
    Some(Field { class: class.unwrap_or_else(|| panic!("{name}: {value}")).to_owned(), numbers })
}

/// The class, the quota and the window in seconds that `RateLimit-Policy` has.
fn policy(response: &Response) -> Option<(String, u64, u64)> {
    field(response, "ratelimit-policy", ["q", "w"])
        .map(|Field { class, numbers: [quota, window] }| (class, quota, window))
}

/// The class and what `RateLimit` says: how many requests are left, and until when in seconds.
fn limit(response: &Response) -> Option<(String, u64, u64)> {
    field(response, "ratelimit", ["r", "t"]).map(|Field { class, numbers: [left, reset] }| (class, left, reset))
}

/// How many requests the client has left in this class. Panics if the response belongs to another class.
fn remaining(response: &Response, class: &str) -> u64 {
    let (found, left, _) = limit(response).unwrap_or_else(|| panic!("no RateLimit: {response:?}"));
    assert_eq!(found, class, "{response:?}");
    left
}

fn expect_unlimited(response: &Response) {
    assert_eq!((limit(response), policy(response)), (None, None), "{response:?}");
    assert_ne!(response.status(), 429, "{response:?}");
}

/// Asserts that the request was refused because the quota of this class is used up.
fn expect_refused(response: &Response, class: &str) {
    let problem = response.expect_problem(429, "quota-exceeded");
    assert_eq!(problem["title"], "Quota exceeded");
    assert_eq!(problem["violated-policies"], serde_json::json!([class]), "{problem}");
    let (found, left, reset) = limit(response).unwrap_or_else(|| panic!("no RateLimit: {response:?}"));
    assert_eq!((found.as_str(), left), (class, 0), "{response:?}");
    let retry: u64 = response.header("retry-after").parse().unwrap_or_else(|error| panic!("{error}: {response:?}"));
    assert!(retry >= reset.max(1), "Retry-After is earlier than t: {response:?}");
    assert_eq!(policy(response).unwrap().0, class);
    assert_eq!(response.header("cache-control"), "no-store");
}
