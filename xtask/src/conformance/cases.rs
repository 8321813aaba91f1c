//! Requests byte by byte, and the statuses that the RFCs allow for each. Written from RFC 9110 and RFC 9112.
//!
//! Where an RFC leaves a choice (MAY, SHOULD), all choices are allowed. Cases for what this server chose are in
//! `host/tests/it/raw_http.rs`.

/// A request.
pub struct Case {
    /// The RFC and its section.
    pub rfc: &'static str,
    /// What is special about it.
    pub name: String,
    /// What is sent.
    pub request: Vec<u8>,
    /// The statuses that are allowed, for each response.
    pub allowed: &'static [&'static [u16]],
}

const OK: &[&[u16]] = &[&[200]];
const BAD: &[&[u16]] = &[&[400]];
const TOO_LARGE: &[&[u16]] = &[&[400, 414, 431]];
/// A body that is not a user.
const UNPROCESSABLE: &[&[u16]] = &[&[400, 422]];

/// All cases.
pub fn all() -> Vec<Case> {
    [request_lines(), hosts(), fields(), bodies(), methods(), connections(), limits()].into_iter().flatten().collect()
}

fn case(rfc: &'static str, name: &str, request: impl Into<Vec<u8>>, allowed: &'static [&'static [u16]]) -> Case {
    Case { rfc, name: name.to_owned(), request: request.into(), allowed }
}

/// A complete GET with this request line and these additional fields.
fn get(line: &str, fields: &str) -> String {
    format!("{line}\r\nHost: a.example\r\nConnection: close\r\n{fields}\r\n")
}

/// A POST of `body` to a route that reads bodies.
fn post(fields: &str, body: &str) -> String {
    format!("POST /users HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\n{fields}\r\n{body}")
}

/// The same with `Connection: close`.
fn post_once(fields: &str, body: &str) -> String {
    post(&format!("Connection: close\r\n{fields}"), body)
}

fn request_lines() -> Vec<Case> {
    let line = |name: &str, line: &str, allowed| case("RFC 9112, 3", name, get(line, ""), allowed);
    let target = |name: &str, target: &str, allowed| {
        case("RFC 9112, 3.2", name, get(&format!("GET {target} HTTP/1.1"), ""), allowed)
    };
    vec![
        line("a valid request", "GET /users/1 HTTP/1.1", OK),
        line("no version", "GET /users/1", &[&[400, 505]]),
        line("a version in small letters", "GET /users/1 http/1.1", BAD),
        line("two spaces before the target", "GET  /users/1 HTTP/1.1", BAD),
        line("two spaces before the version", "GET /users/1  HTTP/1.1", BAD),
        line("a space in the target", "GET /users/ 1 HTTP/1.1", BAD),
        line("a space before the method", " GET /users/1 HTTP/1.1", BAD),
        line("a method that is not a token", "G(T /users/1 HTTP/1.1", BAD),
        line("no method", "/users/1 HTTP/1.1", BAD),
        case(
            "RFC 9112, 2.2",
            "an empty line before the request",
            format!("\r\n{}", get("GET /users/1 HTTP/1.1", "")),
            OK,
        ),
        case("RFC 9110, 6.2", "a higher minor version", get("GET /users/1 HTTP/1.2", ""), &[&[200]]),
        case("RFC 9110, 15.6.6", "a higher major version", get("GET /users/1 HTTP/2.0", ""), &[&[505]]),
        case("RFC 9110, 15.6.6", "a lower major version", get("GET /users/1 HTTP/0.9", ""), &[&[400, 505]]),
        target("an absolute target", "http://a.example/users/1", OK),
        target("an absolute target without path", "http://a.example", &[&[200, 404]]),
        target("a target with a fragment", "/users/1#a", BAD),
        target("a target with raw UTF-8", "/users/\u{fc}", BAD),
        target("a target without slash", "users/1", BAD),
        target("the target * for GET", "*", BAD),
        target("the target of CONNECT for GET", "a.example:80", BAD),
        case("RFC 9110, 4.2.4", "a target with a user", get("GET http://u@a.example/users/1 HTTP/1.1", ""), BAD),
        case("RFC 9110, 7.4", "a target of https", get("GET https://a.example/users/1 HTTP/1.1", ""), &[&[421]]),
        case("RFC 9110, 9.3.7", "OPTIONS *", get("OPTIONS * HTTP/1.1", ""), &[&[200, 204]]),
    ]
}

fn hosts() -> Vec<Case> {
    let host = |name: &str, fields: &str, allowed| {
        let request = format!("GET /users/1 HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
        case("RFC 9112, 3.2", name, request, allowed)
    };
    vec![
        host("no Host", "", BAD),
        host("two Host fields", "Host: a.example\r\nHost: b.example\r\n", BAD),
        host("the same Host twice", "Host: a.example\r\nHost: a.example\r\n", BAD),
        host("Host with a user", "Host: u@a.example\r\n", BAD),
        host("Host with a port of letters", "Host: a.example:abc\r\n", BAD),
        host("Host with a path", "Host: a.example/x\r\n", BAD),
        host("Host with a space", "Host: a example\r\n", BAD),
        host("an empty Host", "Host:\r\n", BAD),
        host("Host with an IPv6 address", "Host: [::1]:80\r\n", OK),
        host("Host with an empty port", "Host: a.example:\r\n", OK),
        case("RFC 9112, 3.2", "HTTP/1.0 without Host", "GET /users/1 HTTP/1.0\r\n\r\n", OK),
        case(
            "RFC 9112, 3.2.2",
            "an absolute target and another Host",
            "GET http://a.example/users/1 HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n",
            OK,
        ),
        case(
            "RFC 9112, 3.2",
            "an absolute target without Host",
            "GET http://a.example/users/1 HTTP/1.1\r\nConnection: close\r\n\r\n",
            BAD,
        ),
    ]
}

fn fields() -> Vec<Case> {
    let field = |rfc, name: &str, field: &str, allowed| case(rfc, name, get("GET /users/1 HTTP/1.1", field), allowed);
    vec![
        field("RFC 9112, 5", "optional white space around a value", "X: \t a \t\r\n", OK),
        field("RFC 9112, 5", "an empty value", "X:\r\n", OK),
        field("RFC 9112, 5.1", "a space before the colon", "X : a\r\n", BAD),
        field("RFC 9112, 5.1", "a name with a space", "X Y: a\r\n", BAD),
        field("RFC 9112, 5", "a line without colon", "X\r\n", BAD),
        field("RFC 9112, 5", "an empty name", ": a\r\n", BAD),
        field("RFC 9112, 5.2", "a folded line", "X: a\r\n b\r\n", BAD),
        field("RFC 9110, 5.5", "NUL in a value", "X: a\0b\r\n", BAD),
        field("RFC 9110, 5.5", "a bare CR in a value", "X: a\rb\r\n", BAD),
        field("RFC 9110, 5.5", "obs-text in a value", "X: \u{e9}\r\n", OK),
        case(
            "RFC 9112, 2.2",
            "white space before the first field",
            "GET /users/1 HTTP/1.1\r\n X: a\r\nHost: a\r\nConnection: close\r\n\r\n",
            BAD,
        ),
        case(
            "RFC 9112, 2.2",
            "lines that end with LF alone",
            "GET /users/1 HTTP/1.1\nHost: a\nConnection: close\n\n",
            &[&[200, 400]],
        ),
    ]
}

fn bodies() -> Vec<Case> {
    let chunked = |name: &str, chunks: &str, allowed| {
        case("RFC 9112, 7.1", name, post_once("Transfer-Encoding: chunked\r\n", chunks), allowed)
    };
    let broken =
        |name: &str, chunks: &str| case("RFC 9112, 7.1", name, post("Transfer-Encoding: chunked\r\n", chunks), BAD);
    let framing = |name: &str, fields: &str, allowed| case("RFC 9112, 6.3", name, post(fields, "{}"), allowed);
    let coding = |name: &str, fields: &str, allowed| {
        case("RFC 9112, 6.1", name, post_once(fields, "2\r\n{}\r\n0\r\n\r\n"), allowed)
    };
    vec![
        chunked("a chunked body", "2\r\n{}\r\n0\r\n\r\n", UNPROCESSABLE),
        chunked("a chunk extension", "2;a=b;c=\"d\"\r\n{}\r\n0\r\n\r\n", UNPROCESSABLE),
        chunked("a trailer", "2\r\n{}\r\n0\r\nX: a\r\n\r\n", UNPROCESSABLE),
        chunked("sizes with zeros and capital letters", "00002\r\n{}\r\n0\r\n\r\n", UNPROCESSABLE),
        broken("a size that is not hexadecimal", "x\r\n{}\r\n0\r\n\r\n"),
        broken("a negative size", "-2\r\n{}\r\n0\r\n\r\n"),
        broken("a size with a prefix", "0x2\r\n{}\r\n0\r\n\r\n"),
        broken("a size beyond 64 bits", "10000000000000002\r\n{}\r\n0\r\n\r\n"),
        broken("a size that ends with LF alone", "2\n{}\r\n0\r\n\r\n"),
        broken("a chunk that is too long", "2\r\n{}}\r\n0\r\n\r\n"),
        broken("no size", "\r\n{}\r\n0\r\n\r\n"),
        coding("another coding before chunked", "Transfer-Encoding: gzip, chunked\r\n", &[&[501]]),
        coding(
            "another coding in a field of its own",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            &[&[501]],
        ),
        coding("chunked twice", "Transfer-Encoding: chunked, chunked\r\n", &[&[400, 501]]),
        case(
            "RFC 9112, 6.3",
            "chunked that is not the last coding",
            post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
            &[&[400, 501]],
        ),
        case(
            "RFC 9112, 6.3",
            "an unknown coding",
            post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
            &[&[400, 501]],
        ),
        case(
            "RFC 9112, 6.1",
            "a transfer coding in HTTP/1.0",
            "POST /users HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &[&[400, 501]],
        ),
        case(
            "RFC 9112, 6.1",
            "Transfer-Encoding and Content-Length: then closed",
            post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
            UNPROCESSABLE,
        ),
        framing("two different lengths", "Content-Length: 2\r\nContent-Length: 3\r\n", BAD),
        framing("a list of different lengths", "Content-Length: 2, 3\r\n", BAD),
        framing("a length with a sign", "Content-Length: +2\r\n", BAD),
        framing("a negative length", "Content-Length: -2\r\n", BAD),
        framing("a length that is not decimal", "Content-Length: 0x2\r\n", BAD),
        framing("an empty length", "Content-Length:\r\n", BAD),
        framing("a length beyond 64 bits", "Content-Length: 99999999999999999999\r\n", &[&[400, 413]]),
        case("RFC 9112, 6.3", "a body without length is empty", post_once("", ""), UNPROCESSABLE),
        case(
            "RFC 9110, 10.1.1",
            "Expect: 100-continue",
            post_once("Content-Length: 2\r\nExpect: 100-continue\r\n", "{}"),
            &[&[100], &[400, 422]],
        ),
        case(
            "RFC 9110, 10.1.1",
            "Expect: 100-continue for what is not read",
            "POST /elsewhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n",
            &[&[404]],
        ),
    ]
}

fn methods() -> Vec<Case> {
    vec![
        case("RFC 9110, 9.1", "an unknown method", get("BREW /users/1 HTTP/1.1", ""), &[&[501]]),
        case("RFC 9110, 9.1", "methods are case-sensitive", get("get /users/1 HTTP/1.1", ""), &[&[400, 501]]),
        case("RFC 9110, 9.1", "a method that the resource does not have", get("DELETE /users HTTP/1.1", ""), &[&[405]]),
        case("RFC 9110, 9.3.2", "HEAD", get("HEAD /users/1 HTTP/1.1", ""), OK),
        case("RFC 9110, 9.3.2", "HEAD of what does not exist", get("HEAD /users/999999 HTTP/1.1", ""), &[&[404]]),
        case("RFC 9110, 9.3.8", "TRACE", get("TRACE /users/1 HTTP/1.1", ""), &[&[405, 501]]),
        case(
            "RFC 9110, 9.3.6",
            "CONNECT",
            "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\nConnection: close\r\n\r\n",
            &[&[400, 405, 501]],
        ),
        case(
            "RFC 9110, 13.1.2",
            "If-None-Match: * on what exists",
            get("GET /users/1 HTTP/1.1", "If-None-Match: *\r\n"),
            &[&[304]],
        ),
        case(
            "RFC 9110, 14.2",
            "Range may be ignored",
            get("GET /users/1 HTTP/1.1", "Range: bytes=0-1\r\n"),
            &[&[200, 206]],
        ),
        case(
            "RFC 9110, 12.5.1",
            "no preference fits",
            get("GET /users/1 HTTP/1.1", "Accept: image/png\r\n"),
            &[&[200, 406]],
        ),
    ]
}

fn connections() -> Vec<Case> {
    let keep = "GET /users/1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = get("GET /users/2 HTTP/1.1", "");
    vec![
        case("RFC 9112, 9.3.2", "three requests at once", format!("{keep}{keep}{last}"), &[&[200], &[200], &[200]]),
        case("RFC 9112, 9.3", "HTTP/1.0 is closed", "GET /users/1 HTTP/1.0\r\nHost: a\r\n\r\n", OK),
        case(
            "RFC 9112, 9.3",
            "HTTP/1.0 that is kept",
            "GET /users/1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET /users/1 HTTP/1.0\r\nHost: a\r\n\r\n",
            &[&[200], &[200]],
        ),
        case(
            "RFC 9112, 9.6",
            "close among other options",
            get("GET /users/1 HTTP/1.1", "X: a\r\n").replace(": close", ": x, CLOSE"),
            OK,
        ),
        case(
            "RFC 9112, 6.3",
            "a body that nobody reads is not the next request",
            format!("POST /elsewhere HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{keep}{last}", keep.len()),
            &[&[404], &[200]],
        ),
        case(
            "RFC 9112, 9.6",
            "closed after a body that never comes",
            "POST /elsewhere HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
            &[&[404]],
        ),
        case(
            "RFC 9112, 9.3.2",
            "a broken request after a valid one",
            format!("{keep}nonsense\r\n\r\n"),
            &[&[200], &[400]],
        ),
    ]
}

fn limits() -> Vec<Case> {
    let long = |length: usize| "x".repeat(length);
    vec![
        case(
            "RFC 9112, 3",
            "a line of 8,000 bytes",
            get(&format!("GET /users/1?{} HTTP/1.1", long(7980)), ""),
            &[&[200, 400]],
        ),
        case("RFC 9110, 15.5.15", "a target that is too long", format!("GET /{}", long(32763)), TOO_LARGE),
        case(
            "RFC 6585, 5",
            "a field that is too long",
            format!("GET /users/1 HTTP/1.1\r\nHost: a\r\nX: {}", long(32733)),
            TOO_LARGE,
        ),
        case("RFC 6585, 5", "too many fields", get("GET /users/1 HTTP/1.1", &"X: a\r\n".repeat(200)), TOO_LARGE),
    ]
}
