//! The inputs that the fuzzer found to be of use (`tests/golden/fuzz/<target>`), run through the fuzzer's own targets.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::targets::{self, TARGETS};

fn below(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let mut inputs: Vec<PathBuf> =
        fs::read_dir(below("tests/golden/fuzz").join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    inputs
}

/// Every input that breaks a promise is named, not only the first.
#[test]
fn no_input_that_was_ever_kept_breaks_a_promise() {
    let run = || {
        let mut broken = Vec::new();
        for (target, _) in TARGETS {
            let inputs = inputs(target);
            assert!(!inputs.is_empty(), "`{target}` has no inputs");
            for input in inputs {
                let data = fs::read(&input).unwrap();
                if std::panic::catch_unwind(|| targets::run(target, &data)).is_err() {
                    broken.push(format!("{target}: {}", input.file_name().unwrap().display()));
                }
            }
        }
        broken
    };
    // The stack that renders have.
    let broken = std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap();
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_target_is_fuzzed_and_has_its_inputs() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest = fs::read_to_string(below("fuzz/Cargo.toml")).unwrap();
    let binaries: BTreeSet<String> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .map(str::to_owned)
        .collect();
    assert_eq!(binaries, targets);
    let kept: BTreeSet<String> = fs::read_dir(below("tests/golden/fuzz"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept, targets);
    for target in &targets {
        let file = fs::read_to_string(below("fuzz/fuzz_targets").join(format!("{target}.rs"))).unwrap();
        assert!(file.contains(&format!("run(\"{target}\", data)")), "{target} runs another target");
    }
}

/// What nobody reads through has to be small.
#[test]
fn kept_inputs_are_few_and_small() {
    for (target, _) in TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() <= 100, "{target} has {} inputs", inputs.len());
        for input in inputs {
            assert!(fs::metadata(&input).unwrap().len() <= 4096, "{}", input.display());
        }
    }
}
