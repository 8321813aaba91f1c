//! The machine and the versions that the report was measured with.

use std::path::Path;
use std::process::Command;

use dev_servers::programs;

use crate::command;

/// Lines of `name: value`.
pub fn description(host: &Path) -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or_else(|_| "?".into(), |cores| cores.to_string());
    let postgres =
        programs::postgres_folders().ok().and_then(|folders| first_line(&folders[0].join("postgres"), "--version"));
    let redis = programs::redis_server().ok().and_then(|program| first_line(&program, "--version"));
    let version = |name: &str, argument: &str| first_line(Path::new(name), argument).unwrap_or_else(|| "?".into());
    vec![
        ("Date", version("date", "-u +%F")),
        ("CPU", format!("{}, {cores} cores, shared by host, Redis, PostgreSQL and load generator", cpu())),
        ("System", version("uname", "-srm")),
        ("Host", first_line(host, "--version").unwrap_or_else(|| host.display().to_string())),
        ("Rust", version("rustc", "--version")),
        ("Redis", redis.unwrap_or_else(|| "?".into())),
        ("PostgreSQL", format!("{} (fsync=off)", postgres.unwrap_or_else(|| "?".into()))),
        ("Load generator", load_generator()),
    ]
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
