//! A catalog: which processes wrote into the chunksets behind it, which subsystems they used, and which of them wrote
//! into which chunkset.

use super::bytes::{Cursor, text};
use std::ops::Range;

/// A process in a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogProcess {
    /// The number by which chunksets refer to it.
    pub index: u16,
    /// The two numbers by which pages refer to it.
    pub id: ProcessId,
    /// The UUID of its executable.
    pub image: u128,
    /// Its entry in the catalog, and in that its list of subsystems.
    entry: Range<usize>,
    subsystems: Range<usize>,
}

/// How a page names its process.
pub type ProcessId = (u64, u32);

/// What a catalog says of one of the chunksets behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunkset {
    /// The earliest and the latest record, in continuous time.
    pub from: u64,
    pub to: u64,
    /// Its size when unpacked.
    pub size: u32,
    /// The indexes of the processes that wrote into it.
    pub processes: Vec<u16>,
}

/// A catalog that was read, with its own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub processes: Vec<CatalogProcess>,
    pub chunksets: Vec<Chunkset>,
    /// Whether all of it could be read. What follows a place that cannot be is missing.
    pub is_whole: bool,
    /// Where the subsystem strings begin and end.
    strings: Range<usize>,
    data: Vec<u8>,
}

/// The tag of a catalog.
pub const TAG: u32 = 0x600b;

/// The size of the fields before the UUIDs.
const FIELDS: usize = 24;

impl Catalog {
    /// Reads the data of a catalog chunk; `None` if not even its strings can be.
    ///
    /// Offsets count from the UUIDs on: subsystem strings, process entries, sub-chunks. Since macOS 27 personas stand
    /// before the sub-chunks.
    pub fn read(data: Vec<u8>) -> Option<Self> {
        let mut cursor = Cursor(&data);
        let [strings_at, processes_at, process_count, chunksets_at, chunkset_count, personas_at, personas, _] =
            cursor.numbers()?;
        let body = data.get(FIELDS..)?;
        let uuids: Vec<u128> =
            body.get(..strings_at.into())?.as_chunks().0.iter().map(|uuid| u128::from_be_bytes(*uuid)).collect();
        body.get(strings_at.into()..processes_at.into())?;
        let strings = FIELDS + usize::from(strings_at)..FIELDS + usize::from(processes_at);
        let mut rest = Cursor(body.get(processes_at.into()..)?);
        let mut processes = Vec::new();
        let mut chunksets = Vec::new();
        let mut read_lists = || {
            for _ in 0..process_count {
                let from = data.len() - rest.0.len();
                let (mut process, subsystems) = read_process(&mut rest, &uuids)?;
                process.entry = from..data.len() - rest.0.len();
                let listed_at = process.entry.end - subsystems.next_multiple_of(8);
                process.subsystems = listed_at..listed_at + subsystems;
                processes.push(process);
            }
            if personas != 0 {
                rest.take(chunksets_at.checked_sub(personas_at)?.into())?;
            }
            for _ in 0..chunkset_count {
                chunksets.push(read_chunkset(&mut rest)?);
            }
            Some(())
        };
        let is_whole = read_lists().is_some();
        Some(Self { processes, chunksets, is_whole, strings, data })
    }

    /// Identifier, subsystem and category of each that a process used.
    pub fn subsystems(&self, process: &CatalogProcess) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
        let strings = self.data.get(self.strings.clone()).unwrap_or_default();
        let string = move |at: u16| strings.get(at.into()..).map(text).unwrap_or_default();
        let entries = self.data.get(process.subsystems.clone()).unwrap_or_default().as_chunks::<6>().0;
        entries.iter().filter_map(move |entry| {
            let [identifier, subsystem, category] = Cursor(entry).numbers()?;
            Some((identifier, string(subsystem), string(category)))
        })
    }

    /// The catalog as a chunk, with those of its processes alone that are asked for, and without what it says of its
    /// chunksets.
    pub fn reduced(&self, wanted: impl Fn(&CatalogProcess) -> bool) -> Vec<u8> {
        let wanted = self.processes.iter().filter(|process| wanted(process));
        let entries: Vec<&[u8]> = wanted.filter_map(|process| self.data.get(process.entry.clone())).collect();
        let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
        let mut data = self.data.get(..self.strings.end).unwrap_or_default().to_vec();
        let fields = [[0; 2], [0; 2], count.to_le_bytes(), [0; 2], [0; 2], [0; 2], [0; 2], [0; 2]].concat();
        // The offsets stay as they are.
        data.splice(4..16, fields.into_iter().skip(4));
        data.extend(entries.into_iter().flatten());
        chunk(TAG, &data)
    }
}

/// A chunk with that tag: its tag, a second one, its size and its data, padded to a multiple of eight bytes.
pub fn chunk(tag: u32, data: &[u8]) -> Vec<u8> {
    let mut chunk = Vec::with_capacity(data.len() + 24);
    chunk.extend_from_slice(&tag.to_le_bytes());
    chunk.extend_from_slice(&0x11_u32.to_le_bytes());
    chunk.extend_from_slice(&(data.len() as u64).to_le_bytes());
    chunk.extend_from_slice(data);
    chunk.resize(chunk.len().next_multiple_of(8), 0);
    chunk
}

/// A process entry, and how many bytes at its end list its subsystems, before they are padded.
fn read_process(rest: &mut Cursor<'_>, uuids: &[u128]) -> Option<(CatalogProcess, usize)> {
    let [index, _, image, _shared_cache] = rest.numbers()?;
    let id = (rest.u64()?, rest.u32()?);
    let (_pid, _uid, _persona) = (rest.u32()?, rest.u32()?, rest.u32()?);
    let images = rest.count(16)?;
    let _ = rest.u32()?;
    // Size, unknown, index of the UUID, load address.
    for image in rest.take(images * 16)?.as_chunks::<16>().0 {
        uuids.get(usize::from(Cursor(image.get(8..)?).u16()?))?;
    }
    let subsystems = rest.count(6)? * 6;
    let _ = rest.u32()?;
    rest.take(subsystems.next_multiple_of(8))?;
    let image = uuids.get(usize::from(image)).copied().unwrap_or_default();
    Some((CatalogProcess { index, id, image, entry: 0..0, subsystems: 0..0 }, subsystems))
}

fn read_chunkset(rest: &mut Cursor<'_>) -> Option<Chunkset> {
    let (from, to) = (rest.u64()?, rest.u64()?);
    let (size, _algorithm) = (rest.u32()?, rest.u32()?);
    let count = rest.count(2)?;
    let processes = rest.take(count * 2)?.as_chunks().0.iter().map(|index| u16::from_le_bytes(*index)).collect();
    let strings = rest.count(2)?;
    rest.take(strings * 2)?;
    let listed = (count + strings) * 2;
    // The last one may end with the catalog.
    let _ = rest.take((listed.next_multiple_of(8) - listed).min(rest.0.len()));
    Some(Chunkset { from, to, size, processes })
}
