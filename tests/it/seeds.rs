//! The seeds of the fuzz targets, and inputs that fuzzing found, as ordinary tests.

#[path = "../../fuzz/entries.rs"]
mod entries;

use crate::support::tries;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many seeds are tried at a time: some targets mostly wait for the disk.
const AT_ONCE: usize = 8;

#[test]
fn every_seed_passes_its_target_whole_and_truncated() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut seeds = Vec::new();
    for (target, entry) in entries::ENTRIES {
        let files = fs::read_dir(corpus.join(target)).unwrap().map(|seed| seed.unwrap().path());
        let of_target: Vec<_> = files.map(|file| (entry, fs::read(file).unwrap())).collect();
        assert!(of_target.len() >= 3, "{target} has only {} seeds", of_target.len());
        seeds.extend(of_target);
    }
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((entry, bytes)) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    entry(bytes);
                    // Some lengths are enough: a capture takes a while.
                    let step = bytes.len() / tries(10, 30) + 1;
                    (0..bytes.len()).step_by(step).for_each(|end| entry(&bytes[..end]));
                }
            });
        }
    });
}

#[test]
fn every_target_is_built_and_every_corpus_has_a_target() {
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
