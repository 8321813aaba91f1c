//! /users: one file for each route, and one for each topic of all routes.

mod access;
mod batch;
mod caching;
mod conditional;
mod connections;
mod create;
mod grace;
mod large_pages;
mod list;
mod outages;
mod parameters;
mod remove;
mod settings;
mod show;
mod update;
mod validation;
mod verify;

use blackbox::Response;
use serde_json::Value;

/// The names in a list of users.
fn names(users: &Value) -> Vec<&str> {
    users.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect()
}

/// The ids in a list of users.
fn ids(users: &Value) -> Vec<i64> {
    users.as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect()
}

/// The target of `Link: <…>; rel="next"`.
fn next(response: &Response) -> Option<String> {
    let link = response.header("link");
    let target = link.strip_suffix(">; rel=\"next\"").and_then(|link| link.strip_prefix('<'));
    assert_eq!(target.is_none(), link.is_empty(), "{link}");
    target.map(str::to_owned)
}
