//! A small writer of log archives, from the format that libyal's dtformats documents: header, catalogs, chunksets of
//! pages, timesync files and the files of format strings.
#![allow(dead_code, reason = "tests and benches use their own parts")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How much a page, a chunkset and a catalog take before the next one is begun.
const PAGE: usize = 4096;
const CHUNKSET: usize = 60 << 10;
const CHUNKSETS: usize = 8;

/// The first offset of the strings of an executable.
const STRINGS_AT: u32 = 0x8000;

/// A program that writes records.
#[derive(Clone)]
pub struct Program {
    pub image: String,
    pub uuid: u128,
    pub pid: u32,
    pub uid: u32,
    /// The format strings of its executable.
    pub formats: Vec<String>,
    /// The shared cache that it uses.
    pub shared_cache: u128,
}

/// Where the format string of a record is.
#[derive(Clone, Copy)]
pub enum Format {
    /// In the executable, by its number.
    Own(usize),
    /// In the shared cache, by its offset there.
    Shared(u32),
    /// Nowhere: the value is the message.
    Dynamic,
}

/// What stands for a placeholder of the format string.
#[derive(Clone)]
pub enum Value<'v> {
    Text(&'v str),
    Private,
    Number(u64),
    /// The number of letters of the text behind it.
    Precision(u32),
}

/// A record.
#[derive(Clone)]
pub struct Entry<'e> {
    pub ticks: u64,
    pub program: usize,
    pub thread: u64,
    /// 0 default, 1 info, 2 debug, 16 error, 17 fault.
    pub level: u8,
    pub subsystem: &'e str,
    pub category: &'e str,
    pub format: Format,
    pub values: Vec<Value<'e>>,
}

/// How chunksets are packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Lz4,
    Stored,
}

/// A boot: its UUID, its timebase, and when its clocks said what.
#[derive(Clone)]
pub struct Boot {
    pub uuid: u128,
    pub timebase: (u32, u32),
    /// Nanoseconds since 1970 at tick 0.
    pub start: i64,
    /// Ticks, nanoseconds since 1970, minutes west without summer time, whether summer time is in force.
    pub syncs: Vec<(u64, i64, i32, bool)>,
    /// Minutes west and summer time at the start.
    pub zone: (i32, bool),
}

/// A tracev3 file in the making.
pub struct File<'p> {
    programs: &'p [Program],
    packing: Packing,
    bytes: Vec<u8>,
    /// A page for each program that has one.
    pages: BTreeMap<usize, Page>,
    chunkset: Vec<u8>,
    span: Option<(u64, u64)>,
    writers: BTreeSet<usize>,
    /// Chunksets behind the catalog that is to come.
    chunksets: Vec<Chunkset>,
    /// The subsystems of each program, whose place is their identifier less one.
    subsystems: BTreeMap<usize, Vec<(String, String)>>,
    oversize: u32,
}

struct Chunkset {
    bytes: Vec<u8>,
    span: (u64, u64),
    writers: BTreeSet<usize>,
    unpacked: usize,
}

struct Page {
    base: u64,
    last: u64,
    bytes: Vec<u8>,
}

impl<'p> File<'p> {
    pub fn new(boot: &Boot, programs: &'p [Program], packing: Packing) -> Self {
        Self {
            programs,
            packing,
            bytes: header(boot, "Mac14,2"),
            pages: BTreeMap::new(),
            chunkset: Vec::new(),
            span: None,
            writers: BTreeSet::new(),
            chunksets: Vec::new(),
            subsystems: BTreeMap::new(),
            oversize: 0,
        }
    }

