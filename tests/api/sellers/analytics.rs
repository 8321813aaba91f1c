//! GET /sellers/:id/analytics/overview, /sales-trend, /products and /revenue: they equal an
//! independent computation.

use std::collections::BTreeMap;

use blackbox::{App, Seller, percent_encoded};
use chrono::{Days, TimeDelta};
use fastrand::Rng;
use serde_json::{Value, json};

use super::generated_sales::{
    Range, Sale, Selection, Time, Total, Unit, average, generate, now, record, rfc_3339, text,
};
use super::{cents, expect_two_decimals};

const PERIODS: [(&str, Unit); 5] =
    [("day", Unit::Hour), ("week", Unit::Day), ("month", Unit::Day), ("year", Unit::Month), ("all_time", Unit::Month)];

async fn view(seller: &Seller, view: &str, query: &str) -> Value {
    let response = seller.owner.get(seller.path(&format!("/analytics/{view}?{query}"))).await;
    expect_two_decimals(response.text());
    response.expect_ok()
}

/// The range of a period that ends now.
fn range(period: &str, now: Time) -> Range {
    let (unit, count) = match period {
        "day" => (Unit::Hour, 24),
        "week" => (Unit::Day, 7),
        "month" => (Unit::Day, 30),
        "year" => (Unit::Month, 12),
        other => panic!("{other} has no length"),
    };
    let end = unit.add(unit.floor(now), 1);
    (unit.add(end, -count), end)
}

fn expect_overview(found: &Value, selection: &Selection, what: &str) {
    let (count, sum) = selection.total();
    assert_eq!(found["totalSales"], count, "{what}: {found}");
    assert_eq!(cents(&found["totalRevenue"]), sum, "{what}: {found}");
    assert_eq!(cents(&found["averageOrderValue"]), average(sum, count), "{what}: {found}");
}

/// The trend has exactly the buckets of the range, each with its sales.
fn expect_trend(found: &Value, sales: &[Sale], (start, end): Range, unit: Unit, what: &str) {
    let mut buckets = found.as_array().unwrap().iter();
    let mut from = unit.floor(start);
    while from < end {
        let to = unit.add(from, 1);
        let bucket = buckets.next().unwrap_or_else(|| panic!("{what}: no bucket {}: {found}", unit.label(from)));
        let date = bucket["date"].as_str().unwrap();
        assert!(date.starts_with(&unit.label(from)), "{what}: {date} instead of {}", unit.label(from));
        let (count, sum) = Selection::new(sales, (from.max(start), to.min(end))).total();
        assert_eq!(bucket["sales"], count, "{what}: {bucket}");
        assert_eq!(cents(&bucket["revenue"]), sum, "{what}: {bucket}");
        assert_eq!(cents(&bucket["averageOrderValue"]), average(sum, count), "{what}: {bucket}");
        from = to;
    }
    assert_eq!(buckets.next(), None, "{what}: buckets after the end");
}

fn expect_products(found: &Value, selection: &Selection, limit: usize, what: &str) {
    let expected = selection.by(|sale| sale.product);
    let found: Vec<(Option<&str>, Total)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (text(&one["productId"]), (one["unitsSold"].as_i64().unwrap(), cents(&one["revenue"]))))
        .collect();
    assert_eq!(found.len(), expected.len().min(limit), "{what}: {found:?}");
    // Each product is right and there once, and none that is left out has a higher revenue.
    for (at, (product, total)) in found.iter().enumerate() {
        assert_eq!(expected.get(product), Some(total), "{what}: {found:?}");
        assert!(found[..at].iter().all(|(earlier, _)| earlier != product), "{what}: {found:?}");
    }
    let mut revenues: Vec<i64> = expected.values().map(|(_, sum)| *sum).collect();
    revenues.sort_unstable_by(|one, next| next.cmp(one));
    revenues.truncate(limit);
    assert_eq!(found.iter().map(|(_, (_, sum))| *sum).collect::<Vec<_>>(), revenues, "{what}");
}

