//! `GET /problems` and `GET /problems/:type`: what the problem types mean. They are the documents behind the `type` of
//! problems (RFC 9457, section 3.1.1), made from the table in `http-api`.

use std::fmt::Write;

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_api::{ETag, Kind, NoQuery, Preconditions, Problem, path};

/// The table changes only with a new version of the service.
const CACHED: HeaderValue = HeaderValue::from_static("max-age=3600");

/// The form of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For programs and terminals.
    Text,
    /// For browsers, which ask for it.
    Html,
}

impl<S: Sync> FromRequestParts<S> for Format {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::preferred(&parts.headers))
    }
}

impl Format {
    /// HTML if `Accept` names it, and does not prefer text.
    fn preferred(headers: &HeaderMap) -> Self {
        let html = quality(headers, "text/html");
        if html > 0.0 && html >= quality(headers, "text/plain") { Self::Html } else { Self::Text }
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        })
    }
}

/// The weight of a media type in `Accept` (RFC 9110, section 12.5.1); 0 if it is not named.
fn quality(headers: &HeaderMap, media_type: &str) -> f32 {
    let fields = headers.get_all(ACCEPT).iter().filter_map(|field| field.to_str().ok());
    let mut ranges = fields.flat_map(|field| field.split(',')).map(|range| range.split(';').map(str::trim));
    let named = ranges.find(|range| range.clone().next().is_some_and(|name| name.eq_ignore_ascii_case(media_type)));
    let Some(parameters) = named else { return 0.0 };
    let weight = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("q").then(|| value.parse().unwrap_or(0.0))
    };
    parameters.skip(1).find_map(weight).unwrap_or(1.0)
}

/// The extractor of the path parameter `type`.
pub struct Known(Kind);

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let name = path::last_segment(parts.uri.path(), "type", Ok)?;
        let kind = Kind::ALL.iter().find(|kind| kind.name() == name).copied();
        kind.map(Self).ok_or_else(|| {
            Problem::new(Kind::NotFound, "There is no problem type of this name: GET /problems lists all.")
        })
    }
}

/// Returns all types.
///
/// # Errors
/// A query parameter; a condition that does not hold.
pub async fn list(_: NoQuery, format: Format, conditions: Preconditions) -> Result<Response, Problem> {
    respond(format, &conditions, "Problems", Kind::ALL)
}

/// Returns one type.
///
/// # Errors
/// There is no such type; otherwise as [`list`].
pub async fn show(
    Known(kind): Known,
    _: NoQuery,
    format: Format,
    conditions: Preconditions,
) -> Result<Response, Problem> {
    respond(format, &conditions, kind.title(), &[kind])
}

fn respond(format: Format, conditions: &Preconditions, title: &str, kinds: &[Kind]) -> Result<Response, Problem> {
    let page = match format {
        Format::Text => text(kinds),
        Format::Html => html(title, kinds),
    };
    let tag = ETag::of_bytes(page.as_bytes());
    let ok = || (StatusCode::OK, [(CONTENT_TYPE, format.media_type())], page).into_response();
    let fields = [(CACHE_CONTROL, CACHED), (VARY, HeaderValue::from_static("accept"))];
    Ok((fields, conditions.respond_with(&tag, ok)?).into_response())
}

fn text(kinds: &[Kind]) -> String {
    let entry = |kind: &Kind| {
        let (status, title) = (kind.status().as_u16(), kind.title());
        format!("{}\n{status} {title}\nWhen: {}.\n", kind.uri(), kind.when())
    };
    kinds.iter().map(entry).collect::<Vec<_>>().join("\n")
}

fn html(title: &str, kinds: &[Kind]) -> String {
    let mut page = format!("<!doctype html>\n<html lang=\"en\">\n<title>{title}</title>\n<h1>{title}</h1>\n<dl>\n");
    for kind in kinds {
        let (uri, title, status, when) = (kind.uri(), kind.title(), kind.status().as_u16(), with_code(kind.when()));
        let entry = writeln!(
            page,
            "<dt><a href=\"{uri}\"><code>{uri}</code></a>: {status} {title}</dt>\n<dd>When: {when}.</dd>"
        );
        entry.expect("a String takes any text");
    }
    page.push_str("</dl>\n<p><a href=\"/problems\">All problems</a></p>\n</html>\n");
    page
}

/// The text as HTML: what is in backticks becomes code.
fn with_code(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let part = |(at, part): (usize, &str)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() };
    escaped.split('`').enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_for_those_who_ask_for_it() {
        for (accept, format) in [
            (&["text/html"][..], Format::Html),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Format::Html),
            (&["Text/HTML; charset=utf-8; Q=0.5", "*/*"], Format::Html),
            (&["text/plain;q=0.5, text/html;q=0.5"], Format::Html),
            (&["text/plain, text/html;q=0.9"], Format::Text),
            (&["text/html;q=0"], Format::Text),
            (&["text/html;q=x"], Format::Text),
            (&["*/*"], Format::Text),
            (&["text/*"], Format::Text),
            (&["application/json"], Format::Text),
            (&[""], Format::Text),
            (&[], Format::Text),
        ] {
            let headers = accept.iter().map(|value| (ACCEPT, value.parse().unwrap())).collect();
            assert_eq!(Format::preferred(&headers), format, "{accept:?}");
        }
    }

    #[test]
    fn an_entry_has_all_columns() {
        let entry = "/problems/method-not-allowed\n405 Method not allowed\n\
                     When: the route does not have this method: see `Allow`.\n";
        assert_eq!(text(&[Kind::MethodNotAllowed]), entry);
        let page = html("Problems", &[Kind::MethodNotAllowed]);
        assert!(page.contains("<dd>When: the route does not have this method: see <code>Allow</code>.</dd>"), "{page}");
        assert_eq!(with_code("a < `b&c` > d"), "a &lt; <code>b&amp;c</code> &gt; d");
    }
}
