//! tracev3 files that are damaged, cut off, or made to do harm: what is whole is read, and nothing panics or hangs.

use crate::archives_tracev3::{Line, Patient, ours, store};
use crate::support::capture;
use crate::support::tracev3::{self, Boot, Entry, File, Format, Packing, Program, Value, chunk, write};
use crate::support::tracev3_sample::{boot, programs};
use crate::support::tries;
use mdm_health::host::pieces::{LogStore, Pieces};
use mdm_health::log::tracev3::{StoreSummary, WantedRecords, read};
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use tempfile::TempDir;

/// An archive of one file that is changed again and again.
struct Archive {
    folder: TempDir,
    pieces: Pieces,
    store: LogStore,
}

const FILE: &str = "Persist/0000000000000001.tracev3";

impl Archive {
    fn new() -> Self {
        Self::of(&[boot()], &programs())
    }

    fn of(boots: &[Boot], programs: &[Program]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[(FILE, Vec::new())], boots, programs);
        let (pieces, store) = store(folder.path());
        Self { folder, pieces, store }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// The messages of a file, and how it was read.
    fn read(&self, file: &[u8]) -> (BTreeSet<String>, StoreSummary) {
        fs::write(self.file(), file).unwrap();
        let messages = Mutex::new(BTreeSet::new());
        let sink = |record: &mdm_health::log::tracev3::StoredRecord<'_>| {
            messages.lock().unwrap().insert(record.message.to_owned());
        };
        let summary = read(&self.pieces, &self.store, &wanted(), &sink, &Patient).unwrap();
        (messages.into_inner().unwrap(), summary)
    }
}

fn wanted() -> [WantedRecords; 1] {
    [WantedRecords::of_process("mdmclient")]
}

/// A file whose records have their own number as message: some catalogs of chunksets, half of mdmclient's.
fn numbered(packing: Packing, records: usize) -> Vec<u8> {
    let programs = programs();
    let mut file = File::new(&boot(), &programs, packing);
    for number in 0..records {
        let text = format!("record {number} {}", "of some words that fill a page ".repeat(3 + number % 5));
        file.push(&Entry {
            ticks: 1_000_000 + number as u64 * 1000,
            program: if number.is_multiple_of(2) { 0 } else { 2 + number % 9 },
            thread: 7,
            level: 0,
            subsystem: "com.apple.ManagedClient",
            category: "HTTPUtil",
            format: Format::Own(0),
            values: vec![Value::Text(&text)],
        });
    }
    file.finish()
}

/// The chunks of a whole file: tag and bytes, without padding.
fn chunks(file: &[u8]) -> Vec<(u32, Range<usize>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < file.len() {
        let tag = u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        let size = u64::from_le_bytes(file[at + 8..at + 16].try_into().unwrap()) as usize;
        found.push((tag, at..at + 16 + size));
        at = (at + 16 + size).next_multiple_of(8);
    }
    found
}

const CATALOG: u32 = 0x600b;
const CHUNKSET: u32 = 0x600d;

/// The messages of each chunk of a file, found by reading it with that chunkset alone.
fn messages_of_chunks(archive: &Archive, file: &[u8]) -> Vec<(u32, Range<usize>, BTreeSet<String>)> {
    let chunks = chunks(file);
    let header = chunks[0].1.clone();
    let mut catalog = 0..0;
    let mut found = Vec::new();
    for (tag, range) in chunks {
        if tag == CATALOG {
            catalog = range.clone();
        }
        let padded = |range: &Range<usize>| file[range.start..range.end.next_multiple_of(8).min(file.len())].to_vec();
        let alone = [padded(&header), padded(&catalog), padded(&range)].concat();
        let messages = if tag == CHUNKSET { archive.read(&alone).0 } else { BTreeSet::new() };
        found.push((tag, range, messages));
    }
    found
}