fn expect_revenue(found: &Value, selection: &Selection, what: &str) {
    let (count, sum) = selection.total();
    assert_eq!(cents(&found["totalRevenue"]), sum, "{what}: {found}");
    assert_eq!(cents(&found["averageOrderValue"]), average(sum, count), "{what}: {found}");
    assert_eq!(cents(&found["refundedAmount"]), selection.refunded(), "{what}: {found}");
    let order = ["highestOrderValue", "lowestOrderValue"].map(|member| found.get(member).unwrap());
    let order = order.map(|value| (!value.is_null()).then(|| cents(value)));
    assert_eq!(order, selection.highest_and_lowest(), "{what}: {found}");
    let categories = found["byCategory"].as_array().unwrap();
    let by_category: BTreeMap<Option<&str>, Total> = categories
        .iter()
        .map(|one| (text(&one["category"]), (one["sales"].as_i64().unwrap(), cents(&one["revenue"]))))
        .collect();
    assert_eq!(by_category, selection.by(|sale| sale.category), "{what}: {found}");
    assert_eq!(categories.len(), by_category.len(), "{what}: a category is there twice: {found}");
}

/// Reads all four analytics and compares them with the computation.
async fn expect_all(seller: &Seller, sales: &[Sale], range: Range, unit: Unit, query: &str) {
    let selection = Selection::new(sales, range);
    let overview = view(seller, "overview", query).await;
    expect_overview(&overview, &selection, query);
    for (member, time) in [("startDate", range.0), ("endDate", range.1)] {
        assert_eq!(overview[member], rfc_3339(time), "{query}: {overview}");
    }
    expect_trend(&view(seller, "sales-trend", query).await, sales, range, unit, query);
    for limit in [100, 3, 1] {
        let query = format!("{query}&limit={limit}");
        expect_products(&view(seller, "products", &query).await, &selection, limit, &query);
    }
    expect_revenue(&view(seller, "revenue", query).await, &selection, query);
}

async fn given_year(app: &App, count: usize) -> (Seller, Vec<Sale>, Rng) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let seller = app.given_seller("ada").await;
    let sales = generate(&mut rng, count);
    record(&seller, &sales).await;
    (seller, sales, rng)
}

#[tokio::test]
async fn periods_of_a_generated_year_equal_an_independent_computation() {
    let app = App::spawn().await;
    let (seller, sales, _) = given_year(&app, 500).await;
    let counted: Vec<_> = sales.iter().filter(|sale| !sale.refunded).collect();
    let found = seller.show().await;
    assert_eq!(found["totalSales"], counted.len());
    assert_eq!(cents(&found["totalRevenue"]), counted.iter().map(|sale| sale.cents).sum::<i64>());
    for (period, unit) in PERIODS.into_iter().filter(|(period, _)| *period != "all_time") {
        // The period moves on with each full hour, also in the middle of this.
        let mut done = None;
        while done != Some(range(period, now())) {
            let current = range(period, now());
            expect_all_unless_moved(&seller, &sales, current, unit, period).await;
            done = Some(current);
        }
    }
}

/// As [`expect_all`]; a failure does not count if the period has moved on meanwhile.
async fn expect_all_unless_moved(seller: &Seller, sales: &[Sale], current: Range, unit: Unit, period: &str) {
    let query = format!("period={period}");
    let (task_seller, task_sales) = (seller.clone(), sales.to_vec());
    let compared = tokio::spawn(async move { expect_all(&task_seller, &task_sales, current, unit, &query).await });
    if let Err(failure) = compared.await {
        assert_ne!(range(period, now()), current, "{failure}");
    }
}

#[tokio::test]
async fn all_time_has_every_month_since_the_first_sale() {
    let app = App::spawn().await;
    let (seller, sales, _) = given_year(&app, 200).await;
    let all = (sales.iter().map(|sale| sale.at).min().unwrap(), now() + TimeDelta::days(40));
    let selection = Selection::new(&sales, all);
    let overview = view(&seller, "overview", "period=all_time").await;
    expect_overview(&overview, &selection, "all_time");
    assert_eq!(overview["lastSaleAt"], rfc_3339(selection.last().unwrap()));
    expect_products(&view(&seller, "products", "period=all_time&limit=100").await, &selection, 100, "all_time");
    expect_revenue(&view(&seller, "revenue", "period=all_time").await, &selection, "all_time");
    let trend = view(&seller, "sales-trend", "period=all_time").await;
    // Until the current month, which may have changed since.
    let last = trend.as_array().unwrap().last().unwrap()["date"].as_str().unwrap();
    let months = [now() - TimeDelta::minutes(10), now()].map(|time| Unit::Month.floor(time));
    let end = months.into_iter().find(|month| last.starts_with(&Unit::Month.label(*month)));
    let end = Unit::Month.add(end.unwrap_or_else(|| panic!("{last} is not the current month")), 1);
    expect_trend(&trend, &sales, (Unit::Month.floor(all.0), end), Unit::Month, "all_time");
}

