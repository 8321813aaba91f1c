//! The table of all routes of docs/sellers.md, and who may use them.

use blackbox::{Api, Response, Seller};
use reqwest::Method;
use serde_json::{Value, json};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody with a valid token.
    AnyUser,
    /// The user of the seller alone.
    Owner,
    /// The user of the seller, and administrators.
    OwnerAndAdmin,
    /// Administrators.
    Admin,
}

/// A route: its path after `/sellers`, in which `ID`, `USER` and `SALE` stand for those of a seller; who may use it;
/// the states that the seller has to go through before; the status of its success.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub who: Who,
    pub before: &'static [&'static str],
    pub body: Option<Value>,
    pub success: u16,
}

pub fn route(method: Method, path: &'static str, who: Who) -> Route {
    let success = if path.is_empty() || path.ends_with("/sales") { 201 } else { 200 };
    let success = if method == Method::GET { 200 } else { success };
    let success = if method == Method::DELETE { 204 } else { success };
    Route { method, path, who, before: &[], body: None, success }
}

impl Route {
    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn after(self, before: &'static [&'static str]) -> Self {
        Self { before, ..self }
    }

    pub fn target(&self, seller: &Seller, sale: &Value) -> String {
        let path = self.path.replace("USER", &seller.user_id.to_string()).replace("ID", &seller.id.to_string());
        format!("/sellers{}", path.replace("SALE", &sale["id"].to_string()))
    }

    pub async fn send(&self, client: &Api, seller: &Seller, sale: &Value) -> Response {
        let request = client.request(self.method.clone(), self.target(seller, sale));
        match &self.body {
            Some(body) => request.json(body).await,
            None => request.await,
        }
    }
}

/// All routes of docs/sellers.md.
pub fn routes() -> Vec<Route> {
    use Who::{Admin, AnyUser, Owner, OwnerAndAdmin};
    let get = |path, who| route(Method::GET, path, who);
    let post = |path, who| route(Method::POST, path, who);
    let patch = |path, who| route(Method::PATCH, path, who);
    let reason = || json!({"reason": "because"});
    vec![
        post("", AnyUser).with(json!({"businessName": "New & Co"})),
        get("/ID", AnyUser),
        get("/user/USER", OwnerAndAdmin),
        get("", Admin),
        get("/pending-verification", Admin),
        get("/health", Admin),
        patch("/ID/profile", OwnerAndAdmin).with(json!({"description": "changed"})),
        patch("/ID/banking", OwnerAndAdmin).with(json!({"bankName": "changed"})),
        patch("/ID", Admin).with(json!({"businessName": "changed"})),
        post("/ID/verify", Owner),
        post("/ID/approve", Admin).after(&["verify"]),
        post("/ID/reject", Admin).after(&["verify"]).with(reason()),
        post("/ID/suspend", Admin).with(reason()),
        post("/ID/reactivate", Admin).after(&["verify", "approve", "suspend"]),
        route(Method::DELETE, "/ID", Admin),
        get("/ID/history", OwnerAndAdmin),
        post("/ID/sales", Admin).with(json!({"amount": 1})),
        post("/ID/sales/SALE/refund", Admin),
        post("/ID/products", Admin).with(json!({"change": 1})),
        post("/ID/reviews", Admin).with(json!({"rating": 5})),
        get("/ID/analytics/overview", OwnerAndAdmin),
        get("/ID/analytics/sales-trend", OwnerAndAdmin),
        get("/ID/analytics/products", OwnerAndAdmin),
        get("/ID/analytics/revenue", OwnerAndAdmin),
    ]
}
