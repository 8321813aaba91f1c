//! POST /sellers/:id/sales and /sellers/:id/sales/:saleId/refund.

use blackbox::{App, Response, Seller};
use serde_json::{Value, json};

use super::{cents, expect_two_decimals, is_utc_with_milliseconds};

/// Records a sale with this amount, written exactly so.
async fn sell_text(seller: &Seller, amount: &str) -> Response {
    seller.admin.post(seller.path("/sales")).json_text(format!("{{\"amount\":{amount}}}")).await
}

/// The counters of the seller: sales, and revenue in hundredths.
pub async fn totals(seller: &Seller) -> (i64, i64) {
    let seller = seller.owner.get(seller.path("")).await;
    expect_two_decimals(seller.text());
    let seller = seller.expect_ok();
    (seller["totalSales"].as_i64().unwrap(), cents(&seller["totalRevenue"]))
}

#[tokio::test]
async fn a_sale_is_recorded_and_counted() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let sale = json!({
        "amount": 12.5, "currency": "EUR", "productId": "p-1", "category": "Wool & more",
        "occurredAt": "2024-02-29T23:59:59.123Z",
    });
    let created = seller.sell(sale.clone()).await;
    assert_eq!(created.status(), 201, "{created:?}");
    let recorded = created.json();
    assert!(recorded["id"].as_i64().is_some_and(|id| id > 0), "{recorded}");
    assert_eq!(recorded["sellerId"], seller.id);
    for (member, value) in sale.as_object().unwrap() {
        assert_eq!(&recorded[member], value, "{member}");
    }
    assert_eq!(recorded.get("refundedAt"), Some(&Value::Null));
    assert!(created.text().contains("\"amount\":12.50"), "{created:?}");
    assert_eq!(totals(&seller).await, (1, 12_50));
    assert_eq!(seller.show().await["currency"], "EUR");

    let second = seller.sell(json!({"amount": 7})).await;
    assert_eq!(second.status(), 201, "{second:?}");
    let second = second.json();
    assert!(second["id"].as_i64() > recorded["id"].as_i64());
    assert_eq!(second["currency"], "EUR", "the currency of the seller");
    assert_eq!((&second["productId"], &second["category"]), (&Value::Null, &Value::Null));
    assert!(is_utc_with_milliseconds(&second["occurredAt"]), "{second}");
    assert_eq!(totals(&seller).await, (2, 19_50));
}

#[tokio::test]
async fn amounts_are_exact_decimals() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let mut total: i64 = 0;
    for (count, (given, recorded, amount)) in (1..).zip([
        ("0.10", "0.10", 10),
        ("0.1", "0.10", 10),
        ("0.2", "0.20", 20),
        ("0.01", "0.01", 1),
        ("1e2", "100.00", 10_000),
        ("5", "5.00", 5_00),
        ("1.1", "1.10", 1_10),
        ("2.2", "2.20", 2_20),
        ("4.35", "4.35", 4_35),
        ("1.005e3", "1005.00", 100_500),
        ("123456789.99", "123456789.99", 12_345_678_999),
        ("999999999999.99", "999999999999.99", 99_999_999_999_999),
    ]) {
        let created = sell_text(&seller, given).await;
        assert_eq!(created.status(), 201, "{given}: {created:?}");
        assert!(created.text().contains(&format!("\"amount\":{recorded},")), "{given}: {created:?}");
        total += amount;
        let whole = seller.owner.get(seller.path("")).await;
        let expected = format!("\"totalRevenue\":{}.{:02},", total / 100, total % 100);
        assert!(whole.text().contains(&expected), "{given}: {expected} is not in {whole:?}");
        assert_eq!(whole.json()["totalSales"], count);
    }
}

#[tokio::test]
async fn invalid_amounts_are_refused_and_named() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for bad in [
        "0",
        "0.00",
        "-0",
        "-1",
        "-0.01",
        "0.001",
        "0.005",
        "1.234",
        "1e-3",
        "1000000000000",
        "1e12",
        "1e308",
        "999999999999.999",
        "12345678901234567890",
        "0.0000000000000000000000000001",
        "\"12.50\"",
        "null",
        "true",
        "[1]",
        "{}",
    ] {
        let response = sell_text(&seller, bad).await;
        assert_eq!(response.expect_errors(422, "validation"), ["/amount"], "{bad}");
    }
    for bad in ["1e999", "1e99999999999", &"9".repeat(400), &format!("0.{}1", "0".repeat(400))] {
        let response = sell_text(&seller, bad).await;
        assert!([400, 422].contains(&response.status()), "{bad}: {response:?}");
    }
    for bad in ["NaN", "Infinity", ".5", "5.", "+1", "01", "0x10", "1_000"] {
        sell_text(&seller, bad).await.expect_problem(400, "malformed-json");
    }
    let missing = seller.sell(json!({"currency": "EUR"})).await;
    assert_eq!(missing.expect_errors(422, "validation"), ["/amount"]);
    assert_eq!(totals(&seller).await, (0, 0));
    assert_eq!(seller.show().await["version"], 1, "nothing was written");
}

#[tokio::test]
async fn all_sales_of_a_seller_have_the_currency_of_the_first() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_seller("ada").await, app.given_seller("bob").await);
    assert_eq!(ada.show().await["currency"], Value::Null);
    assert_eq!(ada.given_sale(json!({"amount": 1})).await["currency"], "USD");
    assert_eq!(ada.show().await["currency"], "USD");
    ada.sell(json!({"amount": 1, "currency": "EUR"})).await.expect_problem(409, "conflict");
    assert_eq!(ada.given_sale(json!({"amount": 1, "currency": "USD"})).await["currency"], "USD");
    assert_eq!(bob.given_sale(json!({"amount": 1, "currency": "JPY"})).await["currency"], "JPY");
    bob.sell(json!({"amount": 1, "currency": "USD"})).await.expect_problem(409, "conflict");
    assert_eq!((totals(&ada).await, totals(&bob).await), ((2, 2_00), (1, 1_00)));
    assert_eq!(ada.show().await["version"], 3, "what is refused changes nothing");
}

