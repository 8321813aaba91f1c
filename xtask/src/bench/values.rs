//! What the settings of stored values cost: compression of values of 1, 10 and 100 KiB, and a hot entry whose TTL ends
//! again and again, with and without refresh-ahead.

use anyhow::{Result, bail};

use super::application::Environment;
use super::http::Client;
use super::measure::{Row, Subject, alternating};
use super::options::Options;
use super::resp::{Connection, Reply};
use super::wrk::Load;

/// The rows of a hot entry that lives for a second: the path and the variables of each. They read different users,
/// because the applications share a Redis.
const HOT: [(&str, &str, &[&str]); 2] = [
    ("a user that lives for 1 s", "/users/1", &["cache_ttl_user=1"]),
    ("the same with refresh-ahead", "/users/2", &["cache_ttl_user=1", "cache_refresh_ahead=10"]),
];

/// The sizes of values, in KiB.
const SIZES: [usize; 3] = [1, 10, 100];

/// Measures all rows.
///
/// # Errors
/// If a response is wrong: wrong responses are not measured.
pub async fn rows(environment: &Environment, options: &Options) -> Result<Vec<Row>> {
    // Each application, and the names and paths of its rows.
    let mut apps = Vec::new();
    for (name, path, variables) in HOT {
        let app = environment.start("spin.toml", &with_flags(variables)).await?;
        Client::connect(&app.address)?.send("GET", path, &[], "", 200)?;
        apps.push((app, vec![(name.to_owned(), path.to_owned())]));
    }
    for (form, variable) in [("as it is", "cache_compress_min_bytes=0"), ("compressed", "cache_compress_min_bytes=1")] {
        let app = environment.start("spin.toml", &with_flags(&[variable])).await?;
        let mut rows = Vec::new();
        for size in SIZES {
            let key = format!("{}-{size}", form.replace(' ', "-"));
            let path = format!("/api/cache/{key}");
            let mut client = Client::connect(&app.address)?;
            client.send("PUT", &format!("{path}?ttl=36000"), &[], &users_of(size * 1024), 200)?;
            client.send("GET", &path, &[], "", 200)?.expect_hit()?;
            let bytes = memory(environment, &format!("cache:entry:kv:get:{key}"))?;
            rows.push((format!("a value of {size} KiB, {form}: {bytes} bytes in Redis"), path));
        }
        apps.push((app, rows));
    }
    let subject = |app, (name, path): &(String, String)| Subject::load(name, app, options, Load::get(path));
    let subjects = apps.iter().flat_map(|(app, rows)| rows.iter().map(move |row| subject(app, row)));
    alternating(&subjects.collect::<Vec<_>>(), options)
}

/// No check and no log adds to what is measured.
fn with_flags<'a>(variables: &[&'a str]) -> Vec<&'a str> {
    let all = variables.iter().copied().chain(["cache_verify_ratio=0", "log_level=off"]);
    all.flat_map(|variable| ["--variable", variable]).collect()
}

/// The memory of a key, as Redis counts it.
fn memory(environment: &Environment, key: &str) -> Result<i64> {
    match Connection::open(environment.redis().port())?.run(&["MEMORY", "USAGE", key])? {
        Reply::Int(bytes) => Ok(bytes),
        other => bail!("the reply to MEMORY USAGE {key} is {other:?}"),
    }
}

/// A JSON array of users that has about this many bytes.
fn users_of(bytes: usize) -> String {
    let user = |id: usize| {
        // Digits that do not repeat, as in real data.
        let digits = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!(
            r#"{{"id":{id},"name":"User {digits:x}","email":"{digits:o}@example.org","isActive":true,"version":1}}"#
        )
    };
    let mut text = String::from("[");
    for id in 1.. {
        text.push_str(&user(id));
        if text.len() + 1 >= bytes {
            break;
        }
        text.push(',');
    }
    text + "]"
}
