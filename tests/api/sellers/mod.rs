//! /sellers: one file for each route, and one for each topic of all routes.

mod access;
mod analytics;
mod analytics_caching;
mod analytics_parameters;
mod bodies;
mod caching;
mod circuit_breaker;
mod conditional;
mod counters;
mod edit;
mod generated_sales;
mod health;
mod history;
mod idempotency;
mod included_users;
mod invalidation;
mod list;
mod outages;
mod parameters;
mod pending_verification;
mod privacy;
mod register;
mod remove;
mod routes;
mod sales;
mod search;
mod settings;
mod show;
mod transitions;
mod users_service;
mod users_service_access;
mod validation;
mod verify;

use serde_json::Value;

/// The members that only the owner and administrators see.
const PRIVATE: [&str; 6] =
    ["taxId", "bankName", "bankAccountHolder", "bankAccountNumber", "bankRoutingNumber", "paymentMethod"];

/// The members that are decimals with two places, wherever they are.
const DECIMALS: [&str; 9] = [
    "amount",
    "revenue",
    "totalRevenue",
    "refundedAmount",
    "averageOrderValue",
    "highestOrderValue",
    "lowestOrderValue",
    "commissionRate",
    "rating",
];

/// A decimal as a whole number of hundredths. It is below 10^14, so the detour through a double loses nothing.
fn cents(decimal: &Value) -> i64 {
    let number = decimal.as_f64().unwrap_or_else(|| panic!("{decimal} is not a number"));
    (number * 100.0).round() as i64
}

/// Asserts that all [`DECIMALS`] in this JSON text are null or have exactly two decimals.
fn expect_two_decimals(text: &str) {
    for member in DECIMALS {
        for (at, name) in text.match_indices(&format!("\"{member}\":")) {
            let rest = &text[at + name.len()..];
            let value = rest.split([',', '}', ']']).next().unwrap();
            let exact = value.split_once('.').is_some_and(|(whole, decimals)| {
                decimals.len() == 2 && !whole.is_empty() && (whole == "0" || !whole.starts_with('0'))
            });
            let number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            assert!(value == "null" || (exact && number), "{member} is {value}: {text}");
        }
    }
}

/// The ids of the sellers on a page.
fn ids(page: &Value) -> Vec<i64> {
    page["sellers"].as_array().unwrap().iter().map(|seller| seller["id"].as_i64().unwrap()).collect()
}

/// `"2026-01-31T09:30:00.000Z"`: UTC, with milliseconds.
fn is_utc_with_milliseconds(time: &Value) -> bool {
    let text = time.as_str().unwrap_or_else(|| panic!("{time} is not a time"));
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}
