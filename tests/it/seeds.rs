//! The seeds of the fuzz targets, and what fuzzing found, as ordinary tests.

#[path = "../../fuzz/entries.rs"]
mod entries;

use std::fs;
use std::path::Path;

#[test]
fn every_seed_passes_its_target_whole_and_cut_off_anywhere() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, entry) in entries::ENTRIES {
        let mut seeds = 0;
        for seed in fs::read_dir(corpus.join(target)).unwrap() {
            let bytes = fs::read(seed.unwrap().path()).unwrap();
            entry(&bytes);
            // Some thirty places are enough: a capture takes its time.
            (0..bytes.len()).step_by(bytes.len() / 30 + 1).for_each(|end| entry(&bytes[..end]));
            seeds += 1;
        }
        assert!(seeds >= 3, "{target} has only {seeds} seeds");
    }
}

#[test]
fn every_target_is_built_and_has_no_seeds_but_its_own() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (target, _) in entries::ENTRIES {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        assert!(fuzz.join(format!("fuzz_targets/{target}.rs")).exists(), "{target}");
    }
    let mut corpora: Vec<_> = fs::read_dir(fuzz.join("corpus"))
        .unwrap()
        .map(|folder| folder.unwrap().file_name().into_string().unwrap())
        .collect();
    corpora.sort();
    assert_eq!(corpora, entries::ENTRIES.iter().map(|(target, _)| *target).collect::<Vec<_>>());
}
