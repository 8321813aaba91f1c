//! Users that a test needs.

use serde_json::{Value, json};

use crate::Api;

impl Api {
    /// Creates a user called `name` with the address `name@example.org` and returns it. Panics if that fails.
    pub async fn given_user(&self, name: &str) -> Value {
        let user = json!({"name": name, "email": format!("{name}@example.org")});
        let response = self.post("/users").json(user).await;
        assert_eq!(response.status(), 201, "{response:?}");
        response.json()
    }

    /// As [`Api::given_user`]; returns the id.
    pub async fn given_user_id(&self, name: &str) -> i64 {
        let user = self.given_user(name).await;
        user["id"].as_i64().unwrap_or_else(|| panic!("{user} has no id"))
    }
}