    /// Writes a record.
    pub fn push(&mut self, entry: &Entry<'_>) {
        let record = |reference: u32, values: &[Value<'_>], file: &mut Self| file.record(entry, reference, values);
        let length: usize =
            entry.values.iter().map(|value| if let Value::Text(text) = value { text.len() } else { 8 }).sum();
        let bytes = if length > PAGE - 600 {
            self.oversize += 1;
            let reference = self.oversize;
            self.push_oversize(entry, reference);
            record(reference, &[], self)
        } else {
            record(0, &entry.values, self)
        };
        let is_full = self.pages.get(&entry.program).is_some_and(|page| {
            page.bytes.len() + bytes.len() + 48 > PAGE || entry.ticks < page.base || entry.ticks - page.base >= 1 << 48
        });
        if is_full {
            self.close_page(entry.program);
        }
        let page = self.pages.entry(entry.program).or_insert(Page { base: entry.ticks, last: 0, bytes: Vec::new() });
        let delta = entry.ticks - page.base;
        page.last = page.last.max(entry.ticks);
        let at = page.bytes.len();
        page.bytes.extend_from_slice(&bytes);
        page.bytes[at + 16..at + 22].copy_from_slice(&delta.to_le_bytes()[..6]);
        while !page.bytes.len().is_multiple_of(8) {
            page.bytes.push(0);
        }
    }

    fn record(&mut self, entry: &Entry<'_>, reference: u32, values: &[Value<'_>]) -> Vec<u8> {
        let (flag, location) = match entry.format {
            Format::Own(number) => {
                let before = self.programs[entry.program].formats.iter().take(number);
                (0x2, STRINGS_AT + before.map(|format| format.len() as u32 + 1).sum::<u32>())
            }
            Format::Shared(offset) => (0x4, offset),
            Format::Dynamic => (0x2, 0x8000_0000),
        };
        let mut flags: u16 = flag;
        let mut data = 0x1000_u32.to_le_bytes().to_vec();
        if !entry.subsystem.is_empty() {
            flags |= 0x200;
            data.extend_from_slice(&self.subsystem(entry).to_le_bytes());
        }
        if reference != 0 {
            flags |= 0x800;
            data.extend_from_slice(&reference.to_le_bytes());
        }
        data.extend_from_slice(&items(values));
        let mut record = vec![4, entry.level];
        record.extend_from_slice(&flags.to_le_bytes());
        record.extend_from_slice(&location.to_le_bytes());
        record.extend_from_slice(&entry.thread.to_le_bytes());
        record.extend_from_slice(&[0; 6]);
        record.extend_from_slice(&u16::try_from(data.len()).unwrap().to_le_bytes());
        record.extend(data);
        record
    }

    fn subsystem(&mut self, entry: &Entry<'_>) -> u16 {
        let known = self.subsystems.entry(entry.program).or_default();
        let found = known.iter().position(|(one, other)| one == entry.subsystem && other == entry.category);
        let at = found.unwrap_or_else(|| {
            known.push((entry.subsystem.to_owned(), entry.category.to_owned()));
            known.len() - 1
        });
        u16::try_from(at + 1).unwrap()
    }

    fn push_oversize(&mut self, entry: &Entry<'_>, reference: u32) {
        let public = items(&entry.values);
        let mut data = self.process(entry.program);
        data.extend_from_slice(&[0; 4]);
        data.extend_from_slice(&entry.ticks.to_le_bytes());
        data.extend_from_slice(&reference.to_le_bytes());
        data.extend_from_slice(&u16::try_from(public.len()).unwrap().to_le_bytes());
        data.extend_from_slice(&[0; 2]);
        data.extend(public);
        self.add_to_chunkset(entry.program, chunk(0x6002, &data), (entry.ticks, entry.ticks));
    }

    fn process(&self, program: usize) -> Vec<u8> {
        let number = program as u64 + 100;
        [&number.to_le_bytes()[..], &(program as u32 + 1000).to_le_bytes()].concat()
    }

    fn close_page(&mut self, program: usize) {
        let Some(page) = self.pages.remove(&program) else { return };
        let mut data = self.process(program);
        data.extend_from_slice(&[0; 4]);
        data.extend_from_slice(&u16::try_from(page.bytes.len() + 16).unwrap().to_le_bytes());
        data.extend_from_slice(&0x1000_u16.to_le_bytes());
        data.extend_from_slice(&[0; 4]);
        data.extend_from_slice(&page.base.to_le_bytes());
        data.extend(page.bytes);
        self.add_to_chunkset(program, chunk(0x6001, &data), (page.base, page.last));
    }

