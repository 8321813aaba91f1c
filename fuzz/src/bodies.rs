//! JSON bodies.

use http_api::{Object, parse, present};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// Members of all kinds that the services have.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    is_active: Option<bool>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    amount: Option<Number>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
}

/// What is accepted is JSON and is read again when it is written. What is refused gets 400 if it is not JSON and 422 if
/// it is; too deep nesting and too large numbers are 422 in both cases. Each error points to a member.
pub fn json_body(bytes: &[u8]) {
    let is_json = serde_json::from_slice::<Value>(bytes).is_ok();
    match parse::<Object<Body>>(bytes) {
        Ok(Object(mut body)) => {
            assert!(is_json);
            // serde_json does not read every fraction exactly.
            body.amount = body.amount.filter(|amount| !amount.is_f64());
            let written = serde_json::to_vec(&body).expect("it is JSON");
            let Ok(Object(again)) = parse::<Object<Body>>(&written) else { panic!("{body:?} is not read again") };
            assert_eq!(again, body);
        }
        Err(problem) => {
            let status = problem.status().as_u16();
            assert!(status == 422 || (status == 400 && !is_json), "{status} {problem:?}");
            for error in problem.errors() {
                let error = format!("{error:?}");
                assert!(error.len() < 4_096, "{error}");
            }
        }
    }
}
