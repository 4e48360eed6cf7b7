//! One tracev3 file: its chunks walked through, chunksets without wanted processes passed over, and of the others the
//! pages of those processes cut out.

use super::boots::FileBoot;
use super::catalog::{self, Catalog};
use super::chunks::{self, Chunk, Chunks};
use super::chunkset::{self, Found, Packing};
use super::decode::{Context, Decoder, Leftover};
use super::record::Counts;
use super::wanted::{Selection, WantedRecords};
use std::collections::BTreeSet;
use std::io::{self, Read, Seek};

/// How many bytes of cut pages are handed on at once.
const MAX_PAGES: usize = 128 << 10;

/// How a file was read.
#[derive(Default)]
pub struct FileSummary {
    pub counts: Counts,
    /// Whether there was anything in it.
    pub has_records: bool,
    /// The earliest and the latest record of any process in continuous time, and the boot that it counts from.
    pub span: Option<(u64, u64)>,
    pub boot: Option<FileBoot>,
    /// What could not be read: chunks, pages, records.
    pub lost: u64,
    pub first_lost: Option<String>,
    /// The UUIDs of processes without a path that may be wanted ones.
    pub suspects: BTreeSet<u128>,
    /// Whether the file ends within a chunk.
    pub is_cut: bool,
    /// Whether reading stopped before the file's end, because its time was over.
    pub is_stopped: bool,
    /// Where the last catalog begins that is whole.
    pub catalog_at: Option<u64>,
}

/// How much of a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Whole,
    /// Of a file that is being written: from a catalog on, and as far as its chunks are whole.
    Growing {
        catalog_at: Option<u64>,
    },
}

/// Whoever waits for the reading: told how far it is, and asked whether it should go on.
pub trait Watch: Sync {
    /// There are so many bytes to read or to pass over.
    fn begin(&self, _bytes: u64) {}
    /// So many more of them were.
    fn advance(&self, _bytes: u64) {}
    /// Whether the time is over.
    fn is_over(&self) -> bool {
        false
    }
}

/// Reads the file with that number.
pub fn read<'c>(
    number: usize,
    file: impl Read + Seek,
    size: u64,
    wanted: &[WantedRecords],
    extent: Extent,
    context: Context<'c>,
    watch: &dyn Watch,
) -> (FileSummary, Option<Leftover<'c>>) {
    let mut reading = Reading {
        number,
        chunks: Chunks::new(file, size),
        wanted,
        decoder: None,
        catalog: None,
        pages: Vec::new(),
        page_count: 0,
        unpacked: Vec::new(),
        summary: FileSummary::default(),
        context,
    };
    let is_growing = extent != Extent::Whole;
    let mut start = if let Extent::Growing { catalog_at } = extent { catalog_at } else { None };
    let mut position = 0;
    loop {
        if watch.is_over() {
            reading.summary.is_stopped = true;
            break;
        }
        let next = reading.chunks.next_chunk();
        let damage = reading.chunks.take_damage();
        // What is damaged at the end may be on its way to the disk.
        let is_unfinished = |chunk: &Chunk| chunk.is_cut || chunk.data.end >= size && !damage.is_empty();
        if is_growing && next.as_ref().is_ok_and(|next| next.as_ref().is_none_or(is_unfinished)) {
            break;
        }
        reading.note_damage(damage);
        match next {
            Ok(Some(chunk)) => {
                if chunk.tag == catalog::TAG {
                    reading.summary.catalog_at = Some(chunk.data.start - chunks::PREAMBLE);
                }
                let end = chunk.data.end.max(position);
                watch.advance(end - position);
                position = end;
                if let Err(error) = reading.chunk(&chunk) {
                    reading.lose(error.to_string());
                    break;
                }
                if let Some(catalog_at) = start.take() {
                    reading.chunks.go_to(catalog_at);
                    reading.summary.catalog_at = Some(catalog_at);
                }
            }
            Ok(None) => break,
            Err(error) => {
                reading.lose(error.to_string());
                break;
            }
        }
    }
    watch.advance(size.saturating_sub(position));
    reading.finish()
}

/// A catalog, and what is known of the chunksets behind it.
struct Current {
    catalog: Catalog,
    selection: Selection,
    /// The catalog with its wanted processes alone, as a chunk.
    reduced: Vec<u8>,
    /// How many chunksets came behind it.
    seen: usize,
    /// Whether each of them is the one that the catalog lists.
    is_in_order: bool,
}

struct Reading<'w, 'c, R> {
    number: usize,
    chunks: Chunks<R>,
    wanted: &'w [WantedRecords],
    context: Context<'c>,
    decoder: Option<Decoder<'c>>,
    catalog: Option<Current>,
    /// Wanted pages that were cut out of chunksets behind the catalog.
    pages: Vec<u8>,
    page_count: u64,
    unpacked: Vec<u8>,
    summary: FileSummary,
}

