//! Formatting and lints, as .ci/run asks for them.

use anyhow::Result;

use crate::build::QUICK;
use crate::command;
use crate::step::Steps;

/// Fails if a file is not formatted or a lint has something to say.
pub fn run() -> Result<()> {
    let mut steps = Steps::new(2);
    let step = steps.next("checking the formatting");
    command::run(command::cargo().args(["fmt", "--all", "--check"]))?;
    drop(step);
    let _step = steps.next("running the lints");
    // The tests' profile: build scripts and macros are compiled once for both.
    let mut clippy = command::cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--profile", QUICK, "--", "-D", "warnings"]);
    command::run(&mut clippy)
}
