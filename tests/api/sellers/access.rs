//! Who may do what: every route with every kind of token. The expectations are generated from [`super::routes`].

use blackbox::{ADMIN_ID, ADMIN_TOKEN, Api, App, Response, Seller, complete_seller, jwt};
use reqwest::Method;
use serde_json::{Value, json};

use super::routes::{Who, route, routes};

/// A valid token, and what it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    OtherUser,
    OtherSeller,
    UserWithLookalikeRoles,
    Owner,
    OwnerWithoutRoles,
    Admin,
    SuperAdmin,
    OwnerAndAdmin,
}

const ROLES: [Role; 8] = [
    Role::OtherUser,
    Role::OtherSeller,
    Role::UserWithLookalikeRoles,
    Role::Owner,
    Role::OwnerWithoutRoles,
    Role::Admin,
    Role::SuperAdmin,
    Role::OwnerAndAdmin,
];

impl Role {
    fn may(self, who: Who) -> bool {
        let owner = matches!(self, Self::Owner | Self::OwnerWithoutRoles | Self::OwnerAndAdmin);
        let admin = matches!(self, Self::Admin | Self::SuperAdmin | Self::OwnerAndAdmin);
        match who {
            Who::AnyUser => true,
            Who::Owner => owner,
            Who::OwnerAndAdmin => owner || admin,
            Who::Admin => admin,
        }
    }

    fn client(self, app: &App, seller: &Seller, strangers: &Strangers) -> Api {
        match self {
            Self::OtherUser => app.with_jwt(strangers.user, &["user"]),
            Self::OtherSeller => app.with_jwt(strangers.seller, &["user", "seller"]),
            Self::UserWithLookalikeRoles => {
                app.with_jwt(strangers.user, &["Admin", "ADMIN", "admin ", "superadmin", "admin,user", "owner", ""])
            }
            Self::Owner => app.with_jwt(seller.user_id, &["user"]),
            Self::OwnerWithoutRoles => app.with_jwt(seller.user_id, &[]),
            Self::Admin => app.with_jwt(ADMIN_ID, &["user", "admin"]),
            Self::SuperAdmin => app.with_jwt(ADMIN_ID, &["super_admin"]),
            Self::OwnerAndAdmin => app.with_jwt(seller.user_id, &["admin"]),
        }
    }
}

/// Users who have nothing to do with a seller.
struct Strangers {
    user: i64,
    seller: i64,
}

/// Everything that a refused request could have changed.
async fn everything(seller: &Seller) -> (Value, Value, Value) {
    let history = seller.admin.get(seller.path("/history")).await.expect_ok();
    (seller.show().await, history, seller.admin.get("/sellers?limit=1").await.expect_ok()["total"].clone())
}

fn expect_unauthorized(response: &Response, what: &str) {
    if response.text().is_empty() {
        assert_eq!(response.status(), 401, "{what}: {response:?}");
    } else {
        response.expect_problem(401, "unauthorized");
    }
    assert!(response.header("www-authenticate").starts_with("Bearer realm="), "{what}: {response:?}");
}

#[tokio::test]
async fn every_route_with_every_role_is_allowed_or_refused_as_the_table_says() {
    let app = App::spawn().await;
    let strangers =
        Strangers { user: app.given_user_id("stranger").await, seller: app.given_seller("rival").await.user_id };
    for (number, route) in routes().iter().enumerate() {
        let mut seller: Option<(Seller, Value)> = None;
        for (position, role) in ROLES.into_iter().enumerate() {
            let name = format!("s{number}-{position}");
            if route.path.is_empty() && route.method == Method::POST {
                // A registration: each caller is a new user.
                let user = app.given_user_id(&name).await;
                let response = app.with_jwt(user, &["user"]).post("/sellers").json(route.body.as_ref().unwrap()).await;
                assert_eq!(response.status(), route.success, "{response:?}");
                continue;
            }
            if seller.is_none() {
                let new = app.given_seller(&name).await;
                // A sale, but not where it would forbid the success.
                let sale = match route.path.contains("SALE") {
                    true => new.given_sale(json!({"amount": 1})).await,
                    false => Value::Null,
                };
                new.given(route.before).await;
                seller = Some((new, sale));
            }
            let (current, sale) = seller.as_ref().unwrap();
            let what = format!("{role:?}: {} {}", route.method, route.path);
            let client = role.client(&app, current, &strangers);
            if role.may(route.who) {
                let response = route.send(&client, current, sale).await;
                assert_eq!(response.status(), route.success, "{what}: {response:?}");
                // The state may be another one now.
                seller = None;
                continue;
            }
            let before = everything(current).await;
            let response = route.send(&client, current, sale).await;
            response.expect_problem(403, "forbidden");
            assert_eq!(everything(current).await, before, "{what} has changed something");
        }
    }
}

