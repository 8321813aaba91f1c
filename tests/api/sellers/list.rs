//! GET /sellers: filters, orders and pages.

use blackbox::{App, Response, Seller};
use serde_json::{Value, json};

use super::{expect_two_decimals, ids};

/// The target of `Link: <…>; rel="next"`.
pub fn next(response: &Response) -> Option<String> {
    let link = response.header("link");
    let target = link.strip_suffix(">; rel=\"next\"").and_then(|link| link.strip_prefix('<'));
    assert_eq!(target.is_none(), link.is_empty(), "{link}");
    target.map(str::to_owned)
}

/// Follows the links from `path`, as the administrator. Each page must have this total. Returns the ids of each page.
pub async fn pages(app: &App, path: &str, total: usize) -> Vec<Vec<i64>> {
    let admin = app.as_admin();
    let mut pages = Vec::new();
    let mut path = Some(path.to_owned());
    while let Some(target) = path {
        let page = admin.get(&target).await;
        assert_eq!(page.expect_ok()["total"], total, "{target}");
        expect_two_decimals(page.text());
        pages.push(ids(&page.json()));
        path = next(&page);
    }
    pages
}

/// The ids on the first page of this query.
pub async fn found(app: &App, query: &str) -> Vec<i64> {
    let page = app.as_admin().get(format!("/sellers?{query}")).await.expect_ok();
    let ids = ids(&page);
    assert_eq!(page["total"], ids.len(), "{query}");
    ids
}

/// Registers a seller for each of these bodies.
pub async fn given_sellers(app: &App, bodies: impl IntoIterator<Item = Value>) -> Vec<Seller> {
    let bodies: Vec<Value> = bodies.into_iter().collect();
    let user = |n| json!({"name": format!("User {n}"), "email": format!("u{n}@example.org")});
    let users = app.post("/users/batch").json((0..bodies.len()).map(user).collect::<Value>()).await.json();
    let mut sellers = Vec::new();
    for (body, user) in bodies.into_iter().zip(users.as_array().unwrap()) {
        let user_id = user["id"].as_i64().unwrap();
        let owner = app.with_jwt(user_id, &["user"]);
        let created = owner.post("/sellers").json(&body).await;
        assert_eq!(created.status(), 201, "{created:?}");
        sellers.push(Seller { id: created.json()["id"].as_i64().unwrap(), user_id, owner, admin: app.as_admin() });
    }
    sellers
}

pub fn names(count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(|n| json!({"businessName": format!("Business {n:02}")}))
}

#[tokio::test]
async fn an_empty_list_has_no_sellers() {
    let app = App::spawn().await;
    for path in ["/sellers", "/sellers?status=active", "/sellers?search=x&minRating=5", "/sellers?include=user"] {
        let response = app.as_admin().get(path).await;
        assert_eq!(response.expect_ok(), json!({"sellers": [], "total": 0}), "{path}");
        assert_eq!(next(&response), None);
    }
}

#[tokio::test]
async fn links_lead_through_all_sellers_the_newest_first() {
    let app = App::spawn().await;
    let sellers = given_sellers(&app, names(23)).await;
    let newest_first: Vec<i64> = sellers.iter().rev().map(|seller| seller.id).collect();
    assert_eq!(pages(&app, "/sellers", 23).await, newest_first.chunks(10).collect::<Vec<_>>(), "10 by default");
    assert_eq!(pages(&app, "/sellers?limit=8", 23).await, newest_first.chunks(8).collect::<Vec<_>>());
    assert_eq!(pages(&app, "/sellers?limit=23", 23).await, [&newest_first[..]]);
    assert_eq!(pages(&app, "/sellers?limit=100", 23).await.concat(), newest_first);
    let from_seventh = pages(&app, "/sellers?limit=9&offset=7&sortOrder=desc", 23).await;
    assert_eq!(from_seventh, newest_first[7..].chunks(9).collect::<Vec<_>>());
    let beyond = app.as_admin().get("/sellers?offset=23").await;
    assert_eq!((beyond.expect_ok(), next(&beyond)), (json!({"sellers": [], "total": 23}), None));
    assert_eq!(app.as_admin().get("/sellers?offset=1000000000").await.expect_ok()["total"], 23);
}

