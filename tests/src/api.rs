//! One method for each endpoint of the application.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// A client of the application: cheap to clone, and to hand to concurrent tasks. The methods that send a request panic
/// if no answer comes; any answer, whatever its status, is the test's to judge.
#[derive(Clone, Debug)]
pub struct Api {
    http: Client,
    base: String,
}

impl Api {
    /// A client of the application at `base` (`http://127.0.0.1:port`), with connections of its own that it keeps.
    pub fn new(base: &str) -> Self {
        // A hanging request must fail its test, not the whole run.
        let http = Client::builder().timeout(Duration::from_secs(30)).redirect(reqwest::redirect::Policy::none());
        Self { http: http.build().expect("a client without TLS has nothing to load"), base: base.into() }
    }

    /// The HTTP client.
    pub fn http(&self) -> &Client {
        &self.http
    }

    /// The URL of `path`, which starts with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A request that is yet to be completed and sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// GET `path`.
    pub async fn get(&self, path: &str) -> Response {
        send(self.request(Method::GET, path)).await
    }

    /// GET /users/:id.
    pub async fn get_user(&self, id: i64) -> Response {
        self.get(&format!("/users/{id}")).await
    }

    /// HEAD /users/:id.
    pub async fn head_user(&self, id: i64) -> Response {
        send(self.request(Method::HEAD, &format!("/users/{id}"))).await
    }

    /// GET /users/:id with `If-None-Match`.
    pub async fn get_user_unless(&self, id: i64, etag: &str) -> Response {
        send(self.request(Method::GET, &format!("/users/{id}")).header("if-none-match", etag)).await
    }

    /// GET /users with a query such as `?limit=2`, or an empty string.
    pub async fn list_users(&self, query: &str) -> Response {
        self.get(&format!("/users{query}")).await
    }

    /// POST /users.
    pub async fn create_user(&self, user: &Value) -> Response {
        send(self.request(Method::POST, "/users").json(user)).await
    }

    /// POST /users/batch.
    pub async fn create_users(&self, users: &Value) -> Response {
        send(self.request(Method::POST, "/users/batch").json(users)).await
    }

    /// PUT /users/:id.
    pub async fn put_user(&self, id: i64, fields: &Value) -> Response {
        send(self.request(Method::PUT, &format!("/users/{id}")).json(fields)).await
    }

    /// PATCH /users/:id.
    pub async fn patch_user(&self, id: i64, fields: &Value) -> Response {
        send(self.request(Method::PATCH, &format!("/users/{id}")).json(fields)).await
    }

    /// PUT /users/:id with `If-Match`.
    pub async fn put_user_if(&self, id: i64, etag: &str, fields: &Value) -> Response {
        send(self.request(Method::PUT, &format!("/users/{id}")).header("if-match", etag).json(fields)).await
    }

    /// DELETE /users/:id.
    pub async fn delete_user(&self, id: i64) -> Response {
        send(self.request(Method::DELETE, &format!("/users/{id}"))).await
    }

    /// Creates a user called `name` with the address `name@example.org` and returns it. Panics if it cannot.
    pub async fn given_user(&self, name: &str) -> Value {
        let response = self.create_user(&json!({"name": name, "email": format!("{name}@example.org")})).await;
        let status = response.status();
        let text = response.text().await.expect("the answer has a body");
        assert_eq!(status, 201, "POST /users answered {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("POST /users answered {text}: {error}"))
    }

    /// As [`Api::given_user`], the id only.
    pub async fn given_user_id(&self, name: &str) -> i64 {
        let user = self.given_user(name).await;
        user["id"].as_i64().unwrap_or_else(|| panic!("{user} has no id"))
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
}
