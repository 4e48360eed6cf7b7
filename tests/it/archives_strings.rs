//! The strings of an archive: those of the shared cache are read where they are named, and missing ones are counted.

use crate::archives_tracev3::{Line, ours};
use crate::support::tracev3::{Entry, File, Format, Packing, Program, Value, shared_cache, write};
use crate::support::tracev3_sample::{boot, programs};
use mdm_health::log::tracev3::{StoreSummary, WantedRecords};
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use tempfile::TempDir;

const STRINGS: [&str; 3] = ["first %{public}s", "second %{public}s", "third %{public}s"];

fn strings_at(number: usize) -> u32 {
    0x1_0000 + STRINGS.iter().take(number).map(|string| string.len() as u32 + 1).sum::<u32>()
}

/// An archive with a record for each format string.
fn archive(programs: &[Program], formats: &[Format]) -> TempDir {
    let (folder, boot) = (tempfile::tempdir().unwrap(), boot());
    let mut file = File::new(&boot, programs, Packing::Lz4);
    for (number, format) in formats.iter().enumerate() {
        file.push(&Entry {
            ticks: 1000 + number as u64,
            program: 0,
            thread: 1,
            level: 0,
            subsystem: "com.apple.ManagedClient",
            category: "HTTPUtil",
            format: *format,
            values: vec![Value::Text("value")],
        });
    }
    write(folder.path(), &[("Persist/1.tracev3", file.finish())], &[boot], programs);
    folder
}

fn messages(folder: &TempDir) -> (Vec<String>, StoreSummary) {
    let (lines, summary): (Vec<Line>, _) = ours(folder.path(), &[WantedRecords::of_process("mdmclient")]);
    (lines.into_iter().map(|(line, _)| line.rsplit_once("FF00 ").unwrap().1.to_owned()).collect(), summary)
}

#[test]
fn strings_at_the_ends_of_a_large_shared_cache_are_found() {
    let programs = programs();
    let formats: Vec<Format> = (0..3).map(|number| Format::Shared(strings_at(number))).collect();
    let folder = archive(&programs, &[&formats[..], &[Format::Shared(0x7000_0000), Format::Dynamic]].concat());
    // A file of 150 MB, most of it a hole.
    let cache = shared_cache(&[
        ("/usr/lib/x.dylib", 0x1_0000, 157_000_000, &STRINGS),
        ("/usr/lib/y.dylib", 0x30_0000, 8192, &["y"]),
    ]);
    let path = folder.path().join(format!("dsc/{:032X}", programs[0].shared_cache));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = OpenOptions::new().create_new(true).write(true).open(&path).unwrap();
    file.write_all(&cache[..8196]).unwrap();
    file.seek(SeekFrom::Start(157_000_000)).unwrap();
    file.write_all(&cache[157_000_000..]).unwrap();
    let (messages, summary) = messages(&folder);
    let bad = "Error: Invalid shared string offset";
    assert_eq!(messages, ["first value", "second value", "third value", bad, "value"]);
    assert_eq!(summary.counts.without_strings, 1);
}

#[test]
fn without_its_shared_cache_a_record_is_counted_and_keeps_its_process() {
    let folder = archive(&programs(), &[Format::Shared(strings_at(0)), Format::Own(0)]);
    let (lines, summary) = ours(folder.path(), &[WantedRecords::of_process("mdmclient")]);
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|(line, _)| line.starts_with("/usr/libexec/mdmclient ")), "{lines:?}");
    assert_eq!((summary.counts.records, summary.counts.without_strings), (2, 1));
}

#[test]
fn a_process_whose_path_is_missing_is_counted_and_not_taken_for_another() {
    let programs = programs();
    let folder = archive(&programs, &[Format::Own(0)]);
    let name = format!("{:032X}", programs[0].uuid);
    let uuidtext = folder.path().join(&name[..2]).join(&name[2..]);
    for damage in [None, Some(&b"\x99\x88\x77\x66 no such file"[..]), Some(b"")] {
        match damage {
            None => fs::remove_file(&uuidtext).unwrap(),
            Some(bytes) => fs::write(&uuidtext, bytes).unwrap(),
        }
        let (messages, summary) = messages(&folder);
        assert_eq!((messages.len(), summary.nameless), (0, 1), "{summary:?}");
    }
}

#[test]
fn a_damaged_shared_cache_is_no_worse_than_a_missing_one() {
    let programs = programs();
    let folder = archive(&programs, &[Format::Shared(strings_at(1))]);
    let cache = shared_cache(&[("/usr/lib/x.dylib", 0x1_0000, 4096, &STRINGS)]);
    let path = folder.path().join(format!("dsc/{:032X}", programs[0].shared_cache));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, &cache).unwrap();
    assert_eq!(messages(&folder).0, ["second value"]);
    let mut huge = cache.clone();
    huge[8..16].fill(0xff);
    for bytes in [&cache[..10], &cache[..40], &cache[..4096], b"hcsd", &huge] {
        fs::write(&path, bytes).unwrap();
        let (messages, summary) = messages(&folder);
        assert_eq!((messages.len(), summary.counts.without_strings), (1, 1), "{messages:?}");
    }
}