    fn add_to_chunkset(&mut self, program: usize, chunk: Vec<u8>, span: (u64, u64)) {
        self.chunkset.extend(chunk);
        let (from, to) = self.span.unwrap_or(span);
        self.span = Some((from.min(span.0), to.max(span.1)));
        self.writers.insert(program);
        if self.chunkset.len() >= CHUNKSET {
            self.close_chunkset();
        }
    }

    fn close_chunkset(&mut self) {
        let pages = std::mem::take(&mut self.chunkset);
        let Some(span) = self.span.take() else { return };
        let size = (pages.len() as u32).to_le_bytes();
        let data = match self.packing {
            Packing::Stored => [b"bv4-", &size[..], &pages, b"bv4$"].concat(),
            Packing::Lz4 => {
                let packed = lz4_flex::block::compress(&pages);
                [b"bv41", &size[..], &(packed.len() as u32).to_le_bytes(), &packed, b"bv4$"].concat()
            }
        };
        let writers = std::mem::take(&mut self.writers);
        self.chunksets.push(Chunkset { bytes: chunk(0x600d, &data), span, writers, unpacked: pages.len() });
        if self.chunksets.len() == CHUNKSETS {
            self.close_catalog();
        }
    }

    /// Writes the catalog of the chunksets so far, and them. Pages that are not full go along.
    pub fn close_catalog(&mut self) {
        let chunksets = std::mem::take(&mut self.chunksets);
        let Some(earliest) = chunksets.first().map(|first| first.span.0) else { return };
        let writers: BTreeSet<usize> = chunksets.iter().flat_map(|one| one.writers.iter().copied()).collect();
        let mut uuids = Vec::new();
        let mut strings = Vec::new();
        let mut entries = Vec::new();
        let mut place = |string: &str| {
            let bytes = [string.as_bytes(), b"\0"].concat();
            let found = strings.windows(bytes.len()).position(|window: &[u8]| window == bytes);
            let at = found.unwrap_or(strings.len());
            if found.is_none() {
                strings.extend(bytes);
            }
            u16::try_from(at).unwrap()
        };
        for program in &writers {
            let Program { uuid, shared_cache, pid, uid, .. } = self.programs[*program];
            let mut index_of = |uuid: u128| {
                let found = uuids.iter().position(|one| *one == uuid).unwrap_or(uuids.len());
                if found == uuids.len() {
                    uuids.push(uuid);
                }
                u16::try_from(found).unwrap()
            };
            let (main, shared) = (index_of(uuid), if shared_cache == 0 { u16::MAX } else { index_of(shared_cache) });
            for number in [*program as u16, 0, main, shared] {
                entries.extend_from_slice(&number.to_le_bytes());
            }
            entries.extend(self.process(*program));
            for number in [pid, uid, 0, 0, 0] {
                entries.extend_from_slice(&number.to_le_bytes());
            }
            let subsystems = self.subsystems.get(program).map(Vec::as_slice).unwrap_or_default();
            entries.extend_from_slice(&(subsystems.len() as u32).to_le_bytes());
            entries.extend_from_slice(&[0; 4]);
            for (at, (subsystem, category)) in subsystems.iter().enumerate() {
                for number in [at as u16 + 1, place(subsystem), place(category)] {
                    entries.extend_from_slice(&number.to_le_bytes());
                }
            }
            while !entries.len().is_multiple_of(8) {
                entries.push(0);
            }
        }
        let mut lists = Vec::new();
        for Chunkset { span: (from, to), writers, unpacked, .. } in &chunksets {
            lists.extend_from_slice(&from.to_le_bytes());
            lists.extend_from_slice(&to.to_le_bytes());
            lists.extend_from_slice(&(*unpacked as u32).to_le_bytes());
            lists.extend_from_slice(&0x100_u32.to_le_bytes());
            lists.extend_from_slice(&(writers.len() as u32).to_le_bytes());
            writers.iter().for_each(|writer| lists.extend_from_slice(&(*writer as u16).to_le_bytes()));
            lists.extend_from_slice(&0_u32.to_le_bytes());
            while !lists.len().is_multiple_of(8) {
                lists.push(0);
            }
        }
        while !strings.len().is_multiple_of(8) {
            strings.push(0);
        }
        let strings_at = uuids.len() * 16;
        let entries_at = strings_at + strings.len();
        let mut data = Vec::new();
        let lists_at = u16::try_from(entries_at + entries.len()).unwrap_or(u16::MAX);
        for number in
            [strings_at as u16, entries_at as u16, writers.len() as u16, lists_at, chunksets.len() as u16, 0, 0, 0]
        {
            data.extend_from_slice(&number.to_le_bytes());
        }
        data.extend_from_slice(&earliest.to_le_bytes());
        uuids.iter().for_each(|uuid| data.extend_from_slice(&uuid.to_be_bytes()));
        data.extend([strings, entries, lists].concat());
        self.bytes.extend(chunk(0x600b, &data));
        chunksets.into_iter().for_each(|one| self.bytes.extend(one.bytes));
    }

