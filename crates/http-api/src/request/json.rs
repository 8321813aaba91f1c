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
use crate::response::APPLICATION_JSON;

/// What the body of a route is read into; [`JsonBody`] is the extractor.
pub trait FromJson: Sized {
    /// The form that serde reads: [`Object`]s whose members are all optional (see [`present`]), so that [`Self::check`]
    /// reports all that are missing.
    type Raw: DeserializeOwned;

    /// Bytes of a body, at most.
    const MAX_BYTES: usize;

    /// The media type of a body.
    const MEDIA_TYPE: &'static str = APPLICATION_JSON;

    /// The checked value of `raw`; `None` only with a broken rule in `errors`.
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
        T::from_json(&read_body(request, T::MEDIA_TYPE, T::MAX_BYTES).await?).map(Self)
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

/// The JSON Pointer (RFC 6901) to the member `name` of an object.
pub fn pointer_to(name: &str) -> String {
    ["/", &name.replace('~', "~0").replace('/', "~1")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pet {
        #[serde(rename = "name")]
        _name: Option<String>,
        #[serde(rename = "tags", default)]
        _tags: Vec<String>,
    }

    fn refused(body: &str) -> (Kind, Vec<String>) {
        let problem = parse::<Vec<Object<Pet>>>(body.as_bytes()).unwrap_err();
        let pointers = problem.errors().iter().map(|error| error.pointer().unwrap_or("none").to_owned()).collect();
        (problem.kind(), pointers)
    }

    #[test]
    fn names_the_member_of_the_wrong_type() {
        assert_eq!(refused(r#"[{"name": 5}]"#), (Kind::Validation, vec!["/0/name".to_owned()]));
        assert_eq!(refused(r#"[{}, {"tags": ["a", null]}]"#), (Kind::Validation, vec!["/1/tags/1".to_owned()]));
        assert_eq!(refused(r#"{"name": 5}"#), (Kind::Validation, vec![String::new()]));
        assert_eq!(refused(r#"[["Rex", []]]"#), (Kind::Validation, vec!["/0".to_owned()]));
    }

    #[test]
    fn names_unknown_and_duplicate_members() {
        assert_eq!(refused(r#"[{"a/b~c": 1}]"#), (Kind::Validation, vec!["/0/a~1b~0c".to_owned()]));
        // The pointer is the object's, because it could be either member's.
        let problem = parse::<Vec<Object<Pet>>>(br#"[{"name": "a", "name": "b"}]"#).unwrap_err();
        assert_eq!(problem.errors(), [FieldError::at("/0", "has a member that is given more than once")]);
    }

    #[test]
    fn details_are_fixed_and_repeat_nothing() {
        let detail =
            |body: &str| parse::<Vec<Object<Pet>>>(body.as_bytes()).unwrap_err().errors()[0].detail().to_owned();
        let long = "\u{7f}".repeat(100_000);
        assert_eq!(detail(r#"[{"name": 5}]"#), "has the wrong JSON type");
        assert_eq!(detail(&format!(r#"[{{"tags": "{long}"}}]"#)), "has the wrong JSON type");
        assert_eq!(detail(r#"[{"tags": {"a": 1}}]"#), "has the wrong JSON type");
        assert_eq!(detail(r#"[{"x": 1}]"#), "is not a known member");
        assert_eq!(detail(r#"[{"name": 1e400}]"#), "is too large a number");
        let problem = parse::<Vec<Object<Pet>>>(format!(r#"[{{"{long}": 1}}]"#).as_bytes()).unwrap_err();
        assert!(problem.to_json().len() < 2_000, "{}", problem.to_json().len());
    }

    #[test]
    fn json_beyond_the_limits_is_not_malformed() {
        assert_eq!(refused(r#"[{"name": 1e400}]"#), (Kind::Validation, vec!["/0/name".to_owned()]));
        let deep = format!("[{}{}]", "[".repeat(200), "]".repeat(200));
        assert_eq!(refused(&deep).0, Kind::Validation);
    }

    #[test]
    fn malformed_json_wins_over_a_wrong_type_before_it() {
        for body in ["", "[", "nul", r#"[{"name": 5"#, "[] []", "[{}],", "[\"\\ud800\"]"] {
            assert_eq!(refused(body), (Kind::MalformedJson, vec![]), "{body:?}");
        }
        for body in [&b"[{\"name\": \"\xff\"}]"[..], b"[{\"unknown\": \"\xff\"}]"] {
            assert_eq!(parse::<Vec<Object<Pet>>>(body).unwrap_err().kind(), Kind::MalformedJson);
        }
    }

    struct Name(String);

    impl FromJson for Name {
        type Raw = Object<Pet>;
        const MAX_BYTES: usize = 32;

        fn check(Object(pet): Object<Pet>, errors: &mut Errors) -> Option<Self> {
            errors.required("/name", pet._name, |name| if name.is_empty() { Err("is empty") } else { Ok(Self(name)) })
        }
    }

    #[test]
    fn bodies_are_extracted_and_checked() {
        let extract = |body: &'static str| {
            let request = Request::builder().header("content-type", "application/json").body(body.into()).unwrap();
            JsonBody::<Name>::from_request(request, &()).now_or_never().expect("the body is complete")
        };
        assert_eq!(extract(r#"{"name": "Rex"}"#).unwrap().0.0, "Rex");
        for (body, status) in [
            ("{", 400),
            ("{}", 422),
            (r#"{"name": ""}"#, 422),
            (r#"{"name": "a name that is longer than the limit"}"#, 413),
        ] {
            assert_eq!(extract(body).err().unwrap().status(), status, "{body}");
        }
    }
}