#[tokio::test]
async fn a_page_has_at_most_one_mebibyte() {
    const PAGE_MAX_BYTES: usize = 1024 * 1024;
    let app = App::spawn().await;
    let sql = "INSERT INTO sellers (user_id, business_name, business_address, description, verification_status, \
               verification_requested_at) SELECT n, 'Business ' || n, repeat(U&'\\+010348', 500), \
               repeat(U&'\\+010348', 2000), 'pending', now() FROM generate_series(1, 150) n RETURNING id";
    let rows = app.db().await.query(sql, &[]).await.expect("sellers are inserted");
    let mut all: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    all.sort_unstable();
    for (path, first) in [
        ("/sellers?limit=100&sortOrder=asc", 0),
        ("/sellers/pending-verification?include=user&limit=100", 0),
        ("/sellers?limit=100&sortOrder=asc&offset=7", 7),
    ] {
        let page = app.as_admin().get(path).await;
        let shown = ids(&page.expect_ok()).len();
        assert!(page.text().len() <= PAGE_MAX_BYTES && (90..100).contains(&shown), "{shown} in {path}");
        assert!(next(&page).unwrap().contains(&format!("offset={}", first + shown)), "{page:?}");
        assert_eq!(pages(&app, path, all.len()).await.concat(), all[first..], "{path}");
    }
    assert_eq!(pages(&app, "/sellers?limit=50&sortOrder=asc", all.len()).await.concat(), all);
}

#[tokio::test]
async fn a_page_shows_the_sellers_as_their_owners_see_them() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given_sale(json!({"amount": 0.5})).await;
    let mut expected = seller.show().await;
    expected["bankAccountNumber"] = json!("****6789");
    assert_eq!(seller.admin.get("/sellers").await.expect_ok(), json!({"sellers": [expected], "total": 1}));
}

#[tokio::test]
async fn each_order_is_total_and_the_other_order_is_its_reverse() {
    let app = App::spawn().await;
    // Pairs of equal values in every column, so that only a further column makes an order.
    let sellers = given_sellers(&app, (0..8).map(|n| json!({"businessName": format!("Name {}", n / 2)}))).await;
    for (n, seller) in sellers.iter().enumerate() {
        let worth = [3, 1, 2, 0][n / 2];
        for _ in 0..worth {
            seller.given_sale(json!({"amount": 12 - worth * worth})).await;
        }
        let rating = json!({"rating": 1.5 + f64::from(worth)});
        assert_eq!(seller.admin.post(seller.path("/reviews")).json(rating).await.status(), 200);
    }
    for (sort, member) in [
        ("createdAt", "createdAt"),
        ("businessName", "businessName"),
        ("rating", "rating"),
        ("totalSales", "totalSales"),
        ("totalRevenue", "totalRevenue"),
    ] {
        let ascending = format!("/sellers?sortBy={sort}&sortOrder=asc");
        let page = app.as_admin().get(&ascending).await.expect_ok();
        let values: Vec<&Value> = page["sellers"].as_array().unwrap().iter().map(|seller| &seller[member]).collect();
        let sorted = values.is_sorted_by(|one, next| match (one.as_f64(), next.as_f64()) {
            (Some(one), Some(next)) => one <= next,
            _ => one.as_str() <= next.as_str(),
        });
        assert!(sorted && values[0] != values[7], "{sort}: {values:?}");
        let mut order = ids(&page);
        // Pages of odd size cut through the ties, and repeat and leave out nothing.
        let cut = pages(&app, &format!("{ascending}&limit=3"), 8).await;
        assert_eq!(cut.concat(), order, "{sort}");
        order.reverse();
        for descending in ["&sortOrder=desc", ""] {
            let cut = pages(&app, &format!("/sellers?sortBy={sort}{descending}&limit=3"), 8).await;
            assert_eq!(cut.concat(), order, "{sort}{descending}");
        }
    }
}

