//! `cargo xtask conformance`: does the running application follow the RFCs of HTTP? Three checks: a table of requests
//! byte by byte, REDbot (a lint for HTTP resources), and Varnish, a real cache, between concurrent clients and the
//! application.

mod cases;
mod exchange;
mod freshness;
mod raw;
mod redbot;
mod varnish;

use anyhow::{Result, ensure};

use crate::bench::application::Environment;
use crate::steps::Steps;
use crate::wasm::Toolchain;
use crate::{build, packages};

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// Run only these checks
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Check>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Check {
    /// Requests byte by byte
    Raw,
    /// REDbot's notes about resources
    Redbot,
    /// A real cache in front
    Varnish,
}

/// One line of the report.
pub struct Row {
    /// The check and what was tried.
    pub case: String,
    /// What happened.
    pub found: String,
    /// Whether that is right.
    pub passed: bool,
}

/// The number of users that exist before the checks.
const USERS: u64 = 20;

/// Builds and starts the application, and runs the checks. Tools that cannot be installed are named, and their check is
/// left out.
///
/// # Errors
/// If a case fails, or the application cannot be built or started.
pub async fn run(options: &Options) -> Result<()> {
    let selected = |check: Check| options.only.is_empty() || options.only.contains(&check);
    let mut steps = Steps::new(
        4 + [Check::Raw, Check::Redbot, Check::Varnish].map(selected).map(usize::from).iter().sum::<usize>(),
    );
    steps.next("checking the tools");
    packages::ensure(&[packages::REDIS, packages::POSTGRES])?;
    let toolchain = Toolchain::ensure()?;
    steps.next("building the components");
    build::components(toolchain, &[])?;
    steps.next("building the host");
    // As the tests do: in CI it is built already.
    let program = build::host_and_tests()?;
    steps.next("starting the application");
    let environment = Environment::new(program, 0).await?;
    let app = environment.start("spin.toml", &[]).await?;
    create_users(&app.address)?;

    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    if selected(Check::Raw) {
        steps.next("sending requests byte by byte");
        rows.extend(raw::rows(&app.address)?);
    }
    if selected(Check::Redbot) {
        steps.next("asking REDbot");
        match redbot::install() {
            Ok(program) => rows.extend(redbot::rows(&program, &app.address)?),
            Err(error) => left_out.push(format!("REDbot: {error:#}")),
        }
    }
    if selected(Check::Varnish) {
        steps.next("changing users behind Varnish");
        match packages::ensure(&[packages::VARNISH]) {
            Ok(()) => rows.extend(varnish::rows(&app.address).await?),
            Err(error) => left_out.push(format!("Varnish: {error:#}")),
        }
    }
    drop(steps);
    report(&rows, &left_out)
}

/// Creates the users 1 to [`USERS`].
fn create_users(address: &str) -> Result<()> {
    let user = |n| format!(r#"{{"name": "User {n}", "email": "user{n}@example.org"}}"#);
    let users = format!("[{}]", (1..=USERS).map(user).collect::<Vec<_>>().join(", "));
    let length = users.len();
    let request = format!(
        "POST /users/batch HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{users}"
    );
    let response = exchange::one(address, &request)?;
    ensure!(response.status == 201, "POST /users/batch: {} {}", response.status, response.body);
    Ok(())
}

fn report(rows: &[Row], left_out: &[String]) -> Result<()> {
    let width = rows.iter().map(|row| row.case.chars().count()).max().unwrap_or_default();
    for row in rows {
        println!("{}  {:width$}  {}", if row.passed { "pass" } else { "FAIL" }, row.case, row.found);
    }
    for tool in left_out {
        println!("NOT CHECKED, because it cannot be installed: {tool}");
    }
    let failed = rows.iter().filter(|row| !row.passed).count();
    println!("{} of {} cases pass", rows.len() - failed, rows.len());
    ensure!(failed == 0, "{failed} cases fail");
    ensure!(!rows.is_empty(), "nothing was checked");
    Ok(())
}
