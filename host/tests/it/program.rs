//! A host that runs for one test, and a client for it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// A manifest in which `probe` has all paths, `other` is only for components, `/fixed` needs none.
pub const MANIFEST: &str = r#"
spin_manifest_version = 2

[application]
name = "probe-app"
version = "1.2.3"

[variables]
plain = { default = "by default" }
needed = { required = true }
redis_url = { default = "redis://127.0.0.1:1" }
database_url = { default = "postgres://nobody@127.0.0.1:1/none" }
fetchable = { default = "127.0.0.1:1" }

[[trigger.http]]
route = "/..."
component = "probe"

[[trigger.http]]
route = "/named/:user_id/..."
component = "probe"

[[trigger.http]]
route = { private = true }
component = "other"

[[trigger.http]]
route = "/fixed"
static_response = { status_code = 203, headers = { x-fixed = "yes" }, body = "fixed" }

[component.probe]
source = "SOURCE"
description = "Does what it is told"
environment = { GREETING = "from the manifest", KEPT = "kept" }
allowed_outbound_hosts = [
    "redis://127.0.0.1:*", "postgres://127.0.0.1:*", "http://{{ fetchable }}", "http://other.spin.internal", "http://self",
]

[component.probe.variables]
plain = "<{{ plain }}>"
needed = "{{ needed }}"
redis_url = "{{ redis_url }}"
database_url = "{{ database_url }}"

[component.other]
source = "SOURCE"
environment = { GREETING = "from the other" }
"#;

/// How to build the component that the tests run.
const BUILD: &str = "cargo build --manifest-path host/tests/guests/Cargo.toml --target wasm32-wasip2 --release \
                     --target-dir target/guests";

fn probe() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the host is in a workspace");
    let file = workspace.join("target/guests/wasm32-wasip2/release/probe.wasm");
    assert!(file.is_file(), "{} is missing; build it with `{BUILD}`", file.display());
    file
}

/// A host that is running.
pub struct Host {
    child: Child,
    /// `http://127.0.0.1:port`
    pub url: String,
    output: Receiver<String>,
    _folder: tempfile::TempDir,
}

/// An answer, complete.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// The program with `manifest` in a folder of its own.
pub fn command(manifest: &str, arguments: &[&str]) -> (Command, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = manifest.replace("SOURCE", &probe().display().to_string());
    std::fs::write(folder.path().join("spin.toml"), manifest).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tumbler-host"));
    command.arg("up").arg("--from").arg(folder.path()).args(["--workers", "1"]);
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    (command, folder)
}

fn lines(stream: impl Read + Send + 'static, into: std::sync::mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if into.send(line).is_err() {
                break;
            }
        }
    });
}

impl Host {
    /// Starts [`MANIFEST`] on one worker and waits until it listens.
    pub fn start(arguments: &[&str]) -> Self {
        let arguments: Vec<&str> = ["--variable", "needed=given"].iter().chain(arguments).copied().collect();
        Self::start_manifest(MANIFEST, &arguments)
    }

    /// The same with another manifest.
    pub fn start_manifest(manifest: &str, arguments: &[&str]) -> Self {
        let (mut command, folder) = command(manifest, arguments);
        let mut child = command.spawn().expect("the program starts");
        let (sender, output) = channel();
        lines(child.stdout.take().expect("piped"), sender.clone());
        lines(child.stderr.take().expect("piped"), sender);
        let mut host = Self { child, url: String::new(), output, _folder: folder };
        host.url = host.wait_for_line("Serving ").trim_start_matches("Serving ").to_owned();
        host
    }

    /// Waits for a line of output that contains `text`.
    pub fn wait_for_line(&self, text: &str) -> String {
        let mut seen = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no line with {text:?}, but:\n{}", seen.join("\n")),
            }
        }
    }

    /// The lines of output that have come and that nobody has waited for.
    pub fn lines_so_far(&self) -> Vec<String> {
        // The last ones may be on their way.
        std::thread::sleep(Duration::from_millis(100));
        self.output.try_iter().collect()
    }

    /// The process, for signals.
    pub fn id(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        rustix::process::kill_process(self.id(), rustix::process::Signal::TERM).expect("running");
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().expect("waitable") {
                return status;
            }
            assert!(Instant::now() < deadline, "the host does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The address without scheme.
    pub fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// GETs a path; a broken connection or body is an error.
    pub async fn try_get(&self, path: &str) -> Result<Answer, String> {
        let request = Request::get(format!("{}{path}", self.url)).body(Full::default()).expect("valid");
        send(request).await
    }

    /// GETs a path.
    pub async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Sends any request.
    pub async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request.body(Full::from(body.to_owned())).expect("valid")).await.expect("an answer")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request on a connection of its own.
pub async fn send(request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let response = client.request(request).await.map_err(|error| format!("{error:?}"))?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| format!("{} {error:?}", parts.status))?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() })
}

impl Answer {
    /// Fails unless it is a problem document with `status`.
    #[track_caller]
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        assert_eq!(problem["status"], status);
    }

    /// Fails unless it is 200 with this body.
    #[track_caller]
    pub fn assert_body(&self, body: &str) {
        assert_eq!((self.status.as_u16(), self.body.as_str()), (200, body));
    }
}