#[tokio::test]
async fn each_state_finds_its_sellers() {
    let app = App::spawn().await;
    let histories: [(&[&str], &str, &str); 7] = [
        (&[], "pending", "unverified"),
        (&["verify"], "pending", "pending"),
        (&["verify", "approve"], "active", "verified"),
        (&["verify", "reject"], "rejected", "rejected"),
        (&["suspend"], "suspended", "unverified"),
        (&["verify", "approve", "suspend"], "suspended", "verified"),
        (&["verify", "reject", "suspend"], "suspended", "rejected"),
    ];
    let mut sellers = Vec::new();
    for (number, (actions, ..)) in histories.iter().enumerate() {
        let seller = app.given_seller(&format!("s{number}")).await;
        seller.given(actions).await;
        sellers.push(seller.id);
    }
    let expected = |is_so: &dyn Fn(&str, &str) -> bool| {
        let found = histories.iter().zip(&sellers).filter(|((_, status, verification), _)| is_so(status, verification));
        found.map(|(_, id)| *id).rev().collect::<Vec<_>>()
    };
    for status in ["pending", "active", "rejected", "suspended"] {
        let with_status = expected(&|found, _| found == status);
        assert_eq!(found(&app, &format!("status={status}")).await, with_status, "{status}");
        for verification in ["unverified", "pending", "verified", "rejected"] {
            let query = format!("verificationStatus={verification}");
            assert_eq!(found(&app, &query).await, expected(&|_, found| found == verification), "{query}");
            let both = expected(&|one, other| (one, other) == (status, verification));
            assert_eq!(found(&app, &format!("{query}&status={status}")).await, both, "{query}, {status}");
        }
    }
}

#[tokio::test]
async fn min_rating_finds_this_rating_and_better_ones() {
    let app = App::spawn().await;
    let sellers = given_sellers(&app, names(4)).await;
    // Without a review: 0.00. Then 3.33 from three reviews, 4.00, 5.00.
    for (seller, ratings) in sellers[1..].iter().zip([&["3", "3", "4"][..], &["4"], &["5.00"]]) {
        for rating in ratings {
            let review = seller.admin.post(seller.path("/reviews")).json_text(format!("{{\"rating\":{rating}}}")).await;
            assert_eq!(review.status(), 200, "{review:?}");
        }
    }
    for (least, count) in
        [("0", 4), ("0.01", 3), ("3.33", 3), ("3.34", 2), ("4", 2), ("4.0", 2), ("4.00", 2), ("4.01", 1), ("5", 1)]
    {
        let better: Vec<i64> = sellers[4 - count..].iter().rev().map(|seller| seller.id).collect();
        assert_eq!(found(&app, &format!("minRating={least}")).await, better, "{least}");
    }
}

#[tokio::test]
async fn filters_search_order_and_pages_work_together() {
    let app = App::spawn().await;
    let sellers = given_sellers(&app, names(12)).await;
    for seller in &sellers[..9] {
        seller.given(&["suspend"]).await;
    }
    for seller in &sellers[3..] {
        assert_eq!(seller.admin.post(seller.path("/reviews")).json(json!({"rating": 5})).await.status(), 200);
    }
    let query = "/sellers?status=suspended&verificationStatus=unverified&minRating=4.5&search=business%200\
                 &sortBy=businessName&sortOrder=asc&limit=4";
    let expected: Vec<i64> = sellers[3..9].iter().map(|seller| seller.id).collect();
    assert_eq!(pages(&app, query, 6).await, expected.chunks(4).collect::<Vec<_>>(), "the links keep everything");
}
