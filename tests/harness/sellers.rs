//! Sellers that a test needs.

use serde_json::{Value, json};

use crate::{Api, Response};

/// The user id of the administrator in the tests. The users service has no such user. It does not need one: only
/// registrations ask it.
pub const ADMIN_ID: i64 = 900_001;

/// A seller, and clients with the rights of its owner and of an administrator.
#[derive(Clone, Debug)]
pub struct Seller {
    /// The seller's id.
    pub id: i64,
    /// The id of its user.
    pub user_id: i64,
    /// A client with the token of its user.
    pub owner: Api,
    /// A client with the token of an administrator.
    pub admin: Api,
}

impl Seller {
    /// `/sellers/:id`, followed by `rest`: empty, or a path that starts with a slash.
    pub fn path(&self, rest: &str) -> String {
        format!("/sellers/{}{rest}", self.id)
    }

    /// The seller as its owner sees it. Panics if it cannot be read.
    pub async fn show(&self) -> Value {
        self.owner.get(self.path("")).await.expect_ok()
    }

    /// Sends one of the actions that change the state: `verify` as the owner, the others as the administrator.
    pub async fn act(&self, action: &str) -> Response {
        let client = if action == "verify" { &self.owner } else { &self.admin };
        let request = client.post(self.path(&format!("/{action}")));
        match action {
            "reject" | "suspend" => request.json(json!({"reason": format!("because of {action}")})).await,
            _ => request.await,
        }
    }

    /// As [`Seller::act`], one action after the other. Panics if one fails.
    pub async fn given(&self, actions: &[&str]) {
        for action in actions {
            let response = self.act(action).await;
            assert_eq!(response.status(), 200, "{action}: {response:?}");
        }
    }

    /// Records a sale, as the administrator. Returns the response, whatever it is.
    pub async fn sell(&self, sale: Value) -> Response {
        self.admin.post(self.path("/sales")).json(sale).await
    }

    /// As [`Seller::sell`]; returns the sale. Panics if that fails.
    pub async fn given_sale(&self, sale: Value) -> Value {
        let response = self.sell(sale).await;
        assert_eq!(response.status(), 201, "{response:?}");
        response.json()
    }

    /// Refunds a sale, as the administrator.
    pub async fn refund(&self, sale: &Value) -> Response {
        self.admin.post(self.path(&format!("/sales/{}/refund", sale["id"]))).await
    }
}

impl Api {
    /// The same client with the token of an administrator.
    pub fn as_admin(&self) -> Self {
        self.with_jwt(ADMIN_ID, &["admin"])
    }

    /// Creates a user called `name` and registers it as a seller with everything that a verification needs, and with
    /// private members. Panics if that fails.
    pub async fn given_seller(&self, name: &str) -> Seller {
        self.given_seller_of(name, self.given_user_id(name).await).await
    }

    /// As [`Api::given_seller`], for a user that exists.
    pub async fn given_seller_of(&self, name: &str, user_id: i64) -> Seller {
        let owner = self.with_jwt(user_id, &["user"]);
        let response = owner.post("/sellers").json(complete_seller(name)).await;
        assert_eq!(response.status(), 201, "{response:?}");
        let seller = response.json();
        let id = seller["id"].as_i64().unwrap_or_else(|| panic!("{seller} has no id"));
        Seller { id, user_id, owner, admin: self.as_admin() }
    }
}

/// The body of a registration with all members that the owner may give.
pub fn complete_seller(name: &str) -> Value {
    json!({
        "businessName": format!("{name} & Co"),
        "businessType": "llc",
        "businessEmail": format!("shop@{name}.example.org"),
        "businessPhone": "+1 (555) 010-9999",
        "taxId": "TAX-123-456",
        "businessAddress": "1 Main Street",
        "businessCity": "Springfield",
        "businessState": "Oregon",
        "businessCountry": "US",
        "businessPostalCode": "97477",
        "logoUrl": "https://cdn.example.org/logo.png?size=2",
        "website": "http://example.org/",
        "description": "Hand-made things.\n\tSince 1999.",
        "bankName": "First Bank",
        "bankAccountHolder": "A Holder",
        "bankAccountNumber": "DE00123456789",
        "bankRoutingNumber": "021000021",
        "paymentMethod": "stripe",
    })
}
