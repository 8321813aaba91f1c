//! Sends each case of [`super::cases`] and judges the responses: the status, and what every response must have.

use anyhow::Result;

use super::Row;
use super::cases::{self, Case};
use super::exchange::{self, Answers, Response};

/// All cases.
///
/// # Errors
/// If the server cannot be reached after a case.
pub fn rows(address: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in cases::all() {
        let judged = match exchange::exchange(address, &case.request, case.request.starts_with(b"HEAD ")) {
            Ok(answers) => judge(&case, &answers),
            Err(error) => Err(format!("{error:#}")),
        };
        let (found, passed) = judged.map_or_else(|wrong| (wrong, false), |found| (found, true));
        rows.push(Row { case: format!("{:17} {}", case.rfc, case.name), found, passed });
    }
    // What broke one connection must not have broken the server.
    exchange::one(address, "GET /users/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    Ok(rows)
}

/// The statuses; or what is wrong.
fn judge(case: &Case, answers: &Answers) -> Result<String, String> {
    let statuses: Vec<String> = answers.responses.iter().map(|response| response.status.to_string()).collect();
    let statuses = statuses.join(", ");
    let wanted = || case.allowed.iter().map(|allowed| format!("{allowed:?}")).collect::<Vec<_>>().join(", ");
    let right = answers.responses.len() == case.allowed.len()
        && answers.responses.iter().zip(case.allowed).all(|(response, allowed)| allowed.contains(&response.status));
    if !right {
        return Err(format!("{statuses}, but allowed: {}", wanted()));
    }
    if !answers.closed {
        return Err(format!("{statuses}, but the connection stays open"));
    }
    for response in &answers.responses {
        required(response).map_err(|wrong| format!("{statuses}: {wrong}"))?;
    }
    let last = answers.responses.last();
    let says_close = |response: &Response| response.field("connection").is_some_and(|value| value.contains("close"));
    if last.is_some_and(|response| !response.is_old() && !says_close(response)) {
        return Err(format!("{statuses}: closed without Connection: close (RFC 9112, 9.6)"));
    }
    Ok(statuses)
}

/// What every final response has.
fn required(response: &Response) -> Result<(), String> {
    if response.status < 200 {
        return Ok(());
    }
    let must = |holds: bool, wrong: &str| if holds { Ok(()) } else { Err(wrong.to_owned()) };
    must(response.field("date").is_some(), "no Date (RFC 9110, 6.6.1)")?;
    must(response.field("transfer-encoding").is_none(), "Transfer-Encoding in a short response")?;
    if response.status == 204 {
        must(response.field("content-length").is_none(), "Content-Length with 204 (RFC 9110, 8.6)")?;
    }
    if response.status == 405 {
        must(response.field("allow").is_some(), "405 without Allow (RFC 9110, 15.5.6)")?;
    }
    if response.status == 401 {
        must(response.field("www-authenticate").is_some(), "401 without WWW-Authenticate (RFC 9110, 15.5.2)")?;
    }
    if response.status >= 400 && !response.body.is_empty() {
        must(
            response.field("content-type").as_deref() == Some("application/problem+json"),
            "not a problem (RFC 9457)",
        )?;
        must(response.field("cache-control").as_deref() == Some("no-store"), "a problem without no-store")?;
        let problem: serde_json::Value = serde_json::from_str(&response.body).map_err(|error| error.to_string())?;
        must(problem["status"] == response.status, "another status in the problem (RFC 9457, 3.1.2)")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_names_its_section_and_ends_its_connection() {
        let cases = cases::all();
        assert!(cases.len() > 40);
        for case in &cases {
            assert!(case.rfc.starts_with("RFC ") && case.rfc.contains(", "), "{}", case.name);
            assert!(
                !case.allowed.is_empty() && case.allowed.iter().all(|allowed| !allowed.is_empty()),
                "{}",
                case.name
            );
        }
        let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), cases.len());
    }
}