    /// Writes what waits, so that the file holds all records so far.
    pub fn flush(&mut self) -> &[u8] {
        for program in self.pages.keys().copied().collect::<Vec<_>>() {
            self.close_page(program);
        }
        self.close_chunkset();
        self.close_catalog();
        &self.bytes
    }

    /// How many bytes are written already.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.bytes
    }
}

/// The header of a file.
pub fn header(boot: &Boot, model: &str) -> Vec<u8> {
    let mut data = Vec::new();
    let (west, summer) = boot.zone;
    for number in [boot.timebase.0, boot.timebase.1] {
        data.extend_from_slice(&number.to_le_bytes());
    }
    data.extend_from_slice(&0_u64.to_le_bytes());
    data.extend_from_slice(&((boot.start / 1_000_000_000) as u32).to_le_bytes());
    data.extend_from_slice(&[0; 8]);
    data.extend_from_slice(&west.to_le_bytes());
    data.extend_from_slice(&u32::from(summer).to_le_bytes());
    data.extend_from_slice(&1_u32.to_le_bytes());
    let text = |text: &str, length: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(length, 0);
        bytes
    };
    for (tag, content) in [
        (0x6100_u32, 0_u64.to_le_bytes().to_vec()),
        (0x6101, [vec![7, 0, 0, 0, 8, 0, 0, 0], text("24G90", 16), text(model, 32)].concat()),
        (0x6102, [boot.uuid.to_be_bytes().to_vec(), vec![99, 0, 0, 0, 0, 0, 0, 0]].concat()),
        (0x6103, text("/var/db/timezone/zoneinfo/America/Chicago", 48)),
    ] {
        data.extend_from_slice(&tag.to_le_bytes());
        data.extend_from_slice(&(content.len() as u32).to_le_bytes());
        data.extend(content);
    }
    chunk(0x1000, &data)
}

/// A chunk: two tags, a size, the data, and padding.
pub fn chunk(tag: u32, data: &[u8]) -> Vec<u8> {
    let mut chunk =
        [&tag.to_le_bytes()[..], &0x11_u32.to_le_bytes(), &(data.len() as u64).to_le_bytes(), data].concat();
    chunk.resize(chunk.len().next_multiple_of(8), 0);
    chunk
}

