//! The HTTP client of the tests: one method for each verb. `app.get("/users/1").await` is a response that has been
//! read.

use std::borrow::Borrow;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{Response, jwt};

/// The admin token of every [`App`], unless a test sets another one.
pub const ADMIN_TOKEN: &str = "the-admin-token-of-the-tests";

/// A request that hangs must fail its test, not the whole run. No limit of the application is that long.
const HANGS: Duration = Duration::from_secs(120);

/// How long a response may go on that never ends by itself.
const GOES_ON: Duration = Duration::from_secs(1_200);

/// A client of the application. It is cheap to clone, for concurrent tasks.
#[derive(Clone, Debug)]
pub struct Api {
    http: Client,
    base: String,
    token: Option<String>,
}

impl Api {
    /// A client of the application at `base` (`http://127.0.0.1:port`), with its own connections.
    pub fn new(base: &str) -> Self {
        Self::with(Client::builder(), base)
    }

    /// As [`Api::new`]; its connections come from this address, one of 127.0.0.0/8.
    pub fn from_address(base: &str, address: &str) -> Self {
        let address: IpAddr = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
        Self::with(Client::builder().local_address(address), base)
    }

    fn with(http: ClientBuilder, base: &str) -> Self {
        // Less than the host keeps a connection: a request on one that is being closed would fail.
        let http = http.pool_idle_timeout(Duration::from_secs(60));
        let http = http.timeout(HANGS).redirect(reqwest::redirect::Policy::none());
        Self { http: http.build().expect("a client without TLS has nothing to load"), base: base.into(), token: None }
    }

    /// The same client with `Authorization: Bearer <token>` in every request.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The same client with the admin token.
    pub fn admin(&self) -> Self {
        self.with_token(ADMIN_TOKEN)
    }

    /// The same client with a JSON Web Token of this user with these roles, which is valid for an hour.
    pub fn with_jwt(&self, user_id: i64, roles: &[&str]) -> Self {
        let claims = json!({"sub": user_id.to_string(), "roles": roles, "exp": jwt::in_s(3600)});
        self.with_token(&jwt(claims))
    }

    /// GET `path`, which starts with a slash and may have a query.
    pub fn get(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::GET, path)
    }

    /// HEAD `path`.
    pub fn head(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::HEAD, path)
    }

    /// POST `path`.
    pub fn post(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::POST, path)
    }

    /// PUT `path`.
    pub fn put(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::PUT, path)
    }

    /// PATCH `path`.
    pub fn patch(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::PATCH, path)
    }

    /// DELETE `path`.
    pub fn delete(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::DELETE, path)
    }

    /// Any method, for tests that run through a table of them.
    pub fn request(&self, method: Method, path: impl AsRef<str>) -> Request {
        let builder = self.http.request(method, format!("{}{}", self.base, path.as_ref()));
        Request(self.token.iter().fold(builder, |builder, token| builder.bearer_auth(token)))
    }
}

/// A request that `.await` sends. The test fails if no response arrives; the test judges the status itself.
#[derive(Debug)]
#[must_use = "a request is sent by `.await`"]
pub struct Request(RequestBuilder);

impl Clone for Request {
    fn clone(&self) -> Self {
        Self(self.0.try_clone().expect("a body in memory can be sent again"))
    }
}

impl Request {
    /// Adds a header field.
    pub fn header(self, name: &str, value: impl AsRef<str>) -> Self {
        Self(self.0.header(name, value.as_ref()))
    }

    /// Sends this JSON, with its content type.
    pub fn json(self, body: impl Borrow<Value>) -> Self {
        Self(self.0.json(body.borrow()))
    }

    /// Sends these bytes as JSON, whatever they are.
    pub fn json_text(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// Sends these bytes, without a content type.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self(self.0.body(body.into()))
    }

    /// Sends the request and reads the response.
    ///
    /// # Errors
    /// If no response arrives: the connection is refused or breaks.
    pub async fn send(self) -> Result<Response, reqwest::Error> {
        Response::read(self.0.send().await?).await
    }

    /// Sends the request and returns when the head of the response is there. The response may go on for long.
    pub(crate) async fn stream(self) -> Result<reqwest::Response, reqwest::Error> {
        self.0.timeout(GOES_ON).send().await
    }
}

impl IntoFuture for Request {
    type Output = Response;
    type IntoFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.send().await.unwrap_or_else(|error| panic!("no response: {error:?}")) })
    }
}