#[tokio::test]
async fn custom_ranges_equal_an_independent_computation() {
    let app = App::spawn().await;
    let (seller, sales, mut rng) = given_year(&app, 400).await;
    for (period, unit) in PERIODS {
        for round in 0..6 {
            let length = match unit {
                Unit::Hour => TimeDelta::minutes(rng.i64(1..14 * 24 * 60)),
                Unit::Day => TimeDelta::minutes(rng.i64(1..360 * 24 * 60)),
                Unit::Month => TimeDelta::days(rng.i64(1..1000)),
            };
            let end = now() - TimeDelta::milliseconds(rng.i64(0..20 * 86_400_000));
            let end = chrono::DateTime::from_timestamp_millis(end.timestamp_millis()).unwrap();
            let start = end - length;
            // Full times in two spellings, and dates, the last of which is included.
            let (range, from, to) = match round % 3 {
                0 => ((start, end), rfc_3339(start), rfc_3339(end)),
                1 => {
                    let east = chrono::FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
                    let spell = |time: Time| time.with_timezone(&east).to_rfc3339();
                    ((start, end), percent_encoded(&spell(start)), percent_encoded(&spell(end)))
                }
                _ => {
                    let (first, last) = (Unit::Day.floor(start), Unit::Day.floor(end));
                    ((first, last + Days::new(1)), Unit::Day.label(first), Unit::Day.label(last))
                }
            };
            let query = format!("period={period}&startDate={from}&endDate={to}");
            expect_all(&seller, &sales, range, unit, &query).await;
        }
    }
}

#[tokio::test]
async fn a_seller_without_sales_has_zeros_and_nulls() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for (period, _) in PERIODS {
        let query = format!("period={period}");
        let overview = view(&seller, "overview", &query).await;
        let expected = json!({
            "sellerId": seller.id, "businessName": "ada & Co", "period": period, "totalProducts": 0, "totalSales": 0,
            "totalRevenue": 0.0, "averageOrderValue": 0.0, "rating": 0.0, "status": "pending",
            "verificationStatus": "unverified", "accountAgeDays": 0, "lastSaleAt": null,
        });
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(overview.get(member), Some(value), "{member} of {overview}");
        }
        assert_eq!(overview.as_object().unwrap().len(), 14, "no other members: {overview}");
        assert_eq!(view(&seller, "products", &query).await, json!([]));
        let revenue = json!({
            "totalRevenue": 0.0, "refundedAmount": 0.0, "averageOrderValue": 0.0, "highestOrderValue": null,
            "lowestOrderValue": null, "byCategory": [],
        });
        assert_eq!(view(&seller, "revenue", &query).await, revenue);
        let trend = view(&seller, "sales-trend", &query).await;
        for bucket in trend.as_array().unwrap() {
            assert_eq!(bucket["sales"], 0, "{trend}");
        }
        let buckets = trend.as_array().unwrap().len();
        match period {
            "day" => assert_eq!(buckets, 24),
            "week" => assert_eq!(buckets, 7),
            "month" => assert_eq!(buckets, 30),
            "year" => assert_eq!(buckets, 12),
            _ => assert!(buckets <= 1, "{trend}"),
        }
    }
}

#[tokio::test]
async fn the_overview_has_the_current_state_of_the_seller() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify", "approve"]).await;
    for (path, body) in [("/products", json!({"change": 7})), ("/reviews", json!({"rating": 4.25}))] {
        seller.admin.post(seller.path(path)).json(body).await.expect_ok();
    }
    // A sale long ago is not in the period; the counters of the seller have it.
    seller.given_sale(json!({"amount": 9, "occurredAt": "2001-01-01T00:00:00Z"})).await;
    let db = app.db().await;
    db.execute("UPDATE sellers SET created_at = now() - interval '100 days'", &[]).await.unwrap();
    app.admin().delete("/admin/cache/module/sellers").await.expect_ok();
    let overview = view(&seller, "overview", "").await;
    let expected = json!({
        "period": "month", "totalProducts": 7, "rating": 4.25, "status": "active", "verificationStatus": "verified",
        "totalSales": 0, "totalRevenue": 0.0, "accountAgeDays": 100,
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&overview[member], value, "{member} of {overview}");
    }
    assert_eq!(view(&seller, "overview", "period=all_time").await["totalSales"], 1);
}