#[test]
fn a_file_cut_off_at_or_within_any_chunk_gives_all_that_lies_before() {
    let archive = Archive::new();
    for packing in [Packing::Lz4, Packing::Stored] {
        let records = tries(4000, 6000);
        let file = numbered(packing, records);
        let chunks = messages_of_chunks(&archive, &file);
        assert!(chunks.iter().filter(|(tag, ..)| *tag == CATALOG).count() > 1);
        let whole = archive.read(&file).0;
        assert_eq!(whole.len(), records / 2);
        for (at, (_, range, messages)) in chunks.iter().enumerate() {
            let before: BTreeSet<&String> = chunks[..at].iter().flat_map(|(_, _, messages)| messages).collect();
            for end in
                [range.start, range.start + 9, range.start + 21, range.end - range.len() / 3, range.end - 1, range.end]
            {
                let (found, summary) = archive.read(&file[..end]);
                assert!(before.iter().all(|message| found.contains(*message)), "cut at {end} of {range:?}");
                assert!(found.iter().all(|message| before.contains(message) || messages.contains(message)));
                let is_within = end > range.start && end < range.end;
                assert_eq!(summary.cut_files == 1, is_within, "cut at {end} of {range:?}: {summary:?}");
                // What of the last chunkset can be read is read.
                if end == range.end - range.len() / 3 && !messages.is_empty() {
                    let rest = found.iter().filter(|message| messages.contains(*message)).count();
                    assert!(rest > 0, "none of {}", messages.len());
                }
            }
        }
    }
}

#[test]
fn a_changed_byte_costs_no_chunk_but_its_own() {
    let archive = Archive::new();
    let file = numbered(Packing::Lz4, 3000);
    let chunks = messages_of_chunks(&archive, &file);
    let mut seed = 5_u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    let mutants = tries(60, 10_000);
    let mut lost = 0;
    for number in 0..mutants {
        // Every second one in a preamble or at the start of a chunk's data, where it does most.
        let (_, range, _) = &chunks[1 + random(chunks.len() - 1)];
        let at = range.start + random(if number % 2 == 0 { 48 } else { range.len() });
        let mut mutant = file.clone();
        mutant[at] = [0, 0xff, mutant[at] ^ 1 << random(8), random(256) as u8][random(4)];
        let hit = chunks.iter().rposition(|(_, range, _)| range.start <= at).unwrap();
        let (found, summary) = archive.read(&mutant);
        let mut catalog = 0;
        for (other, (tag, _, messages)) in chunks.iter().enumerate() {
            if *tag == CATALOG {
                catalog = other;
            }
            // A catalog says whose its chunksets are.
            if other != hit && catalog != hit {
                let missing = messages.iter().find(|message| !found.contains(*message));
                assert!(missing.is_none(), "byte {at} of chunk {hit} cost chunk {other}: {missing:?} {summary:?}");
            }
        }
        lost += usize::from(summary.lost > 0);
    }
    assert!(lost > mutants / 4, "{lost}");
}

/// Pages of several chunksets are decoded together, and macos-unifiedlogs gives none of them where it cannot read one.
#[test]
fn a_page_that_cannot_be_decoded_costs_no_page_of_another_chunkset() {
    let archive = Archive::new();
    let file = numbered(Packing::Lz4, 3000);
    let chunks = messages_of_chunks(&archive, &file);
    let at = 18_368;
    let hit = chunks.iter().rposition(|(_, range, _)| range.start <= at).unwrap();
    assert_eq!((chunks[hit].0, hit), (CHUNKSET, 5));
    for value in (0..=u8::MAX).step_by(tries(8, 1)) {
        let mut mutant = file.clone();
        mutant[at] = value;
        let (found, summary) = archive.read(&mutant);
        for (other, (.., messages)) in chunks.iter().enumerate().filter(|(other, _)| *other != hit) {
            assert!(messages.is_subset(&found), "{value} at {at} cost chunk {other}: {summary:?}");
        }
    }
}

#[test]
fn anything_at_all_is_read_to_its_end() {
    let archive = Archive::new();
    let file = numbered(Packing::Lz4, 600);
    let mut seed = 3_u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    for _ in 0..tries(300, 10_000) {
        let mut mutant = file.clone();
        for _ in 0..1 + random(40) {
            let at = random(mutant.len());
            mutant[at] = random(256) as u8;
        }
        let (from, length) = (random(mutant.len()), random(2000));
        match random(3) {
            0 => drop(mutant.drain(from..(from + length).min(file.len()))),
            1 => mutant.extend_from_within(from..(from + length).min(file.len())),
            _ => mutant.truncate(from),
        }
        archive.read(&mutant);
    }
}

