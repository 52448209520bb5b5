#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chart_operator_fuzz::run("strvals", data));
