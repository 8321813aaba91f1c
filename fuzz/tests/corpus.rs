//! All properties hold for the inputs in `corpus/`, and for random changes of them. `FUZZ_CHANGES=100000` tries more.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use fuzz::PROPERTIES;

/// The seed of the changes, so that the test always does the same.
const SEED: u64 = 12;
/// Changed inputs of each property.
const CHANGES: usize = 3_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of a property, in a fixed order.
fn inputs(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder().join(name)).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Deletes, repeats, replaces or inserts some bytes of one input, or of another one.
fn changed(inputs: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    const TOKENS: [&str; 16] =
        ["\"", "\\", "*", "[", "]", "@", "#", ":", "/", ",", "%", "\n", "0", "9999999999999999999", "e-1", "\u{202e}"];
    let mut bytes = inputs[rng.usize(..inputs.len())].clone();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=bytes.len());
        let end = rng.usize(at..=bytes.len());
        let part = match rng.u8(..5) {
            0 => Vec::new(),
            1 => bytes[at..end].repeat(2),
            2 => vec![rng.u8(..)],
            3 => TOKENS[rng.usize(..TOKENS.len())].into(),
            _ => inputs[rng.usize(..inputs.len())].clone(),
        };
        drop(bytes.splice(at..if rng.bool() { at } else { end }, part));
    }
    bytes.truncate(4_096);
    bytes
}

#[test]
fn every_property_has_inputs() {
    let mut folders: Vec<_> = fs::read_dir(folder()).unwrap().map(|folder| folder.unwrap().file_name()).collect();
    folders.sort();
    assert_eq!(folders, PROPERTIES.map(|(name, _)| name));
}

#[test]
fn all_properties_hold() {
    let changes = std::env::var("FUZZ_CHANGES").map_or(CHANGES, |changes| changes.parse().unwrap());
    let broken = PROPERTIES.iter().filter_map(|(name, property)| {
        let inputs = inputs(name);
        let mut rng = Rng::with_seed(SEED);
        let more: Vec<_> = (0..changes).map(|_| changed(&inputs, &mut rng)).collect();
        let breaks = |input: &&Vec<u8>| std::panic::catch_unwind(|| property(input)).is_err();
        inputs.iter().chain(&more).find(breaks).map(|input| format!("{name}: b\"{}\"", input.escape_ascii()))
    });
    let broken: Vec<String> = broken.collect();
    assert!(broken.is_empty(), "the first input that breaks each property:\n{}", broken.join("\n"));
}
