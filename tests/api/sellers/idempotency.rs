//! Idempotency-Key of POST /sellers/:id/sales.

use blackbox::{App, Response, Seller};
use serde_json::{Value, json};

use super::sales::totals;

async fn send(seller: &Seller, key: &str, body: &Value) -> Response {
    seller.admin.post(seller.path("/sales")).header("idempotency-key", key).json(body).await
}

#[tokio::test]
async fn a_repeated_sale_gets_the_same_response_and_is_recorded_once() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let body = json!({"amount": 2.5, "productId": "p"});
    let longest = "k".repeat(255);
    for (count, key) in (1..).zip(["order-1", "8e03978e-40d5-43dd-bc93-6894a57f9324", "!#$%&'*+/=?{|}~", &longest]) {
        let first = send(&seller, key, &body).await;
        assert_eq!(first.status(), 201, "{first:?}");
        let version = seller.show().await["version"].clone();
        for same in [key.to_owned(), format!("\"{key}\""), key.to_owned()] {
            if same.len() > 255 {
                continue;
            }
            let again = send(&seller, &same, &body).await;
            assert_eq!((again.status(), again.text()), (201, first.text()), "{same}");
        }
        assert_eq!(totals(&seller).await, (count, count * 2_50));
        assert_eq!(seller.show().await["version"], version, "a repetition changes nothing");
    }
    // Without a key, equal sales are different sales.
    seller.given_sale(body.clone()).await;
    seller.given_sale(body).await;
    assert_eq!(totals(&seller).await, (6, 15_00));
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let body = json!({"amount": 2.5, "currency": "USD", "productId": "p", "occurredAt": "2024-01-01T00:00:00Z"});
    let first = send(&seller, "order-1", &body).await;
    assert_eq!(first.status(), 201, "{first:?}");
    let others = [
        json!({"amount": 2.51}),
        json!({"currency": "EUR"}),
        json!({"productId": "q"}),
        json!({"category": "c"}),
        json!({"occurredAt": "2024-01-01T00:00:00.001Z"}),
    ];
    for other in others {
        let mut changed = body.clone();
        changed.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        send(&seller, "order-1", &changed).await.expect_problem(422, "idempotency-key-reused");
    }
    let again = send(&seller, "order-1", &body).await;
    assert_eq!((again.status(), again.text()), (201, first.text()));
    assert_eq!(totals(&seller).await, (1, 2_50));
    // Case matters.
    assert_ne!(send(&seller, "ORDER-1", &body).await.text(), first.text());
}

#[tokio::test]
async fn keys_of_different_sellers_are_different() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_seller("ada").await, app.given_seller("bob").await);
    let one = send(&ada, "order-1", &json!({"amount": 1})).await;
    let other = send(&bob, "order-1", &json!({"amount": 2})).await;
    assert_eq!((one.status(), other.status()), (201, 201));
    assert_eq!((totals(&ada).await, totals(&bob).await), ((1, 1_00), (1, 2_00)));
}

#[tokio::test]
async fn a_refused_sale_does_not_use_its_key() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given_sale(json!({"amount": 1, "currency": "USD"})).await;
    send(&seller, "order-1", &json!({"amount": -1})).await.expect_problem(422, "validation");
    send(&seller, "order-1", &json!({"amount": 1, "currency": "EUR"})).await.expect_problem(409, "conflict");
    assert_eq!(send(&seller, "order-1", &json!({"amount": 1})).await.status(), 201);
    assert_eq!(totals(&seller).await, (2, 2_00));
}

#[tokio::test]
async fn an_invalid_key_is_refused() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for bad in ["", "\"\"", "two words", "tab\there", &"k".repeat(256), "\"open", "a\"b"] {
        let response = send(&seller, bad, &json!({"amount": 1})).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), ["idempotency-key"], "{bad}");
    }
    let twice = seller.admin.post(seller.path("/sales")).header("idempotency-key", "a");
    let response = twice.header("idempotency-key", "b").json(json!({"amount": 1})).await;
    assert_eq!(response.expect_errors(400, "invalid-parameter"), ["idempotency-key"]);
    assert_eq!(totals(&seller).await, (0, 0));
}

#[tokio::test]
async fn concurrent_repetitions_are_recorded_once() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let mut total: i64 = 0;
    for round in 1..=6 {
        let body = json!({"amount": round});
        let key = format!("round-{round}");
        let requests: Vec<_> = (0..8)
            .map(|_| {
                let (seller, key, body) = (seller.clone(), key.clone(), body.clone());
                tokio::spawn(async move { send(&seller, &key, &body).await })
            })
            .collect();
        let mut bodies = Vec::new();
        for request in requests {
            let response = request.await.unwrap();
            assert_eq!(response.status(), 201, "{response:?}");
            bodies.push(response.text().to_owned());
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        total += round * 100;
        assert_eq!(totals(&seller).await, (round, total));
    }
}

#[tokio::test]
async fn a_sale_that_is_repeated_after_its_refund_gets_the_response_of_the_sale() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let body = json!({"amount": 2.5});
    let first = send(&seller, "order-1", &body).await;
    assert_eq!(seller.refund(&first.json()).await.status(), 200);
    let again = send(&seller, "order-1", &body).await;
    assert_eq!((again.status(), again.text()), (201, first.text()));
    assert_eq!(totals(&seller).await, (0, 0), "the refund stays");
}
