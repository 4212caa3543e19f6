//! The target `frames`, as libFuzzer runs it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dmgate_fuzz::frames::check(data));
