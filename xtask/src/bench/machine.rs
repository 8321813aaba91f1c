//! The machine and the versions that the report was measured with.

use std::path::Path;
use std::process::Command;

use dev_servers::programs;

use super::options::Options;
use crate::{command, workspace};

/// The commit, and whether files have changed since then.
const COMMIT: [&str; 4] = ["describe", "--always", "--dirty", "--exclude=*"];

/// One paragraph: when, where and how a table was measured.
pub fn description(host: &Path, options: &Options) -> String {
    let cores = std::thread::available_parallelism().map_or_else(|_| "?".into(), |cores| cores.to_string());
    let postgres =
        programs::postgres_folders().ok().and_then(|folders| first_line(&folders[0].join("postgres"), "--version"));
    let redis = programs::redis_server().ok().and_then(|program| first_line(&program, "--version"));
    let redis = redis.map(|line| line.split(" sha=").next().unwrap_or_default().to_owned());
    let version = |name: &str, argument: &str| first_line(Path::new(name), argument);
    let commit = command::output(Command::new("git").current_dir(workspace::root()).args(COMMIT)).ok();
    let host = first_line(host, "--version").unwrap_or_else(|| host.display().to_string());
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "?".into());
    let Options { rounds, seconds, connections, profile, .. } = options;
    format!(
        "Measured {date} on {cpu}, {cores} cores, shared by all servers and the load generator; {system}; {host} (commit \
         {commit}, profile {profile}); {rust}; {redis}; {postgres}, fsync=off; {wrk}; {connections} keep-alive \
         connections; {rounds} rounds of {seconds} s.",
        date = or_unknown(version("date", "-u +%F")),
        cpu = cpu(),
        system = or_unknown(version("uname", "-srm")),
        commit = or_unknown(commit),
        rust = or_unknown(version("rustc", "--version")),
        redis = or_unknown(redis),
        postgres = or_unknown(postgres),
        wrk = load_generator(),
    )
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.into(), |(_, name)| name.trim().to_owned())
}

/// The first line that a program prints.
fn first_line(program: &Path, arguments: &str) -> Option<String> {
    let text = command::output(Command::new(program).args(arguments.split(' '))).ok()?;
    text.lines().next().map(str::to_owned)
}

/// The version of wrk. wrk prints it together with its usage, and exits with a failure.
fn load_generator() -> String {
    let output = Command::new("wrk").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    line.split(" Copyright").next().unwrap_or_default().to_owned()
}
