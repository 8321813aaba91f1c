//! Statistics:
//!
//! - `GET /api/cache/stats`: the hits and misses of all components together.
//! - `GET /admin/cache/stats`: all counters by module and operation, and the state of the Redis server.
//! - `POST /admin/cache/stats/reset`: sets the counters to zero.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use futures_util::future::try_join3;
use http_api::response::json;
use http_api::{NoQuery, Problem, Shared};
use serde::Serialize;
use serde_json::json;
use versioned_cache::{Counters, Registered, Server, Stats};

use crate::app::App;
use crate::problems;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    totals: Counts,
    total_modules: usize,
    total_operations: usize,
    total_keys: u64,
    modules: BTreeMap<String, Module>,
    redis: Redis,
}

#[derive(Debug, Default, Serialize)]
struct Module {
    /// The sums of its operations.
    #[serde(flatten)]
    counts: Counts,
    keys: u64,
    operations: BTreeMap<String, Operation>,
}

#[derive(Debug, Default, Serialize)]
struct Operation {
    #[serde(flatten)]
    counts: Counts,
    keys: u64,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    hits: u64,
    misses: u64,
    /// Hits divided by hits and misses, to four decimals; null if there are none.
    hit_ratio: Option<f64>,
    fills: u64,
    coalesced_fills: u64,
    bypasses: u64,
    corrupt: u64,
    errors: u64,
    verified: u64,
    stale: u64,
    graced: u64,
    refreshed: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Redis {
    used_memory_bytes: u64,
    evicted_keys: u64,
    keys: u64,
}

/// Returns the sums of hits and misses.
///
/// # Errors
/// Redis is unavailable.
pub async fn totals(app: Shared<App>, _: NoQuery) -> Result<Response, Problem> {
    let total = app.cache.stats().await.map_err(problems::redis)?.total();
    Ok(json(&json!({ "hits": total.hits, "misses": total.misses })))
}

/// Sets all counters to zero.
///
/// # Errors
/// Redis is unavailable.
pub async fn reset(app: Shared<App>, _: NoQuery) -> Result<Response, Problem> {
    app.cache.reset_stats().await.map_err(problems::redis_change)?;
    Ok(json(&json!({ "reset": true })))
}

/// Returns all counters.
///
/// # Errors
/// Redis is unavailable.
pub async fn report(app: Shared<App>, _: NoQuery) -> Result<Response, Problem> {
    let (stats, registered, server) =
        try_join3(app.cache.stats(), app.cache.registered(), app.cache.server()).await.map_err(problems::redis)?;
    Ok(json(&Report::new(stats, registered, server)))
}

impl Report {
    fn new(stats: Stats, registered: Vec<Registered>, server: Server) -> Self {
        let totals = Counts::of(&stats.total());
        let mut modules: BTreeMap<String, Module> = BTreeMap::new();
        let mut sums: BTreeMap<String, Counters> = BTreeMap::new();
        for ((module, operation), counters) in stats.0 {
            *sums.entry(module.clone()).or_default() += counters;
            modules.entry(module).or_default().operations.entry(operation).or_default().counts = Counts::of(&counters);
        }
        for (module, counters) in sums {
            modules.entry(module).or_default().counts = Counts::of(&counters);
        }
        // Counters stay when the last entry has gone. These totals are about what is cached now.
        let total_operations = registered.len();
        let total_modules = registered.iter().map(|operation| &operation.module).collect::<BTreeSet<_>>().len();
        let mut total_keys = 0;
        for Registered { module, operation, keys } in registered {
            total_keys += keys;
            let module = modules.entry(module).or_default();
            module.keys += keys;
            module.operations.entry(operation).or_default().keys = keys;
        }
        Self {
            totals,
            total_modules,
            total_operations,
            total_keys,
            modules,
            redis: Redis {
                used_memory_bytes: server.used_memory,
                evicted_keys: server.evicted_keys,
                keys: server.keys,
            },
        }
    }
}

impl Counts {
    fn of(counters: &Counters) -> Self {
        Self {
            hits: counters.hits,
            misses: counters.misses,
            hit_ratio: counters.hit_ratio().map(|ratio| (ratio * 10_000.0).round() / 10_000.0),
            fills: counters.fills,
            coalesced_fills: counters.collapsed,
            bypasses: counters.bypasses,
            corrupt: counters.corrupt,
            errors: counters.errors,
            verified: counters.verified,
            stale: counters.stale,
            graced: counters.graced,
            refreshed: counters.refreshed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(hits: u64, misses: u64) -> Counters {
        Counters { hits, misses, collapsed: 1, ..Counters::default() }
    }

    #[test]
    fn a_report_has_counters_and_keys_of_each_operation() {
        let by = |module: &str, operation: &str| (module.to_owned(), operation.to_owned());
        let stats =
            Stats(BTreeMap::from([(by("kv", "get"), counters(2, 1)), (by("users", "getById"), counters(0, 0))]));
        let registered = vec![
            Registered { module: "kv".into(), operation: "get".into(), keys: 3 },
            Registered { module: "users".into(), operation: "list".into(), keys: 4 },
        ];
        let report = Report::new(stats, registered, Server { used_memory: 10, evicted_keys: 2, keys: 9 });
        let counts = |hits: u64, misses: u64, ratio: Option<f64>, collapsed: u64| {
            json!({ "hits": hits, "misses": misses, "hitRatio": ratio, "fills": 0, "coalescedFills": collapsed,
                    "bypasses": 0, "corrupt": 0, "errors": 0, "verified": 0, "stale": 0,
                    "graced": 0, "refreshed": 0 })
        };
        let with_keys = |mut counts: serde_json::Value, keys: u64| {
            counts["keys"] = keys.into();
            counts
        };
        let with_operations = |mut module: serde_json::Value, operations: serde_json::Value| {
            module["operations"] = operations;
            module
        };
        assert_eq!(
            serde_json::to_value(report).unwrap(),
            json!({
                "totals": counts(2, 1, Some(0.6667), 2),
                "totalModules": 2,
                "totalOperations": 2,
                "totalKeys": 7,
                "modules": {
                    "kv": with_operations(with_keys(counts(2, 1, Some(0.6667), 1), 3), json!({
                        "get": with_keys(counts(2, 1, Some(0.6667), 1), 3),
                    })),
                    "users": with_operations(with_keys(counts(0, 0, None, 1), 4), json!({
                        "getById": with_keys(counts(0, 0, None, 1), 0),
                        "list": with_keys(counts(0, 0, None, 0), 4),
                    })),
                },
                "redis": { "usedMemoryBytes": 10, "evictedKeys": 2, "keys": 9 },
            })
        );
    }
}
