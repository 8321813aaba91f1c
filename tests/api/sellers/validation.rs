//! Every member at its limits and beyond them. Each refusal names the member, and nothing is written.

use blackbox::{App, Request, complete_seller};
use serde_json::{Map, Value, json};

const PROFILE: [&str; 5] = ["logoUrl", "description", "website", "businessEmail", "businessPhone"];
const BANKING: [&str; 5] = ["bankName", "bankAccountHolder", "bankAccountNumber", "bankRoutingNumber", "paymentMethod"];

fn x(count: usize) -> String {
    "x".repeat(count)
}

/// A URL of exactly this many characters.
fn url(length: usize) -> String {
    let start = "https://example.org/";
    format!("{start}{}", x(length - start.len()))
}

fn phone(length: usize) -> String {
    "+1 (2)-3".chars().cycle().take(length).collect()
}

/// An address of exactly this many characters.
fn email(length: usize) -> String {
    let label = "d".repeat(50);
    let domain = format!("{label}.{label}.{label}.co");
    let rest = length - domain.len() - 1;
    // The local part has at most 64 characters, so the rest makes one more label.
    if rest <= 64 {
        return format!("{}@{domain}", x(rest));
    }
    format!("{}@{}.{domain}", x(40), "e".repeat(rest - 41))
}

/// For each text member: values at the limits that are accepted, and values that are not.
fn texts() -> Vec<(&'static str, Vec<String>, Vec<String>)> {
    let s = String::from;
    let limits = |name, min: usize, max: usize| {
        let good = vec![x(min), x(max), "é".repeat(max), "\u{1F600}".repeat(min.max(2))];
        let mut bad = vec![s(""), x(max + 1), "é".repeat(max + 1)];
        if min > 1 {
            bad.push(x(min - 1));
        }
        (name, good, bad)
    };
    let bad_urls = [
        "",
        "example.org",
        "//example.org",
        "/logo.png",
        "ftp://example.org/",
        "javascript:alert(1)",
        "http://",
        "https:///path",
        "data:text/html,x",
        "http://exa mple.org/",
        "https://",
        "http:",
        "mailto:a@b.co",
        "https://example.org/#\0",
        "https://example.org/#\n",
        "https://example.org/\u{85}",
        "https://example.org/ü",
        "https://ada:secret@example.org/",
        "https://example.org:99999/",
    ];
    let with_urls = |name, max| {
        let good = vec![s("http://e.co"), s("HTTPS://Example.org:8443/a?b=c#d"), url(max)];
        let bad = bad_urls.iter().map(|bad| s(bad)).chain([url(max + 1)]).collect();
        (name, good, bad)
    };
    vec![
        limits("businessName", 2, 255),
        limits("taxId", 5, 100),
        limits("businessAddress", 1, 500),
        limits("businessCity", 1, 100),
        limits("businessState", 1, 100),
        limits("businessCountry", 1, 100),
        limits("businessPostalCode", 1, 20),
        limits("description", 1, 2000),
        limits("bankName", 1, 255),
        limits("bankAccountHolder", 1, 255),
        limits("bankAccountNumber", 1, 255),
        limits("bankRoutingNumber", 1, 50),
        with_urls("logoUrl", 500),
        with_urls("website", 255),
        (
            "businessPhone",
            vec![s("12345"), phone(50), s("+49 (0)30-1234")],
            vec![s(""), s("1234"), phone(51), phone(500), s("12345a"), s("123.456"), s("１２３４５"), s("12345\n")],
        ),
        (
            "businessEmail",
            vec![s("a@b.co"), s("First.Last+tag@Example.org"), email(254)],
            vec![s(""), s("nobody"), s("a@b"), s("a@b.co "), s("é@b.co"), s("a@@b.co"), email(255), s("a b@c.co")],
        ),
        (
            "businessType",
            ["individual", "sole_proprietor", "llc", "corporation", "partnership"].map(s).to_vec(),
            ["", "LLC", "individual ", "company", "sole-proprietor"].map(s).to_vec(),
        ),
        (
            "paymentMethod",
            ["bank_transfer", "paypal", "stripe", "check"].map(s).to_vec(),
            ["", "PayPal", "cash", "bank transfer"].map(s).to_vec(),
        ),
    ]
}

/// Values that no text member accepts.
fn no_texts() -> Vec<Value> {
    let controls = ["a\u{0}bcdef", "abc\u{7}def", "abcdef\u{1b}[31m", "abc\u{7f}def", "abc\u{85}def"];
    let mut values: Vec<Value> = controls.iter().map(|text| json!(text)).collect();
    values.extend([json!(5), json!(true), json!([]), json!(["abcdef"]), json!({}), json!({"a": 1}), json!(1.5)]);
    values
}

fn body(member: &str, value: &Value) -> Value {
    Value::Object(Map::from_iter([(member.to_owned(), value.clone())]))
}

/// A registration with this value of a member.
fn registration(member: &str, value: &Value) -> Value {
    let mut seller = complete_seller("other");
    seller[member] = value.clone();
    seller
}

