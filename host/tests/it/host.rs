//! The host as a process that runs for one test, and a client for it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// How long anything may take that is about to happen. Only a test that fails waits so long.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// A manifest in which `probe` has all paths, `other` can only be called by components, and `/fixed` needs no
/// component.
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
description = "Does what a test asks for"
environment = { GREETING = "from the manifest", KEPT = "kept" }
allowed_outbound_hosts = [
    "redis://127.0.0.1:*", "postgres://127.0.0.1:*", "http://{{ fetchable }}", "http://other.spin.internal", "http://self",
    "http://localhost:*",
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

/// The variable that [`MANIFEST`] requires.
pub const NEEDED: [&str; 2] = ["--variable", "needed=given"];

/// How to build the components that the tests run.
const BUILD: &str = "cargo build --manifest-path host/tests/guests/Cargo.toml --target wasm32-wasip2 --release \
                     --target-dir target/guests`, and with `examples/events/Cargo.toml";

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the host is in a workspace")
}

/// The file of the component `name`.
pub fn guest(name: &str) -> PathBuf {
    let file = workspace().join(format!("target/guests/wasm32-wasip2/release/{name}.wasm"));
    assert!(file.is_file(), "{} is missing; build it with `{BUILD}`", file.display());
    file
}

/// The host, with one worker unless `arguments` say otherwise, and with `manifest` in a folder of its own.
pub fn command(manifest: &str, arguments: &[&str]) -> (Command, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = manifest.replace("SOURCE", &guest("probe").display().to_string());
    let manifest = manifest.replace("LISTENER", &guest("listener").display().to_string());
    std::fs::write(folder.path().join("spin.toml"), manifest).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tumbler-host"));
    command.arg("up").arg("--from").arg(folder.path());
    // On a slow machine, a burst of requests is overload. Only the tests of it turn its control on.
    for [option, value] in [["--workers", "1"], ["--listen", "127.0.0.1:0"], ["--max-overload-wait", "0"]] {
        if !arguments.contains(&option) {
            command.args([option, value]);
        }
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    (command, folder)
}

/// A running host.
pub struct Host {
    child: Child,
    /// `http://127.0.0.1:port`
    pub url: String,
    output: Mutex<Output>,
    _folder: tempfile::TempDir,
}

/// The lines that the program writes. Standard output and standard error are read by two threads, so lines of one may
/// overtake lines of the other.
struct Output {
    lines: UnboundedReceiver<String>,
    /// Lines that arrived while a test waited for another one.
    passed_over: Vec<String>,
}

fn send_lines(stream: impl Read + Send + 'static, to: UnboundedSender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                break;
            }
        }
    });
}

impl Host {
    /// Starts [`MANIFEST`] and waits until it listens.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::start_manifest(MANIFEST, arguments).await
    }

    /// The same with another manifest.
    pub async fn start_manifest(manifest: &str, arguments: &[&str]) -> Self {
        let arguments: Vec<&str> = NEEDED.iter().chain(arguments).copied().collect();
        let (command, folder) = command(manifest, &arguments);
        Self::run(command, folder).await
    }

    /// Starts what [`command`] returned and waits until it listens.
    pub async fn run(command: Command, folder: tempfile::TempDir) -> Self {
        let mut host = Self::spawn(command, folder);
        host.url = host.wait_for_line("Serving ").await.trim_start_matches("Serving ").to_owned();
        host
    }

    /// Starts what [`command`] returned and does not wait. It has no URL.
    pub fn spawn(mut command: Command, folder: tempfile::TempDir) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let (sender, lines) = unbounded_channel();
        send_lines(child.stdout.take().expect("piped"), sender.clone());
        // A test may have given it a terminal.
        if let Some(stderr) = child.stderr.take() {
            send_lines(stderr, sender);
        }
        Self {
            child,
            url: String::new(),
            output: Mutex::new(Output { lines, passed_over: Vec::new() }),
            _folder: folder,
        }
    }

    /// Waits for a line of output that contains `text`, the first one that was not returned before.
    pub async fn wait_for_line(&self, text: &str) -> String {
        let Output { lines, passed_over } = &mut *self.output.lock().await;
        if let Some(at) = passed_over.iter().position(|line| line.contains(text)) {
            return passed_over.remove(at);
        }
        loop {
            match timeout(DEADLINE, lines.recv()).await {
                Ok(Some(line)) if line.contains(text) => return line,
                Ok(Some(line)) => passed_over.push(line),
                Ok(None) | Err(_) => panic!("no line with {text:?}, but:\n{}", passed_over.join("\n")),
            }
        }
    }

    /// The lines of output so far that no test has waited for.
    pub async fn lines_so_far(&self) -> Vec<String> {
        let Output { lines, passed_over } = &mut *self.output.lock().await;
        let earlier = std::mem::take(passed_over);
        earlier.into_iter().chain(std::iter::from_fn(|| lines.try_recv().ok())).collect()
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("running");
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().expect("waitable") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, ended).await.expect("the host ends")
    }

    /// Address and port.
    pub fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// GETs a path. Errors: a broken connection or body.
    pub async fn try_get(&self, path: &str) -> Result<Response, String> {
        read(self.get_header(path).await?).await
    }

    /// GETs a path.
    pub async fn get(&self, path: &str) -> Response {
        self.try_get(path).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// GETs a path; returns when the response's header has arrived.
    pub async fn get_header(&self, path: &str) -> Result<http::Response<Incoming>, String> {
        send(Request::get(format!("{}{path}", self.url)).body(Full::default()).expect("valid")).await
    }

    /// Sends any request.
    pub async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        request(method, &format!("{}{path}", self.url), headers, body).await
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// GETs a URL.
pub async fn get(url: &str) -> Response {
    request(Method::GET, url, &[], "").await
}

/// Sends any request to a URL.
pub async fn request(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = send(request.body(Full::from(body.to_owned())).expect("valid")).await;
    read(response.expect("a response")).await.expect("a complete body")
}

/// Sends a request on a connection of its own.
async fn send(request: Request<Full<Bytes>>) -> Result<http::Response<Incoming>, String> {
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let response = timeout(DEADLINE, client.request(request)).await;
    response.map_err(|_| "no response".to_owned())?.map_err(|error| format!("{error:?}"))
}

/// Reads the body of a response.
pub async fn read(response: http::Response<Incoming>) -> Result<Response, String> {
    let (parts, body) = response.into_parts();
    let body = timeout(DEADLINE, body.collect()).await.map_err(|_| "the body does not end".to_owned())?;
    let body = body.map_err(|error| format!("{} {error:?}", parts.status))?.to_bytes();
    Ok(Response { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// A response with its body.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Response {
    /// Fails unless it is a problem document with `status` that no cache keeps, and with `Retry-After` only for 503.
    #[track_caller]
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.headers["cache-control"], "no-store");
        let problem: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["title"], self.status.canonical_reason().expect("a known status"));
        let retry_after = self.headers.get("retry-after").map(|seconds| seconds.as_bytes());
        assert_eq!(retry_after, (status == 503).then_some(&b"1"[..]));
    }

    /// Fails unless it is 200 with this body.
    #[track_caller]
    pub fn assert_body(&self, body: &str) {
        assert_eq!((self.status.as_u16(), self.body.as_str()), (200, body));
    }
}