/// The values of a record: their kinds, then the texts.
fn items(values: &[Value<'_>]) -> Vec<u8> {
    let mut items = vec![0, u8::try_from(values.len()).unwrap()];
    let mut texts = Vec::new();
    for value in values {
        match value {
            Value::Text(text) => {
                let length = text.len() + 1;
                items.extend_from_slice(&[0x22, 4]);
                items.extend_from_slice(&(texts.len() as u16).to_le_bytes());
                items.extend_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
                texts.extend_from_slice(text.as_bytes());
                texts.push(0);
            }
            Value::Private => items.extend_from_slice(&[0x41, 4, 0, 0, 0, 0]),
            Value::Precision(length) => {
                items.extend_from_slice(&[0x10, 4]);
                items.extend_from_slice(&length.to_le_bytes());
            }
            Value::Number(number) => {
                items.extend_from_slice(&[2, 8]);
                items.extend_from_slice(&number.to_le_bytes());
            }
        }
    }
    items.extend(texts);
    items
}

/// The timesync file of boots.
pub fn timesync(boots: &[Boot]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for boot in boots {
        bytes.extend_from_slice(&0xbbb0_u16.to_le_bytes());
        bytes.extend_from_slice(&48_u16.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&boot.uuid.to_be_bytes());
        bytes.extend_from_slice(&boot.timebase.0.to_le_bytes());
        bytes.extend_from_slice(&boot.timebase.1.to_le_bytes());
        bytes.extend_from_slice(&boot.start.to_le_bytes());
        bytes.extend_from_slice(&boot.zone.0.to_le_bytes());
        bytes.extend_from_slice(&u32::from(boot.zone.1).to_le_bytes());
        for (ticks, wall, west, summer) in &boot.syncs {
            bytes.extend_from_slice(&0x20_7354_u32.to_le_bytes());
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&ticks.to_le_bytes());
            bytes.extend_from_slice(&wall.to_le_bytes());
            bytes.extend_from_slice(&west.to_le_bytes());
            bytes.extend_from_slice(&u32::from(*summer).to_le_bytes());
        }
    }
    bytes
}

/// The uuidtext file of a program.
pub fn uuidtext(program: &Program) -> Vec<u8> {
    let strings: Vec<u8> = program.formats.iter().flat_map(|format| [format.as_bytes(), b"\0"].concat()).collect();
    let mut bytes = Vec::new();
    for number in [0x6677_8899, 2, 1, 1, STRINGS_AT, strings.len() as u32] {
        bytes.extend_from_slice(&u32::to_le_bytes(number));
    }
    [bytes, strings, program.image.as_bytes().to_vec(), vec![0]].concat()
}

/// The file of a shared cache, version 2: for each image its path, the offset of its strings, where they lie in the
/// file, and the strings.
pub fn shared_cache(images: &[(&str, u64, u32, &[&str])]) -> Vec<u8> {
    let strings =
        |strings: &[&str]| strings.iter().flat_map(|string| [string.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>();
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"hcsd");
    bytes.extend_from_slice(&[2, 0, 0, 0]);
    bytes.extend_from_slice(&(images.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(images.len() as u32).to_le_bytes());
    for (at, (_, offset, place, texts)) in images.iter().enumerate() {
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&place.to_le_bytes());
        bytes.extend_from_slice(&(strings(texts).len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(at as u64).to_le_bytes());
    }
    let end = images.iter().map(|(_, _, place, texts)| *place as usize + strings(texts).len()).max().unwrap_or(0);
    let mut path_at = end;
    for (at, (path, offset, ..)) in images.iter().enumerate() {
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&4096_u32.to_le_bytes());
        bytes.extend_from_slice(&(at as u128 + 7).to_be_bytes());
        bytes.extend_from_slice(&(path_at as u32).to_le_bytes());
        path_at += path.len() + 1;
    }
    bytes.resize(end, 0);
    for (_, _, place, texts) in images {
        let texts = strings(texts);
        bytes[*place as usize..*place as usize + texts.len()].copy_from_slice(&texts);
    }
    images.iter().for_each(|(path, ..)| bytes.extend([path.as_bytes(), b"\0"].concat()));
    bytes
}

/// Writes an archive: its tracev3 files by their paths in it, and what they need.
pub fn write(folder: &Path, files: &[(&str, Vec<u8>)], boots: &[Boot], programs: &[Program]) {
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    files.iter().for_each(|(name, bytes)| put(name, bytes));
    put("timesync/0000000000000001.timesync", &timesync(boots));
    for program in programs {
        let name = format!("{:032X}", program.uuid);
        put(&format!("{}/{}", &name[..2], &name[2..]), &uuidtext(program));
    }
}