#[tokio::test]
async fn every_member_is_accepted_at_its_limits_and_refused_beyond_them() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let free = app.with_jwt(app.given_user_id("free").await, &["user"]);
    let routes_of = |member: &str, value: &Value| -> Vec<Request> {
        let mut requests = vec![seller.admin.patch(seller.path("")).json(body(member, value))];
        if PROFILE.contains(&member) {
            requests.push(seller.owner.patch(seller.path("/profile")).json(body(member, value)));
        }
        if BANKING.contains(&member) {
            requests.push(seller.owner.patch(seller.path("/banking")).json(body(member, value)));
        }
        requests
    };
    for (member, good, bad) in texts() {
        for value in good {
            let value = json!(value);
            for request in routes_of(member, &value) {
                let response = request.await;
                assert_eq!(response.expect_ok()[member], value, "{member}");
            }
        }
        let before = seller.show().await;
        let bad = bad.into_iter().map(Value::from).chain(no_texts());
        for value in bad {
            let created = free.post("/sellers").json(registration(member, &value)).await;
            assert_eq!(created.expect_errors(422, "validation"), [format!("/{member}")], "{value}");
            for request in routes_of(member, &value) {
                let response = request.await;
                assert_eq!(response.expect_errors(422, "validation"), [format!("/{member}")], "{value}");
            }
        }
        // Line ends and tabs belong into descriptions only.
        for text in ["abc\ndef", "abc\tdef"] {
            let response = seller.admin.patch(seller.path("")).json(body(member, &json!(text))).await;
            match member {
                "description" => assert_eq!(response.expect_ok()[member], text),
                _ => assert_eq!(response.expect_errors(422, "validation"), [format!("/{member}")], "{text}"),
            }
        }
        if member != "description" {
            assert_eq!(seller.show().await, before, "{member}: nothing was changed");
        }
    }
    free.get("/sellers/me").await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn the_limits_of_a_registration_are_accepted_together() {
    let app = App::spawn().await;
    let owner = app.with_jwt(app.given_user_id("ada").await, &["user"]);
    let mut seller = json!({});
    for (member, good, _) in texts() {
        seller[member] = json!(good[1]);
    }
    let created = owner.post("/sellers").json(&seller).await;
    assert_eq!(created.status(), 201, "{created:?}");
    let found = owner.get("/sellers/me").await.expect_ok();
    for (member, value) in seller.as_object().unwrap() {
        assert_eq!(&found[member], value, "{member}");
    }
}

#[tokio::test]
async fn commission_rates_are_decimals_from_0_to_100() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let free = app.with_jwt(app.given_user_id("free").await, &["admin"]);
    let patch = async |rate: &str| {
        seller.admin.patch(seller.path("")).json_text(format!("{{\"commissionRate\":{rate}}}")).await
    };
    for (given, shown) in [
        ("0", "0.00"),
        ("0.00", "0.00"),
        ("0.01", "0.01"),
        ("7", "7.00"),
        ("12.5", "12.50"),
        ("99.99", "99.99"),
        ("100", "100.00"),
        ("100.00", "100.00"),
        ("1e1", "10.00"),
        ("0.1", "0.10"),
        ("0.29", "0.29"),
    ] {
        let changed = patch(given).await;
        assert_eq!(changed.status(), 200, "{given}: {changed:?}");
        assert!(changed.text().contains(&format!("\"commissionRate\":{shown},")), "{given}: {changed:?}");
    }
    let before = seller.show().await;
    for bad in [
        "-0.01", "-1", "100.01", "101", "1000", "1e3", "1e300", "12.345", "0.001", "99.999", "\"5\"", "true", "[]",
        "{}", "null",
    ] {
        assert_eq!(patch(bad).await.expect_errors(422, "validation"), ["/commissionRate"], "{bad}");
        let text = format!("{{\"businessName\":\"Free\",\"commissionRate\":{bad}}}");
        let created = free.post("/sellers").json_text(text).await;
        assert_eq!(created.expect_errors(422, "validation"), ["/commissionRate"], "{bad}");
    }
    for bad in ["1e999", &"9".repeat(400)] {
        let response = patch(bad).await;
        assert!([400, 422].contains(&response.status()), "{bad}: {response:?}");
    }
    assert_eq!(seller.show().await, before, "nothing was changed");
}

#[tokio::test]
async fn sales_have_limits() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for member in ["productId", "category"] {
        for good in [x(1), x(100), "é".repeat(100), "a b\"c\\d%_'".into()] {
            let sale = seller.given_sale(json!({"amount": 1, member: good})).await;
            assert_eq!(sale[member], good);
        }
        let bad = [json!(""), json!(x(101)), json!("é".repeat(101)), json!(null)];
        for bad in bad.into_iter().chain(no_texts()) {
            let response = seller.sell(json!({"amount": 1, member: bad})).await;
            assert_eq!(response.expect_errors(422, "validation"), [format!("/{member}")], "{bad}");
        }
    }
    for bad in ["usd", "US", "USDX", "U5D", "ÄÖÜ", "", " USD"] {
        let response = seller.sell(json!({"amount": 1, "currency": bad})).await;
        assert_eq!(response.expect_errors(422, "validation"), ["/currency"], "{bad}");
    }
    for unknown in ["id", "sellerId", "refundedAt", "idempotencyKey"] {
        let response = seller.sell(json!({"amount": 1, unknown: 1})).await;
        assert_eq!(response.expect_errors(422, "validation"), [format!("/{unknown}")]);
    }
    assert_eq!(seller.show().await["totalSales"], 8);
}
