//! A problem on its way to the client, with the header fields that belong to it.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use problem::{Kind, Problem};

/// After how many seconds a client may try again what was unavailable: by then a restarted server usually answers.
const RETRY_AFTER_S: &str = "2";

/// A request that failed: what the client is told.
#[derive(Debug)]
pub struct Failure {
    problem: Box<Problem>,
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    /// Adds a header field to the answer.
    #[must_use]
    pub fn with_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.push((name, value));
        self
    }

    /// What the client is told.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The answer to a fault on this side. `cause` goes to the log and nowhere else.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        eprintln!("internal error: {cause}");
        Problem::new(Kind::Internal, "The service met an error that it cannot explain here; its log can.").into()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), fields: Vec::new() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let json = self.problem.to_json();
        let length = json.len();
        let mut response = Response::new(Body::from(json));
        *response.status_mut() =
            StatusCode::from_u16(self.problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
        // Also for those that do not come out of a router, which would add it.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        if self.problem.kind() == Kind::Unavailable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        headers.extend(self.fields);
        response
    }
}
