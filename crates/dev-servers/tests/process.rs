//! A child process ends with the process that started it; how a child's exit is reported.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dev_servers::{Output, Process, Signal};

/// Set in the process that holds the child and gets killed.
const HOLDER: &str = "DEV_SERVERS_TEST_HOLDER";

fn runs(id: &str) -> bool {
    // The shell's builtin: small images have no program `kill`.
    Command::new("sh").args(["-c", "kill -0 $1", "sh", id]).stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn a_child_dies_with_a_killed_holder() {
    let folder = tempfile::tempdir().unwrap();
    let id_file = folder.path().join("id");
    let this = std::env::current_exe().unwrap();
    let mut holder = Command::new(this)
        .args(["--exact", "holder", "--ignored"])
        .env(HOLDER, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let id = loop {
        match std::fs::read_to_string(&id_file) {
            Ok(id) if id.ends_with('\n') => break id.trim().to_owned(),
            _ => assert!(Instant::now() < deadline, "the holder did not start its child"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(runs(&id));
    holder.kill().unwrap();
    holder.wait().unwrap();
    while runs(&id) {
        assert!(Instant::now() < deadline, "the child outlived its holder");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Not a test: the process that the test above kills.
#[test]
#[ignore = "run by a_child_dies_with_a_killed_holder"]
fn holder() {
    let Ok(folder) = std::env::var(HOLDER) else { return };
    let folder = std::path::Path::new(&folder);
    let mut sleep = Command::new("sleep");
    sleep.arg("600");
    let child = Process::spawn("sleep", sleep, Output::Log(&folder.join("log")), Signal::TERM).unwrap();
    std::fs::write(folder.join("id"), format!("{}\n", child.id())).unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

#[tokio::test]
async fn the_error_of_a_program_that_fails_to_start_contains_its_output() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo out of cheese >&2; exit 3"]);
    let mut process = Process::spawn("shell", shell, Output::Log(&folder.path().join("log")), Signal::TERM).unwrap();
    let error = process.until(Duration::from_secs(20), async || false).await.unwrap_err().to_string();
    assert!(error.contains("out of cheese") && error.contains('3'), "{error}");
}

#[tokio::test]
async fn an_exit_is_reported_when_it_happens_and_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut cat = Command::new("sh");
    cat.args(["-c", "read -r _ < $0; exit 3", folder.path().join("go").to_str().unwrap()]);
    Command::new("mkfifo").arg(folder.path().join("go")).status().unwrap();
    let mut process = Process::spawn("shell", cat, Output::Log(&folder.path().join("log")), Signal::TERM).unwrap();
    assert_eq!(process.wait(Duration::from_millis(10)).await, None);
    std::fs::write(folder.path().join("go"), "\n").unwrap();
    assert_eq!(process.ended().await.code(), Some(3));
    assert_eq!(process.stop(Signal::KILL, Duration::ZERO).await.unwrap().code(), Some(3));
}
