//! Traces: `traceparent` is taken over or made, answered, written into the log, and passed on to the users service and
//! to origins. <https://www.w3.org/TR/trace-context/>

use blackbox::{App, Origin, Response};
use serde_json::json;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn traceparent() -> String {
    format!("00-{TRACE}-{SPAN}-01")
}

/// The fields of `traceparent`.
fn fields(response: &Response) -> [&str; 4] {
    response.trace_id();
    let fields: Vec<_> = response.header("traceparent").split('-').collect();
    fields.try_into().unwrap()
}

#[tokio::test]
async fn a_trace_is_continued_with_a_span_of_its_own() {
    let app = App::spawn().await;
    let valid = [
        (traceparent(), "01"),
        (format!("00-{TRACE}-{SPAN}-00"), "00"),
        // Unknown flags are not passed on.
        (format!("00-{TRACE}-{SPAN}-ff"), "01"),
        (format!("00-{TRACE}-{SPAN}-fe"), "00"),
        // Later versions may have more.
        (format!("01-{TRACE}-{SPAN}-01"), "01"),
        (format!("cc-{TRACE}-{SPAN}-01-what-the-future-brings"), "01"),
    ];
    for (sent, flags) in valid {
        let mut spans = vec![SPAN.to_owned()];
        for path in ["/users", "/sellers", "/api/cache/a", "/api/cache/lock/a", "/health", "/users/no/such/route"] {
            let response = app.get(path).header("traceparent", &sent).await;
            let [version, trace, span, found] = fields(&response);
            assert_eq!((version, trace, found), ("00", TRACE, flags), "{sent} {path}");
            assert!(!spans.contains(&span.to_owned()), "{span} {path}");
            spans.push(span.to_owned());
        }
    }
}

#[tokio::test]
async fn a_trace_that_is_not_valid_is_replaced() {
    let app = App::spawn().await;
    let zeros = "0".repeat(32);
    let invalid = [
        String::new(),
        "x".to_owned(),
        TRACE.to_owned(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("00-{TRACE}-{SPAN}-0g"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!("00-{zeros}-{SPAN}-01"),
        format!("00-{TRACE}-{}-01", &zeros[..16]),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{}-{SPAN}-01", &TRACE[1..]),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("cc-{TRACE}-{SPAN}-01what"),
    ];
    let mut seen = vec![TRACE.to_owned()];
    for sent in invalid {
        let response = app.get("/users").header("traceparent", &sent).await;
        assert_eq!(response.status(), 200, "{sent:?}");
        let [_, trace, _, _] = fields(&response);
        assert!(!seen.contains(&trace.to_owned()), "{sent:?}: {trace}");
        seen.push(trace.to_owned());
        assert_eq!(app.host.request_line("users", &response).await["trace_id"], trace);
    }
    // Two of them: nobody knows which one counts.
    let twice = app.get("/users").header("traceparent", traceparent()).header("traceparent", traceparent()).await;
    assert_ne!(twice.trace_id(), TRACE);
}

#[tokio::test]
async fn each_request_without_a_trace_gets_a_new_one() {
    let app = App::builder().instance_per_request().spawn().await;
    let mut traces = Vec::new();
    for _ in 0..20 {
        traces.push(app.get("/users").await.trace_id().to_owned());
    }
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 20, "two requests have the same trace");
}

#[tokio::test]
async fn both_components_of_a_request_log_the_same_trace() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let body = json!({"businessName": "Ada & Co"});
    let request = app.with_jwt(id, &["user"]).post("/sellers").json(body);
    let response = request.header("traceparent", traceparent()).await;
    assert_eq!((response.status(), response.trace_id()), (201, TRACE), "{response:?}");
    let seller = app.host.request_line("sellers", &response).await;
    let user = app.host.request_line("users", &response).await;
    assert_eq!((&seller["trace_id"], &seller["route"]), (&json!(TRACE), &json!("/sellers")));
    assert_eq!((&user["trace_id"], &user["route"]), (&json!(TRACE), &json!("/users/{id}")));

    // Also a trace that began here.
    let other = app.given_user_id("eve").await;
    let response = app.with_jwt(other, &["user"]).post("/sellers").json(json!({"businessName": "Eve & Co"})).await;
    assert_eq!(response.status(), 201, "{response:?}");
    assert_eq!(app.host.request_line("users", &response).await["trace_id"], response.trace_id());
}

#[tokio::test]
async fn origins_and_other_services_get_the_trace() {
    let origin = Origin::start().await;
    let app = App::builder()
        .origin(&origin)
        .variable("user_service_url", &origin.url())
        .variable("user_service_egress", &origin.url())
        .spawn()
        .await;
    let fetched = app.get("/api/cache/a").header("traceparent", traceparent()).await;
    let new = app.get("/api/cache/b").await;
    let body = json!({"businessName": "Ada & Co"});
    let asked = app.with_jwt(7, &["user"]).post("/sellers").json(body).header("traceparent", traceparent()).await;
    let requests = origin.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    for (response, request) in [&fetched, &new, &asked].into_iter().zip(&requests) {
        let sent: Vec<_> = request
            .headers
            .iter()
            .filter_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("traceparent")))
            .collect();
        let [(_, sent)] = sent[..] else { panic!("one traceparent in {request:?}") };
        let [version, trace, span, _] = sent.split('-').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((version, trace), ("00", response.trace_id()), "{request:?}");
        assert!(span != SPAN && span.len() == 16, "the span of the client was passed on: {request:?}");
    }
    assert_eq!((fetched.trace_id(), asked.trace_id()), (TRACE, TRACE));
    assert_ne!(new.trace_id(), TRACE);
}
