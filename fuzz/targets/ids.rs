//! The target `ids`, as libFuzzer runs it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dmgate_fuzz::ids::check(data));