#[tokio::test]
async fn every_route_needs_a_valid_token() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let sale = seller.given_sale(json!({"amount": 1})).await;
    let mut routes = routes();
    routes.push(route(Method::GET, "/me", Who::AnyUser));
    routes.push(route(Method::HEAD, "/ID", Who::AnyUser));
    let before = everything(&seller).await;
    for authorization in bad_authorizations(seller.user_id) {
        for route in &routes {
            let mut request = app.request(route.method.clone(), route.target(&seller, &sale));
            if let Some(body) = &route.body {
                request = request.json(body);
            }
            if let Some(authorization) = &authorization {
                request = request.header("authorization", authorization);
            }
            let what = format!("{} {} with {authorization:?}", route.method, route.path);
            expect_unauthorized(&request.await, &what);
        }
    }
    assert_eq!(everything(&seller).await, before, "nothing was changed");
}

/// Values of `Authorization` that prove nothing. All of them claim to be the owner and an administrator, if anything.
fn bad_authorizations(user_id: i64) -> Vec<Option<String>> {
    let claims = |more: Value| {
        let mut claims = json!({"sub": user_id.to_string(), "roles": ["admin"], "exp": 4_102_444_800_u64});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    let good = jwt(claims(json!({})));
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let other = jwt(claims(json!({"sub": (user_id + 1).to_string()})));
    let other_payload = other.split('.').nth(1).unwrap();
    let bearer = [
        String::new(),
        "abc".into(),
        "a.b.c".into(),
        ADMIN_TOKEN.into(),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{header}.{other_payload}.{signature}"),
        format!("{header}.{payload}.{}{}", &signature[1..], &signature[..1]),
        jwt(claims(json!({"exp": 1_000_000_000}))),
        jwt(claims(json!({"nbf": 4_102_444_000_u64}))),
        jwt(claims(json!({"sub": "ada"}))),
        jwt(claims(json!({"sub": "0"}))),
        jwt(json!({"roles": ["admin"], "exp": 4_102_444_800_u64})),
    ];
    let mut all: Vec<Option<String>> =
        bearer.into_iter().map(|token| Some(format!("Bearer {token}").trim().into())).collect();
    all.extend([None, Some(format!("Basic {good}")), Some(good.clone()), Some("Basic YTpi".into())]);
    all
}

#[tokio::test]
async fn me_is_the_caller() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_seller("ada").await, app.given_seller("bob").await);
    for seller in [&ada, &bob] {
        for roles in [&["user"][..], &[], &["admin"], &["super_admin"]] {
            let client = app.with_jwt(seller.user_id, roles);
            assert_eq!(client.get("/sellers/me").await.expect_ok()["id"], seller.id);
        }
    }
}

#[tokio::test]
async fn an_administrator_who_is_no_user_of_the_service_can_register_only_as_one() {
    let app = App::spawn().await;
    let response = app.as_admin().post("/sellers").json(complete_seller("ada")).await;
    response.expect_problem(404, "user-not-found");
}

#[tokio::test]
async fn a_refusal_comes_before_what_the_route_would_say_about_the_body() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let stranger = app.with_jwt(app.given_user_id("stranger").await, &["user"]);
    for path in ["/reject", "/suspend", "/sales", "/products", "/reviews"] {
        let path = seller.path(path);
        app.post(&path).json(json!({"bad": 1})).await.expect_problem(401, "unauthorized");
        stranger.post(&path).json(json!({"bad": 1})).await.expect_problem(403, "forbidden");
        stranger.post(&path).json_text("{").await.expect_problem(403, "forbidden");
    }
}
