//! The host under test: ours, or the real Spin.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dev_servers::{Output, Port, Process, Signal};

use crate::database::workspace;

/// How long a start may take: the real Spin compiles all components first.
const START: Duration = Duration::from_secs(300);

const LOG: &str = "host.log";

/// Our host refuses requests that wait too long. On a slow machine this could happen in any test, so it is turned off.
/// The tests of the host (`host/tests`) check it.
const ANY_WAIT: [&str; 4] = ["--max-overload-wait", "0", "--max-queue-wait", "300s"];

/// The settings of a host.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The path below the workspace.
    pub manifest: String,
    pub variables: Vec<(String, String)>,
    pub args: Vec<String>,
}

/// A host's process, on a port that it keeps when it restarts.
#[derive(Debug)]
pub struct Host {
    launch: Launch,
    folder: PathBuf,
    port: Port,
    process: Process,
}

impl Host {
    pub(crate) async fn start(launch: Launch, folder: &Path) -> Self {
        let port = Port::reserve().unwrap_or_else(|error| panic!("{error}"));
        let process = spawn(&launch, folder, port.number()).await;
        Self { launch, folder: folder.into(), port, process }
    }

    /// Starts another host with the same settings, which writes into `folder`. It must not outlive the stores that they
    /// share.
    pub(crate) async fn start_another(&self, folder: &Path) -> Self {
        Self::start(self.launch.clone(), folder).await
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// The process id of the program that was started.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Everything that the host and the components have logged so far.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(self.folder.join(LOG)).expect("the log exists as long as the process");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.exited().is_none()
    }

    /// Kills it with SIGKILL, and everything that it started.
    pub async fn kill(&mut self) {
        self.process.stop(Signal::KILL, START).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Sends SIGTERM and waits up to `limit`; returns the exit status if the process has ended by then.
    pub async fn terminate(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        self.process.signal(Signal::TERM);
        self.process.wait(limit).await
    }

    /// Kills it if it runs, and starts it again on the same port. Returns when it responds.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.process = spawn(&self.launch, &self.folder, self.port.number()).await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of the host's output:\n{}\n---", self.process.tail());
        }
    }
}

async fn spawn(launch: &Launch, folder: &Path, port: u16) -> Process {
    let mut command = Command::new(program());
    let address = format!("127.0.0.1:{port}");
    command.arg("up").arg("--from").arg(workspace().join(&launch.manifest)).args(["--listen", &address]);
    for (name, value) in &launch.variables {
        command.args(["--variable", &format!("{name}={value}")]);
    }
    if std::env::var_os("SPIN").is_none() {
        command.args(ANY_WAIT);
    }
    command.args(&launch.args).current_dir(workspace());
    // By default the real Spin writes the logs of all tests into one file beside spin.toml.
    command.env("SPIN_LOG_DIR", folder.join("spin-logs"));
    let process = Process::spawn("the host", command, Output::Log(&folder.join(LOG)), Signal::KILL);
    let mut process = process.unwrap_or_else(|error| panic!("{error}"));
    let http = reqwest::Client::new();
    // Any response will do: none of the manifests has this route.
    let probe = format!("http://{address}/.well-known/no-such-route");
    let ready = async || http.get(&probe).timeout(Duration::from_secs(5)).send().await.is_ok();
    process.until(START, ready).await.unwrap_or_else(|error| panic!("{error}"));
    process
}

fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("SPIN").or_else(|| std::env::var_os("TUMBLER_HOST")) {
        return program.into();
    }
    let program = workspace().join("target/quick/tumbler-host");
    let hint = "`cargo xtask test` builds it, as does `cargo build --profile quick -p tumbler-host`";
    assert!(program.is_file(), "{} is missing: {hint}", program.display());
    program
}
