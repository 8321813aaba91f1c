//! A child process that never outlives this process.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

use crate::Error;

/// A shell script that waits until this process closes its end of a pipe, by exiting or by being killed, and then ends
/// the child's process group. Unlike PR_SET_PDEATHSIG, this works on every Unix, needs no code between fork and exec,
/// and does not depend on the thread that started the child.
const LIFELINE: &str = r#"read -r _; kill -s "$1" -- "-$2"; kill -s CONT -- "-$2""#;

/// How long a child may take to end after its handle was dropped, before SIGKILL.
const GRACE: Duration = Duration::from_secs(8);

/// Where a program's standard output and error go.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
    /// Appended to a file.
    Log(&'a Path),
    /// The same place as this process's output.
    Inherited,
}

/// A running program in its own process group: Ctrl-C in the terminal does not reach it, so the holder of this handle
/// decides the order in which programs stop. Dropping the handle ends the program and waits for that.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lifeline: Child,
    log: Option<PathBuf>,
    on_drop: Signal,
}

impl Process {
    /// Starts `command` with no standard input.
    ///
    /// `on_drop` is the signal that ends it when the handle is dropped or this process dies. If the handle was dropped
    /// and the program still runs after a few seconds, SIGKILL follows.
    ///
    /// # Errors
    /// [`Error::Io`] if the log cannot be opened or the program cannot be started.
    pub fn spawn(name: &str, mut command: Command, output: Output<'_>, on_drop: Signal) -> Result<Self, Error> {
        command.stdin(Stdio::null()).process_group(0);
        let mut log = None;
        if let Output::Log(path) = output {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            let out = opened.map_err(Error::io(format!("open {}", path.display())))?;
            command.stderr(out.try_clone().map_err(Error::io(format!("open {}", path.display())))?).stdout(out);
            log = Some(path.to_owned());
        }
        let mut child = command.spawn().map_err(Error::io(format!("start {name}")))?;
        match lifeline(child.id(), on_drop) {
            Ok(lifeline) => Ok(Self { name: name.into(), child, lifeline, log, on_drop }),
            Err(error) => {
                // Their errors are ignored: the first error is the one to report.
                let _ = child.kill();
                let _ = child.wait();
                Err(Error::io(format!("start the shell that ends {name} with this process"))(error))
            }
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to the program's process group. Does nothing if the program has ended.
    pub fn signal(&self, signal: Signal) {
        // The id cannot belong to another process yet: this handle has not reaped the child.
        let _ = kill_process_group(pid(self.child.id()), signal);
    }

    /// The exit status, or `None` while the program runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until the program has ended. It may be called again, and the future may be dropped early.
    pub async fn ended(&mut self) -> ExitStatus {
        // Subscribed before the first check, so that no exit is missed.
        let mut children = signal(SignalKind::child()).expect("the runtime handles signals");
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            children.recv().await;
        }
    }

    /// Waits until the program has ended; `None` if it still runs after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        tokio::time::timeout(limit, self.ended()).await.ok()
    }

    /// Sends `signal`, unless the program has already ended, and waits for the end.
    ///
    /// # Errors
    /// [`Error::TooSlow`] if it still runs after `limit`.
    pub async fn stop(&mut self, signal: Signal, limit: Duration) -> Result<ExitStatus, Error> {
        // Once its end has been seen, its process id may belong to another process.
        if let Some(status) = self.exited() {
            return Ok(status);
        }
        self.signal(signal);
        match self.wait(limit).await {
            Some(status) => Ok(status),
            None => Err(self.too_slow("stop", limit)),
        }
    }

    /// Waits until `ready` returns true.
    ///
    /// # Errors
    /// [`Error::Ended`] if the program ends first, [`Error::TooSlow`] if it is not ready after `limit`.
    pub async fn until(&mut self, limit: Duration, mut ready: impl AsyncFnMut() -> bool) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.exited() {
                return Err(Error::Ended { name: self.name.clone(), status: status.to_string(), tail: self.tail() });
            }
            if ready().await {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.too_slow("become ready", limit));
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// The last 30 lines of the log; empty if there is no log.
    pub fn tail(&self) -> String {
        let bytes = self.log.as_ref().and_then(|log| std::fs::read(log).ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn too_slow(&self, what: &'static str, limit: Duration) -> Error {
        Error::TooSlow { name: self.name.clone(), what, seconds: limit.as_secs(), tail: self.tail() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut signal = self.on_drop;
        let mut deadline = Instant::now() + GRACE;
        while self.exited().is_none() {
            self.signal(signal);
            self.signal(Signal::CONT);
            while self.exited().is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
            signal = Signal::KILL;
            deadline = Instant::now() + GRACE;
        }
        let _ = self.lifeline.kill();
        let _ = self.lifeline.wait();
    }
}

/// The process ids of the direct children of `parent`. PostgreSQL's backends are not in its process group, so
/// suspending them takes their ids.
pub fn children(parent: u32) -> Vec<u32> {
    let pairs = if Path::new("/proc/self/stat").exists() { pairs_from_proc() } else { pairs_from_ps() };
    pairs.into_iter().filter(|(_, ppid)| *ppid == parent).map(|(pid, _)| pid).collect()
}

/// Pairs of process id and parent's id, from proc(5): small Linux images have no ps.
fn pairs_from_proc() -> Vec<(u32, u32)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pair = |entry: std::fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in brackets, may contain any characters; the state and the parent's id follow it.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some((id, parent))
    };
    entries.filter_map(pair).collect()
}

fn pairs_from_ps() -> Vec<(u32, u32)> {
    let listing = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output();
    let text = listing.map(|listing| String::from_utf8_lossy(&listing.stdout).into_owned()).unwrap_or_default();
    let pair = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// Sends `signal` to one process. Does nothing if it has ended.
pub fn signal_one(id: u32, signal: Signal) {
    let _ = kill_process(pid(id), signal);
}

fn pid(id: u32) -> Pid {
    let raw = i32::try_from(id).expect("process ids are positive and fit in 31 bits");
    Pid::from_raw(raw).expect("no child has process id 0")
}

fn lifeline(id: u32, signal: Signal) -> std::io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", LIFELINE, "lifeline", &signal.as_raw().to_string(), &id.to_string()]);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
}
