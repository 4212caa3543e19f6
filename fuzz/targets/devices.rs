//! The target `devices`, as libFuzzer runs it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dmgate_fuzz::devices::check(data));
