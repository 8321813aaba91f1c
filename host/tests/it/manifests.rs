//! Manifests that cannot be run: exit code 1, and an error that names file and line.

use crate::host::{MANIFEST, command};

fn refusal(manifest: &str, arguments: &[&str]) -> String {
    let (mut command, _folder) = command(manifest, arguments);
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.starts_with("error: ") || message.starts_with("warning: "), "{message}");
    message
}

#[test]
fn missing_and_unsupported_settings_are_named_with_their_line() {
    let given = ["--variable", "needed=x"];
    let line_of = |text: &str| MANIFEST.lines().position(|line| line.contains(text)).expect("in the manifest") + 1;

    let message = refusal(MANIFEST, &[]);
    assert!(message.contains(&format!("spin.toml:{}:", line_of("needed = { required"))), "{message}");
    assert!(message.contains("SPIN_VARIABLE_NEEDED"), "{message}");

    let manifest = MANIFEST.replace("description = \"Does", "files = [\"a\"]\ndescription = \"Does");
    let message = refusal(&manifest, &given);
    assert!(message.contains(&format!("spin.toml:{}:", line_of("description = \"Does"))), "{message}");
    assert!(message.contains("`files` is not supported"), "{message}");

    let message = refusal(&MANIFEST.replace("component = \"other\"", "component = \"nobody\""), &given);
    assert!(message.contains(&format!("spin.toml:{}:", line_of("component = \"other\""))), "{message}");

    let manifest = format!("{MANIFEST}[[trigger.redis]]\nchannel = \"x\"\ncomponent = \"probe\"\n");
    let message = refusal(&manifest, &given);
    assert!(message.contains(&format!("spin.toml:{}:", MANIFEST.lines().count() + 1)), "{message}");
    assert!(message.contains("needs an `address`"), "{message}");

    let manifest = format!("{manifest}address = \"redis://127.0.0.1\"\n");
    let message = refusal(&manifest, &given);
    assert!(message.contains(&format!("spin.toml:{}:", line_of("[component.probe]"))), "{message}");
    assert!(message.contains("does not export spin:redis/inbound-redis"), "{message}");

    let manifest = MANIFEST.replace("source = \"SOURCE\"\ndescription", "source = \"gone.wasm\"\ndescription");
    let message = refusal(&manifest, &given);
    assert!(message.contains(&format!("spin.toml:{}:", line_of("[component.probe]"))), "{message}");
    assert!(message.contains("gone.wasm"), "{message}");
}

#[test]
fn an_address_in_use_is_an_error() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("bound").to_string();
    let message = refusal(MANIFEST, &["--variable", "needed=x", "--listen", &address]);
    assert_eq!(message, format!("error: {address} is already in use\n"));
    let message = refusal(MANIFEST, &["--variable", "needed=x", "--metrics-listen", &address]);
    assert_eq!(message, format!("error: --metrics-listen: {address} is already in use\n"));
}
