//! One method for each endpoint of the cache component.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::api::send;
use crate::{ADMIN_TOKEN, Api};

/// Keys are given as they are and percent-encoded here; `query` is empty or starts with a question mark.
impl Api {
    /// A request for one key, yet to be completed and sent.
    pub fn cached(&self, method: Method, key: &str, query: &str) -> RequestBuilder {
        self.request(method, &format!("/api/cache/{}{query}", percent_encoded(key)))
    }

    /// GET /api/cache/:key.
    pub async fn get_cached(&self, key: &str) -> Response {
        send(self.cached(Method::GET, key, "")).await
    }

    /// HEAD /api/cache/:key.
    pub async fn head_cached(&self, key: &str) -> Response {
        send(self.cached(Method::HEAD, key, "")).await
    }

    /// PUT /api/cache/:key.
    pub async fn put_cached(&self, key: &str, query: &str, value: &Value) -> Response {
        send(self.cached(Method::PUT, key, query).json(value)).await
    }

    /// DELETE /api/cache/:key.
    pub async fn delete_cached(&self, key: &str) -> Response {
        send(self.cached(Method::DELETE, key, "")).await
    }

    /// POST /api/cache/warm.
    pub async fn warm(&self, body: &Value) -> Response {
        send(self.request(Method::POST, "/api/cache/warm").json(body)).await
    }

    /// POST /api/cache/invalidate.
    pub async fn invalidate(&self, body: &Value) -> Response {
        send(self.request(Method::POST, "/api/cache/invalidate").json(body)).await
    }

    /// POST /api/cache/mget.
    pub async fn mget(&self, body: &Value) -> Response {
        send(self.request(Method::POST, "/api/cache/mget").json(body)).await
    }

    /// POST /api/cache/mset.
    pub async fn mset(&self, body: &Value) -> Response {
        send(self.request(Method::POST, "/api/cache/mset").json(body)).await
    }

    /// A request to /admin/cache, with `path` behind it, that carries the admin token.
    pub async fn admin_cache(&self, method: Method, path: &str) -> Response {
        send(self.request(method, &format!("/admin/cache{path}")).bearer_auth(ADMIN_TOKEN)).await
    }
}

/// All bytes but RFC 3986's unreserved characters encoded.
pub fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_reserved_is_encoded() {
        assert_eq!(super::percent_encoded("a:b/c ä%~"), "a%3Ab%2Fc%20%C3%A4%25~");
    }
}
