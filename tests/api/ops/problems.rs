//! GET /problems and /problems/:type: the documents behind the types of problems.

use blackbox::App;

/// The documentation has the table that the service shows.
const DOCUMENTATION: &str = include_str!("../../../docs/problems.md");

/// The columns `type`, `status`, `title` and `when` of each row.
fn documented() -> Vec<[&'static str; 4]> {
    let rows = DOCUMENTATION.lines().filter(|line| line.starts_with("| `/problems/"));
    let columns = |row: &'static str| {
        let columns: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [uri, status, title, when] = columns[..] else { panic!("{row}") };
        [uri.trim_matches('`'), status, title, when]
    };
    rows.map(columns).collect()
}

#[tokio::test]
async fn each_type_is_the_address_of_its_entry() {
    let app = App::spawn().await;
    let all = app.get("/problems").await;
    assert_eq!((all.status(), all.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(documented().len() > 20, "{:?}", documented());
    for [uri, status, title, when] in documented() {
        let page = app.get(uri).await;
        let entry = format!("{uri}\n{status} {title}\nWhen: {when}.\n");
        assert_eq!((page.status(), page.text()), (200, entry.as_str()), "{uri}");
        assert!(all.text().contains(&entry), "{uri}: {all:?}");
    }
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_meaning() {
    let app = App::spawn().await;
    let problem = app.get("/users/7").await.expect_problem(404, "not-found");
    let page = app.get(problem["type"].as_str().unwrap()).await;
    assert!(page.text().contains(problem["title"].as_str().unwrap()), "{page:?}");
}

#[tokio::test]
async fn browsers_get_html() {
    let app = App::spawn().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in ["/problems", "/problems/quota-exceeded"] {
        let page = app.get(path).header("accept", browser).await;
        assert_eq!((page.status(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        for part in ["<!doctype html>", "<h1>", "/problems/quota-exceeded", "<code>Retry-After</code>"] {
            assert!(page.text().contains(part), "{part}: {page:?}");
        }
        assert_eq!(page.header("vary"), "accept", "text and HTML have the same URL");
        let text = app.get(path).header("accept", "*/*").await;
        assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(text.header("vary"), "accept");
        assert_ne!(text.header("etag"), page.header("etag"));
    }
}

#[tokio::test]
async fn pages_may_be_cached_and_are_validated() {
    let app = App::spawn().await;
    for path in ["/problems", "/problems/not-found"] {
        let page = app.get(path).await;
        assert_eq!(page.header("cache-control"), "max-age=3600");
        let tag = page.header("etag");
        for request in [app.get(path), app.head(path)] {
            let known = request.header("if-none-match", tag).await;
            assert_eq!((known.status(), known.text(), known.header("etag")), (304, "", tag));
            assert_eq!((known.header("cache-control"), known.header("vary")), ("max-age=3600", "accept"));
        }
        let changed = app.get(path).header("if-match", "\"other\"").await;
        assert_eq!(changed.expect_errors(412, "precondition-failed"), ["if-match"]);
    }
}

#[tokio::test]
async fn unknown_types_are_not_found() {
    let app = App::spawn().await;
    for name in ["no-such-type", "Not-Found", "not-found%20", "not%2Ffound"] {
        app.get(format!("/problems/{name}")).await.expect_problem(404, "not-found");
    }
    assert_eq!(app.get("/problems/%6eot-found").await.status(), 200, "percent-encoding changes nothing");
    app.get("/problems/%zz").await.expect_problem(400, "invalid-parameter");
}
