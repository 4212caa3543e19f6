//! The target `audit`, as libFuzzer runs it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dmgate_fuzz::audit::check(data));
