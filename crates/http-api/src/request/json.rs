//! JSON bodies: from bytes to a checked value, or to a problem that names the wrong members.

use std::fmt::{self, Write};
use std::io;
use std::marker::PhantomData;

use axum::extract::{FromRequest, Request};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::body::read_body;
use super::validation::Errors;
use crate::problem::{FieldError, Kind, Problem};

/// The checked form of a route's body; [`JsonBody`] is the extractor.
pub trait FromJson: Sized {
    /// The form that serde reads: [`Object`]s whose members are all optional (see [`present`]), so that [`Self::check`]
    /// reports all that are missing. Their structs need `#[serde(deny_unknown_fields)]`: otherwise unknown members are
    /// ignored. A whole number is an `Option<serde_json::Number>`, which `check` gives to
    /// [`WholeNumber::of_json`](crate::WholeNumber::of_json): one that is out of bounds is then reported with all other
    /// errors.
    type Raw: DeserializeOwned;

    /// Bytes of a body, at most.
    const MAX_BYTES: usize;

    /// The checked value of `raw`. It may be `None` only if a broken rule was added to `errors`.
    fn check(raw: Self::Raw, errors: &mut Errors) -> Option<Self>;

    /// Reads and checks a body.
    ///
    /// # Errors
    /// Those of [`parse`]; the problem that names all broken rules.
    fn from_json(bytes: &[u8]) -> Result<Self, Problem> {
        let raw = parse(bytes)?;
        let mut errors = Errors::in_body();
        let checked = Self::check(raw, &mut errors);
        errors.finish(checked)
    }
}

/// The extractor of a JSON body. A handler that has to do something between the steps takes the `Request` and calls
/// [`read_body`] and [`FromJson::from_json`] itself.
#[derive(Clone, Copy, Debug)]
pub struct JsonBody<T>(pub T);

impl<T: FromJson, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        T::from_json(&read_body(request, T::MAX_BYTES).await?).map(Self)
    }
}

/// A `T` that must be written as a JSON object. Derived implementations of `Deserialize` also accept an array of the
/// members' values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// Reads a member that may be absent, but not null: `#[serde(default, deserialize_with = "http_api::present")]`.
///
/// # Errors
/// The value is not a `T`.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads one JSON document, without any rules.
///
/// # Errors
/// [`Kind::MalformedJson`] if `bytes` are not JSON (RFC 8259); else [`Kind::Validation`] with the JSON pointer of the
/// member that is unknown, duplicate or of the wrong type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde_json does not check the UTF-8 of what it skips, such as the value of an unknown member.
    let text = str::from_utf8(bytes).map_err(malformed)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| problem_of(text, json_pointer(error.path()), &error.into_inner()))?;
    deserializer.end().map_err(malformed)?;
    Ok(value)
}

fn malformed(error: impl fmt::Display) -> Problem {
    Problem::new(Kind::MalformedJson, format!("The request body is not valid JSON: {error}."))
}

/// Starts of serde_json's messages for JSON that this service cannot read, and their details.
const LIMITS: [(&str, &str); 2] =
    [("number out of range", "is too large a number"), ("recursion limit exceeded", "is nested too deeply")];

/// Starts of serde's messages, and their details. The rest of a message is not used: it may repeat what was sent.
const FAULTS: [(&str, &str); 6] = [
    ("unknown field", "is not a known member"),
    ("duplicate field", "has a member that is given more than once"),
    ("missing field", "lacks a member"),
    ("unknown variant", "is not one of the known values"),
    ("invalid value", "is not a valid value"),
    ("invalid length", "has the wrong number of elements"),
];

fn problem_of(text: &str, pointer: String, error: &serde_json::Error) -> Problem {
    // Only the start is kept: a message may be much longer than the body.
    let mut message = [0; 32];
    let _ = io::Write::write_fmt(&mut message.as_mut_slice(), format_args!("{error}"));
    let find = |table: &[(&str, &'static str)]| {
        table.iter().find(|(start, _)| message.starts_with(start.as_bytes())).map(|(_, detail)| *detail)
    };
    let at_pointer = |detail: &str| Problem::validation(vec![FieldError::at(pointer, detail)]);
    if let Some(detail) = find(&LIMITS) {
        return at_pointer(detail);
    }
    if error.classify() != Category::Data {
        return malformed(error);
    }
    // If the rest of the document is malformed, that is reported: one document always gets the same status.
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return malformed(error);
    }
    at_pointer(find(&FAULTS).unwrap_or("has the wrong JSON type"))
}

