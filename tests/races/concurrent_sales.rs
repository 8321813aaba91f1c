//! A thousand sales of 0.10 at the same time, many of them repeated with the same Idempotency-Key: each is recorded
//! once, and the sum is exactly 100.00 wherever it is shown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blackbox::{App, Response, Seller};
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const SALES: usize = 1_000;
/// How many requests are in progress at the same time. They wait for the same row of the database: with many more, the
/// last ones would wait longer than a statement may take on a slow machine.
const AT_ONCE: usize = 24;
/// How long one sale may take while the host is killed.
const BOUND: Duration = Duration::from_secs(300);

/// Ten cents, for one of five products and of two categories.
fn body(sale: usize) -> Value {
    let category = if sale.is_multiple_of(2) { "even" } else { "odd" };
    json!({"amount": 0.1, "productId": format!("p-{}", sale % 5), "category": category})
}

/// Sends each sale one to three times, all of them in random order. Returns the responses for each key.
async fn sell(seller: &Seller, rng: &mut Rng) -> HashMap<usize, Vec<Response>> {
    let mut requests: Vec<usize> = (0..SALES).flat_map(|sale| vec![sale; rng.usize(1..=3)]).collect();
    rng.shuffle(&mut requests);
    println!("{} requests for {SALES} sales", requests.len());
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut clients = JoinSet::new();
    for sale in requests {
        let permit = permits.clone().acquire_owned().await.unwrap();
        let seller = seller.clone();
        clients.spawn(async move {
            let _permit = permit;
            let (response, lost) = sell_until_acknowledged(&seller, sale).await;
            assert_eq!(lost, 0, "the host runs");
            (sale, response)
        });
    }
    let mut responses: HashMap<usize, Vec<Response>> = HashMap::new();
    for (sale, response) in clients.join_all().await {
        responses.entry(sale).or_default().push(response);
    }
    responses
}

fn expect_in(response: &Response, parts: &[&str]) {
    for part in parts {
        assert!(response.text().contains(part), "{part} is not in {response:?}");
    }
}

/// The totals of the seller and of all four analytics, as text: no double is involved.
async fn expect_a_hundred(seller: &Seller) {
    let count = format!("\"totalSales\":{SALES},");
    for path in ["", "/analytics/overview?period=day", "/analytics/overview?period=all_time"] {
        let seen = seller.owner.get(seller.path(path)).await;
        expect_in(&seen, &[&count, "\"totalRevenue\":100.00,"]);
    }
    for period in ["day", "week", "month", "year", "all_time"] {
        let read = async |view: &str| {
            let response = seller.owner.get(seller.path(&format!("/analytics/{view}?period={period}"))).await;
            response.expect_ok();
            response
        };
        let revenue = read("revenue").await;
        expect_in(&revenue, &["\"totalRevenue\":100.00,", "\"averageOrderValue\":0.10,", "\"refundedAmount\":0.00"]);
        let categories = revenue.json()["byCategory"].as_array().unwrap().clone();
        assert_eq!(categories.len(), 2, "{revenue:?}");
        assert_eq!(revenue.text().matches("\"revenue\":50.00").count(), 2, "{revenue:?}");
        let products = read("products").await;
        assert_eq!(products.text().matches("\"revenue\":20.00").count(), 5, "{products:?}");
        let trend = read("sales-trend").await.json();
        let (mut sales, mut cents) = (0, 0);
        // The requests may have come in two hours, days, months or years.
        for bucket in trend.as_array().unwrap() {
            sales += bucket["sales"].as_u64().unwrap();
            cents += (bucket["revenue"].as_f64().unwrap() * 100.0).round() as u64;
        }
        assert_eq!((sales, cents), (SALES as u64, 10_000), "{period}: {trend}");
    }
}

#[tokio::test]
async fn a_thousand_concurrent_sales_of_ten_cents_are_exactly_a_hundred() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let responses = sell(&seller, &mut Rng::with_seed(seed)).await;

    // Each key has one sale, whatever number of requests it came with.
    let mut ids = Vec::new();
    for (sale, responses) in &responses {
        for response in responses {
            assert_eq!((response.status(), response.text()), (201, responses[0].text()), "sale {sale}");
        }
        ids.push(responses[0].json()["id"].as_i64().unwrap());
    }
    assert!(responses.values().any(|responses| responses.len() == 3), "no key was sent three times");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((responses.len(), ids.len()), (SALES, SALES));
    expect_a_hundred(&seller).await;
    let found: Value = seller.show().await;
    assert_eq!(found["version"], 1 + SALES, "a repetition changes nothing");
}

/// Repeats a sale with its key until it is acknowledged. Returns the response, and how many requests got none.
async fn sell_until_acknowledged(seller: &Seller, sale: usize) -> (Response, usize) {
    let start = Instant::now();
    let mut lost = 0;
    while start.elapsed() < BOUND {
        let request = seller.admin.post(seller.path("/sales")).header("idempotency-key", format!("sale-{sale}"));
        match request.json(body(sale)).send().await {
            Ok(response) if response.status() == 201 => return (response, lost),
            // The new host may have no connection to PostgreSQL yet, or PostgreSQL takes too long.
            Ok(response) => response.expect_unavailable(),
            Err(_) => lost += 1,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("sale {sale} was not acknowledged within {BOUND:?}");
}

/// As above, while the host is killed again and again: who gets no response repeats the sale with its key.
#[tokio::test]
async fn sales_that_are_repeated_after_a_crash_are_recorded_once() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut clients = JoinSet::new();
    for sale in 0..SALES {
        let (seller, permits) = (seller.clone(), permits.clone());
        clients.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            sell_until_acknowledged(&seller, sale).await.1
        });
    }
    let mut rng = Rng::with_seed(seed);
    let (mut done, mut lost) = (0, 0);
    // Six kills, spread over the sales.
    for kill in 1..=6 {
        while done < SALES * kill / 7 {
            lost += clients.join_next().await.unwrap().unwrap();
            done += 1;
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(..20))).await;
        app.restart_host().await;
    }
    lost += clients.join_all().await.into_iter().sum::<usize>();
    println!("{lost} requests without a response");
    assert!(lost > 0, "no client noticed that the host was killed");
    expect_a_hundred(&seller).await;
    let rows = "SELECT count(*) FROM seller_sales WHERE seller_id = $1";
    let rows = app.db().await.query_one(rows, &[&seller.id]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), SALES as i64);
}