impl<'c, R: Read + Seek> Reading<'_, 'c, R> {
    fn chunk(&mut self, chunk: &Chunk) -> io::Result<()> {
        match chunk.tag {
            chunks::HEADER if self.decoder.is_none() => self.header(chunk),
            catalog::TAG => self.catalog(chunk),
            chunkset::TAG => self.chunkset(chunk),
            _ => Ok(()),
        }
    }

    fn header(&mut self, chunk: &Chunk) -> io::Result<()> {
        let header = catalog::chunk(chunks::HEADER, self.chunks.data(chunk)?);
        self.decoder = Decoder::new(self.number, header, self.context);
        self.summary.boot = self.decoder.as_ref().map(|decoder| decoder.boot);
        Ok(())
    }

    fn catalog(&mut self, chunk: &Chunk) -> io::Result<()> {
        self.hand_on();
        self.catalog = None;
        let data = self.chunks.data(chunk)?.to_vec();
        let Some(catalog) = Catalog::read(data) else {
            self.lose("a catalog is damaged");
            return Ok(());
        };
        if !catalog.is_whole {
            self.lose("a catalog is damaged");
        }
        for listed in &catalog.chunksets {
            let (from, to) = self.summary.span.unwrap_or((listed.from, listed.to));
            self.summary.span = Some((from.min(listed.from), to.max(listed.to)));
        }
        let selection = Selection::new(self.wanted, &catalog, self.context.image);
        self.summary.suspects.extend(selection.suspects());
        let reduced = if selection.is_empty() {
            Vec::new()
        } else {
            catalog.reduced(|process| matches!(selection.part(process.id), Some(Some(_))))
        };
        let is_in_order = catalog.is_whole && !chunk.is_behind_damage;
        self.catalog = Some(Current { catalog, selection, reduced, seen: 0, is_in_order });
        Ok(())
    }

    fn chunkset(&mut self, chunk: &Chunk) -> io::Result<()> {
        self.summary.has_records = true;
        let Some(current) = &mut self.catalog else {
            self.lose("a chunkset has no catalog");
            return Ok(());
        };
        let listed = current.catalog.chunksets.get(current.seen);
        current.seen += 1;
        current.is_in_order &= !chunk.is_behind_damage;
        if current.selection.is_empty() && current.catalog.is_whole {
            return Ok(());
        }
        if let Some(listed) = listed.filter(|_| current.is_in_order) {
            // A chunkset that is not as large as the catalog says is another one.
            let size = Packing::of(self.chunks.peek(chunk, 16)?).ok().and_then(|packing| packing.unpacked());
            current.is_in_order = size.is_none_or(|size| u32::try_from(size) == Ok(listed.size));
            if current.is_in_order && !current.selection.has_one_of(&listed.processes) {
                return Ok(());
            }
        }
        self.take_pages(chunk)
    }

    fn take_pages(&mut self, chunk: &Chunk) -> io::Result<()> {
        let Some(current) = &self.catalog else { return Ok(()) };
        let data = self.chunks.data(chunk)?;
        let mut is_whole = true;
        let unpacked = match Packing::of(data) {
            Ok(Packing::Lz4(packed, size)) => {
                is_whole = chunkset::unpack(packed, size, &mut self.unpacked);
                &self.unpacked
            }
            Ok(Packing::Stored(stored)) => stored,
            Ok(Packing::Lzbitmap) => {
                let chunks = [current.reduced.as_slice(), &catalog::chunk(chunkset::TAG, data)].concat();
                self.hand_on();
                if let (Some(decoder), Some(current)) = (&mut self.decoder, &self.catalog) {
                    decoder.push(chunks, None, |id| current.selection.part(id).flatten());
                }
                return Ok(());
            }
            Err(error) => {
                self.lose(error.to_string());
                return Ok(());
            }
        };
        let wanted = |id| current.selection.part(id).map(|part| part.is_some());
        let Found { pages, damaged, .. } = chunkset::take_pages(unpacked, wanted, &mut self.pages);
        self.page_count += pages as u64;
        // A chunk that the file's end cuts off was counted where it was found.
        if !chunk.is_cut && (!is_whole || damaged > 0) {
            self.lose("a chunkset is damaged");
        }
        if self.pages.len() >= MAX_PAGES {
            self.hand_on();
        }
        Ok(())
    }

    /// Hands the pages that were cut out on to be decoded.
    fn hand_on(&mut self) {
        let pages = std::mem::take(&mut self.pages);
        let count = std::mem::take(&mut self.page_count);
        let (Some(current), Some(decoder)) = (&self.catalog, &mut self.decoder) else {
            if count > 0 {
                self.lose("it has no header");
            }
            return;
        };
        if !pages.is_empty() {
            let chunks = |pages: &[u8]| [current.reduced.as_slice(), &chunkset::stored(pages)].concat();
            let part = |id| current.selection.part(id).flatten();
            // One page that macos-unifiedlogs cannot read costs no other one, be it of another chunkset.
            if !decoder.push(chunks(&pages), Some(count), part) {
                for (page, is_firehose) in chunkset::pages(&pages) {
                    decoder.push(chunks(page), Some(is_firehose.into()), part);
                }
            }
        }
    }

    fn note_damage(&mut self, damage: Vec<chunks::Damage>) {
        for damage in damage {
            self.summary.is_cut |= damage == chunks::Damage::Cut;
            self.lose(damage.to_string());
        }
    }

    fn lose(&mut self, why: impl Into<String>) {
        self.summary.lost += 1;
        self.summary.first_lost.get_or_insert_with(|| why.into());
    }

    fn finish(mut self) -> (FileSummary, Option<Leftover<'c>>) {
        self.hand_on();
        if self.decoder.is_none() {
            self.lose("it has no header that can be read");
        }
        let leftover = self.decoder.take().map(|decoder| {
            let (counts, leftover) = decoder.finish();
            self.summary.counts.add(counts);
            leftover
        });
        (self.summary, leftover)
    }
}