/// The first sales arrive at the same time in two currencies: only those of one currency are recorded.
#[tokio::test]
async fn concurrent_first_sales_agree_on_one_currency() {
    let app = App::spawn().await;
    for round in 0..8 {
        let seller = app.given_seller(&format!("s{round}")).await;
        let sales = (0..8).map(|n| {
            let currency = ["EUR", "USD"][n % 2];
            let request = seller.admin.post(seller.path("/sales")).json(json!({"amount": 1, "currency": currency}));
            tokio::spawn(async move { (currency, request.await) })
        });
        let mut recorded = Vec::new();
        for sale in sales.collect::<Vec<_>>() {
            let (currency, response) = sale.await.unwrap();
            match response.status() {
                201 => recorded.push(currency),
                _ => drop(response.expect_problem(409, "conflict")),
            }
        }
        let found = seller.show().await;
        assert_eq!(recorded.len(), 4, "all of one currency: {recorded:?}");
        assert!(recorded.iter().all(|currency| found["currency"] == **currency), "{recorded:?} {found}");
        assert_eq!(totals(&seller).await, (4, 4_00));
    }
}

#[tokio::test]
async fn a_refund_reduces_the_counters_once() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let first = seller.given_sale(json!({"amount": 10.01})).await;
    let second = seller.given_sale(json!({"amount": 5})).await;
    assert_eq!(totals(&seller).await, (2, 15_01));
    let refunded = seller.refund(&first).await;
    let mut expected = first.clone();
    expected["refundedAt"] = refunded.expect_ok()["refundedAt"].clone();
    assert!(is_utc_with_milliseconds(&expected["refundedAt"]));
    assert_eq!(refunded.json(), expected);
    expect_two_decimals(refunded.text());
    assert_eq!(totals(&seller).await, (1, 5_00));
    for _ in 0..2 {
        seller.refund(&first).await.expect_problem(409, "conflict");
    }
    assert_eq!(totals(&seller).await, (1, 5_00));
    assert_eq!(seller.show().await["version"], 4);
    assert_eq!(seller.refund(&second).await.status(), 200);
    assert_eq!(totals(&seller).await, (0, 0));
}

#[tokio::test]
async fn one_of_many_concurrent_refunds_succeeds() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given_sale(json!({"amount": 3})).await;
    let sale = seller.given_sale(json!({"amount": 4})).await;
    let refunds = (0..12).map(|_| {
        let (seller, sale) = (seller.clone(), sale.clone());
        tokio::spawn(async move { seller.refund(&sale).await.status() })
    });
    let mut statuses = Vec::new();
    for refund in refunds.collect::<Vec<_>>() {
        statuses.push(refund.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (200, &[409; 11][..]));
    assert_eq!(totals(&seller).await, (1, 3_00));
}

#[tokio::test]
async fn a_sale_of_another_seller_is_not_found() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_seller("ada").await, app.given_seller("bob").await);
    let sale = ada.given_sale(json!({"amount": 3})).await;
    bob.refund(&sale).await.expect_problem(404, "not-found");
    ada.refund(&json!({"id": sale["id"].as_i64().unwrap() + 1})).await.expect_problem(404, "not-found");
    ada.refund(&json!({"id": i64::MAX})).await.expect_problem(404, "not-found");
    assert_eq!(totals(&ada).await, (1, 3_00));
    for id in ["0", "-1", "abc", "1.5", "9223372036854775808"] {
        let response = ada.admin.post(ada.path(&format!("/sales/{id}/refund"))).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), ["saleId"], "{id}");
    }
    let missing = ada.admin.post(format!("/sellers/{}/sales", bob.id + 1)).json(json!({"amount": 1})).await;
    missing.expect_problem(404, "not-found");
}

#[tokio::test]
async fn times_are_read_with_their_offset_and_have_limits() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for (given, recorded) in [
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00.000Z"),
        ("2024-05-01T00:30:00+02:00", "2024-04-30T22:30:00.000Z"),
        ("2024-05-01T00:30:00.25-05:30", "2024-05-01T06:00:00.250Z"),
    ] {
        let sale = seller.given_sale(json!({"amount": 1, "occurredAt": given})).await;
        assert_eq!(sale["occurredAt"], recorded, "{given}");
    }
    let in_an_hour = chrono::DateTime::from(std::time::SystemTime::now()) + chrono::TimeDelta::hours(1);
    let in_an_hour: chrono::DateTime<chrono::Utc> = in_an_hour;
    for bad in [
        json!("1999-12-31T23:59:59.999Z"),
        json!("2000-01-01T00:30:00+01:00"),
        json!(in_an_hour.to_rfc3339()),
        json!("9999-12-31T23:59:59Z"),
        json!("2023-02-29T00:00:00Z"),
        json!("2024-02-29"),
        json!("2024-02-29T00:00:00"),
        json!("2024-02-29T24:00:01Z"),
        json!("yesterday"),
        json!(""),
        json!(1_700_000_000),
        json!(null),
    ] {
        let response = seller.sell(json!({"amount": 1, "occurredAt": bad})).await;
        assert_eq!(response.expect_errors(422, "validation"), ["/occurredAt"], "{bad}");
    }
    assert_eq!(totals(&seller).await, (3, 3_00));
}
