//! Variables and outgoing requests.

use bytes::Bytes;
use http_body_util::Empty;
use spin_sdk::http::body::IncomingBodyExt;
use spin_sdk::http::{Request, send};

/// The variable's value, or the error.
pub async fn variable(name: &str) -> String {
    match spin_sdk::variables::get(name).await {
        Ok(value) => value,
        Err(error) => format!("{error:?}"),
    }
}

/// Status and body of what `url` answers, or the error.
pub async fn fetch(url: &str) -> String {
    let request = match Request::get(url).body(Empty::<Bytes>::new()) {
        Ok(request) => request,
        Err(error) => return error.to_string(),
    };
    match send(request).await {
        Ok(response) => {
            let status = response.status();
            match response.into_body().bytes().await {
                Ok(body) => format!("{status}\n{}", String::from_utf8_lossy(&body)),
                Err(error) => format!("{status}, then {error:?}"),
            }
        }
        Err(error) => format!("{error:?}"),
    }
}
