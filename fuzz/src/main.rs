//! The program of the fuzzer: checks the property that the environment variable `FUZZ_PROPERTY` names, with libFuzzer's
//! arguments.

#![no_main]
#![allow(missing_docs, unsafe_code, reason = "the macro of libFuzzer defines its entry point")]

use std::sync::LazyLock;

static PROPERTY: LazyLock<fuzz::Property> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_PROPERTY").unwrap_or_default();
    fuzz::property(&name).unwrap_or_else(|| panic!("FUZZ_PROPERTY={name} is not a property"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (*PROPERTY)(bytes));