#[test]
fn a_chunk_that_claims_all_of_memory_ends_at_once_with_a_sentence() {
    let archive = Archive::new();
    let whole = numbered(Packing::Lz4, 2000);
    let expected = archive.read(&whole).0;
    let header = chunks(&whole)[0].1.clone();

    // A chunk of nearly 2^64 bytes, in the middle and at the end.
    let mut huge = chunk(CHUNKSET, b"bv41");
    huge[8..16].copy_from_slice(&0xFFFF_FFFF_FFFF_FFF0_u64.to_le_bytes());
    for file in [[&whole[..], &huge].concat(), [&whole[header.clone()], &huge, &whole[header.end..]].concat()] {
        let (found, summary) = archive.read(&file);
        assert_eq!(found, expected);
        assert!(summary.first_lost.unwrap().contains("claims 18446744073709551600 bytes"));
    }
    if let Some(hostile) = capture("logarchive/hostile_infinite_loop.tracev3") {
        let (_, summary) = archive.read(&fs::read(hostile).unwrap());
        assert!(summary.lost > 0, "{summary:?}");
    }

    // A chunkset that claims to unpack to 3.9 GB.
    let data = [b"bv41", &3_900_000_000_u32.to_le_bytes()[..], &8_u32.to_le_bytes(), &[0xff; 8], b"bv4$"].concat();
    let catalog = chunks(&whole)[1].1.end.next_multiple_of(8);
    let file = [&whole[..catalog], &chunk(CHUNKSET, &data), &whole[catalog..]].concat();
    let (found, summary) = archive.read(&file);
    assert_eq!(found, expected);
    assert!(summary.first_lost.unwrap().contains("claims to unpack to 3900000000 bytes"));
}

#[test]
fn a_record_on_which_the_decoder_panics_costs_only_itself() {
    let mut programs = programs();
    programs[0].formats.push("%.*s".to_owned());
    let archive = Archive::of(&[boot()], &programs);
    let mut file = File::new(&boot(), &programs, Packing::Lz4);
    for number in 0..200_u64 {
        let text = format!("record {number}");
        let (format, values) = if number == 77 || number == 150 {
            (Format::Own(3), vec![Value::Precision(4)])
        } else {
            (Format::Own(0), vec![Value::Text(&text)])
        };
        let (subsystem, category) = ("com.apple.ManagedClient", "HTTPUtil");
        let ticks = 1_000_000 + number;
        file.push(&Entry { ticks, program: 0, thread: 7, level: 0, subsystem, category, format, values });
    }
    let (found, summary) = archive.read(&file.finish());
    assert_eq!((found.len(), summary.counts.damaged), (198, 2), "{summary:?}");
}

#[test]
fn an_oversize_string_in_the_file_before_is_found() {
    let (boot, programs) = (boot(), programs());
    let folder = tempfile::tempdir().unwrap();
    let long = "long ".repeat(2000);
    let mut file = File::new(&boot, &programs, Packing::Lz4);
    let (subsystem, category, format) = ("com.apple.ManagedClient", "HTTPUtil", Format::Own(0));
    let entry = Entry {
        ticks: 10,
        program: 0,
        thread: 7,
        level: 0,
        subsystem,
        category,
        format,
        values: vec![Value::Text(&long)],
    };
    file.push(&entry);
    let whole = file.finish();
    // The string goes into one file, the page that refers to it into another.
    let pages = {
        let chunkset = chunks(&whole)[2].1.clone();
        let data = &whole[chunkset.start + 16..chunkset.end];
        lz4_flex::block::decompress(
            &data[12..data.len() - 4],
            u32::from_le_bytes(data[4..8].try_into().unwrap()) as usize,
        )
        .unwrap()
    };
    let parts = chunks(&pages);
    assert_eq!(parts.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [0x6002, 0x6001]);
    let catalog = chunks(&whole)[1].1.end;
    let files: Vec<(String, Vec<u8>)> = [(1, &parts[1].1), (2, &parts[0].1)]
        .map(|(number, part)| {
            let pages = &pages[part.clone()];
            let data = [b"bv4-", &(pages.len() as u32).to_le_bytes()[..], pages, b"bv4$"].concat();
            (format!("Persist/{number:016x}.tracev3"), [&whole[..catalog], &chunk(CHUNKSET, &data)].concat())
        })
        .into();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    write(folder.path(), &files, &[boot], &programs);
    let (lines, summary): (Vec<Line>, _) = ours(folder.path(), &wanted());
    assert_eq!((lines.len(), summary.counts.without_strings), (1, 0), "{summary:?}");
    assert!(lines[0].0.ends_with(&long));
}

#[test]
fn a_file_without_a_header_and_one_that_is_none_are_said() {
    let archive = Archive::new();
    let whole = numbered(Packing::Lz4, 600);
    let header = chunks(&whole)[0].1.end;
    for file in [&whole[header..], b"not a log at all", b"", &tracev3::header(&boot(), "Mac14,2")[..40]] {
        let (found, summary) = archive.read(file);
        assert!(found.is_empty());
        assert!(summary.lost > 0 && summary.first_lost.is_some(), "{summary:?}");
    }
}