/// Bytes of a pointer, at most: known members have short names.
const POINTER_MAX: usize = 1_024;

/// The path as a JSON Pointer (RFC 6901): `/3/email`.
fn json_pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => write!(pointer, "/{index}").expect("a String takes any text"),
            Segment::Map { key } => pointer.push_str(&pointer_to(key)),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer.truncate(pointer.floor_char_boundary(POINTER_MAX));
    pointer
}

/// The JSON Pointer (RFC 6901) to the member `name` of an object. A very long one is cut off.
pub fn pointer_to(name: &str) -> String {
    let name = &name[..name.floor_char_boundary(POINTER_MAX)];
    ["/", &name.replace('~', "~0").replace('/', "~1")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pet {
        #[serde(rename = "name")]
        _name: Option<String>,
        #[serde(rename = "tags", default)]
        _tags: Vec<String>,
    }

    fn refused(body: &str) -> (u16, Vec<String>) {
        let problem = parse::<Vec<Object<Pet>>>(body.as_bytes()).unwrap_err();
        (problem.status().as_u16(), problem.wrong_fields().into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn wrong_unknown_and_duplicate_members_are_named() {
        for (body, pointer) in [
            (r#"[{"name": 5}]"#, "/0/name"),
            (r#"[{}, {"tags": ["a", null]}]"#, "/1/tags/1"),
            (r#"{"name": 5}"#, ""),
            (r#"[["Rex", []]]"#, "/0"),
            (r#"[{"a/b~c": 1}]"#, "/0/a~1b~0c"),
            // JSON beyond the limits is not malformed.
            (r#"[{"name": 1e400}]"#, "/0/name"),
            // The pointer is the object's, because it could be either member's.
            (r#"[{"name": "a", "name": "b"}]"#, "/0"),
        ] {
            assert_eq!(refused(body), (422, vec![pointer.to_owned()]), "{body}");
        }
        let deep = format!("[{}{}]", "[".repeat(200), "]".repeat(200));
        assert_eq!(refused(&deep).0, 422);
    }

    #[test]
    fn details_are_fixed_and_repeat_nothing() {
        let long = "\u{7f}".repeat(100_000);
        for (body, detail) in [
            (r#"[{"name": 5}]"#, "has the wrong JSON type"),
            (&format!(r#"[{{"tags": "{long}"}}]"#), "has the wrong JSON type"),
            (r#"[{"tags": {"a": 1}}]"#, "has the wrong JSON type"),
            (r#"[{"x": 1}]"#, "is not a known member"),
            (r#"[{"name": 1e400}]"#, "is too large a number"),
            (r#"[{"name": "a", "name": "b"}]"#, "has a member that is given more than once"),
        ] {
            let problem = parse::<Vec<Object<Pet>>>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.errors(), [FieldError::at(problem.wrong_fields()[0], detail)]);
        }
        let problem = parse::<Vec<Object<Pet>>>(format!(r#"[{{"{long}": 1}}]"#).as_bytes()).unwrap_err();
        assert!(problem.to_json().len() < 2_000, "{}", problem.to_json().len());
    }

    #[test]
    fn malformed_json_wins_over_a_wrong_type_before_it() {
        for body in ["", "[", "nul", r#"[{"name": 5"#, "[] []", "[{}],", "[\"\\ud800\"]"] {
            assert_eq!(refused(body), (400, vec![]), "{body:?}");
        }
        for body in [&b"[{\"name\": \"\xff\"}]"[..], b"[{\"unknown\": \"\xff\"}]"] {
            assert_eq!(parse::<Vec<Object<Pet>>>(body).unwrap_err().status(), 400);
        }
    }
}
