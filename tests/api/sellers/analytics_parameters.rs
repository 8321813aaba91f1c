//! Parameters of the analytics that are refused.

use blackbox::{App, percent_encoded};

const VIEWS: [&str; 4] = ["overview", "sales-trend", "products", "revenue"];

#[tokio::test]
async fn invalid_periods_and_ranges_are_refused() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let table: [(&str, &str, &[&str]); 20] = [
        ("period=decade", "", &["period"]),
        ("period=", "", &["period"]),
        ("period=Month", "", &["period"]),
        ("period=day&period=week", "", &["period"]),
        ("startDate=2026-01-01", "", &["endDate", "startDate"]),
        ("endDate=2026-01-01", "", &["endDate", "startDate"]),
        ("startDate=2026-01-02&endDate=2026-01-01", "", &["endDate", "startDate"]),
        ("startDate=2026-01-01T10:00:00Z&endDate=2026-01-01T10:00:00Z", "", &["endDate", "startDate"]),
        ("startDate=2026-02-30&endDate=2024-03-01", "", &["startDate"]),
        ("startDate=2026-01-01&endDate=2026-13-01", "", &["endDate"]),
        ("startDate=yesterday&endDate=2026-01-01", "", &["startDate"]),
        ("startDate=&endDate=2026-01-01", "", &["startDate"]),
        ("startDate=2026-01-01T10:00:00&endDate=2026-01-02", "", &["startDate"]),
        ("startDate=2026-01-01&endDate=1767225600", "", &["endDate"]),
        ("x=1", "", &["x"]),
        ("sortBy=revenue", "", &["sortBy"]),
        ("limit=0", "products", &["limit"]),
        ("limit=101", "products", &["limit"]),
        ("limit=1.5", "products", &["limit"]),
        ("limit=-1", "products", &["limit"]),
    ];
    for (query, only, expected) in table {
        for view in VIEWS.into_iter().filter(|view| only.is_empty() || *view == only) {
            let response = seller.owner.get(seller.path(&format!("/analytics/{view}?{query}"))).await;
            let named = response.expect_errors(400, "invalid-parameter");
            assert!(named.iter().all(|field| expected.contains(&field.as_str())), "{view}?{query}: {named:?}");
        }
    }
    for view in ["overview", "sales-trend", "revenue"] {
        let response = seller.owner.get(seller.path(&format!("/analytics/{view}?limit=5"))).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), ["limit"], "{view}");
    }
}

#[tokio::test]
async fn a_range_has_at_most_366_buckets() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    // The last day, hour or month is the 366th; one more is too many.
    let table = [
        ("month", "2024-01-01", "2024-12-31", true),
        ("month", "2024-01-01", "2025-01-01", false),
        ("week", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", true),
        ("week", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00.001Z", false),
        ("month", "2024-01-01T12:00:00Z", "2025-01-01T00:00:00Z", true),
        ("month", "2024-01-01T12:00:00Z", "2025-01-01T12:00:00Z", false),
        ("day", "2024-03-01T00:00:00Z", "2024-03-16T06:00:00Z", true),
        ("day", "2024-03-01T00:00:00Z", "2024-03-16T06:00:01Z", false),
        ("day", "2024-03-01T00:59:59Z", "2024-03-16T06:00:00Z", true),
        ("year", "1990-01-15", "2020-06-01", true),
        ("all_time", "1990-01-15", "2020-06-30", true),
        ("all_time", "1990-01-15", "2020-07-01", false),
        ("day", "0001-01-01", "9999-12-31", false),
        ("all_time", "0001-01-01", "9999-12-31", false),
    ];
    for (period, start, end, fits) in table {
        let range = format!("startDate={}&endDate={}", percent_encoded(start), percent_encoded(end));
        for view in VIEWS {
            let path = seller.path(&format!("/analytics/{view}?period={period}&{range}"));
            let response = seller.owner.get(&path).await;
            if fits {
                let found = response.expect_ok();
                if view == "sales-trend" {
                    assert_eq!(found.as_array().unwrap().len(), 366, "{path}");
                }
            } else {
                let named = response.expect_errors(400, "invalid-parameter");
                assert!(named.iter().all(|field| ["startDate", "endDate"].contains(&field.as_str())), "{named:?}");
            }
        }
    }
}
