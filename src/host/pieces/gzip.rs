//! A gzip file that can be read from the middle: checkpoints are kept while it is read through once, so that no piece is
//! unpacked again from the file's start.

use flate2::Crc;
use miniz_oxide::inflate::TINFLStatus as Status;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// What a gzip file begins with.
pub const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How far a deflate stream may refer back, in bytes.
const HISTORY: usize = 32 << 10;

/// The buffer that is unpacked into. It is used as a ring, so its size is a power of two.
const RING: usize = 4 * HISTORY;

/// How many bytes of the file are read at once.
const INPUT: usize = 128 << 10;

/// How many unpacked bytes lie between two checkpoints, at least. One takes about 43 KB of memory.
const SPACING: u64 = 4 << 20;

/// How many checkpoints are kept; from then on every second one is dropped and the spacing doubles.
const MAX_CHECKPOINTS: usize = 512;

/// The longest name or comment that is skipped in a gzip header, in bytes.
const MAX_HEADER_TEXT: u64 = 64 << 10;

/// A place from which unpacking can go on.
struct Checkpoint {
    /// How many bytes were unpacked before it.
    unpacked: u64,
    /// Where the next byte of the file is.
    packed: u64,
    state: DecompressorOxide,
    history: Box<[u8]>,
}

/// The checkpoints of a file, in order.
pub struct Checkpoints {
    kept: Vec<Checkpoint>,
    spacing: u64,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { kept: Vec::new(), spacing: SPACING }
    }
}

impl Checkpoints {
    /// The last one at or before an unpacked position.
    fn before(&self, position: u64) -> Option<&Checkpoint> {
        let after = self.kept.partition_point(|one| one.unpacked <= position);
        self.kept.get(after.checked_sub(1)?)
    }

    /// Keeps a checkpoint.
    fn push(&mut self, checkpoint: Checkpoint) {
        if self.kept.len() == MAX_CHECKPOINTS {
            self.spacing *= 2;
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 0
            });
        }
        self.kept.push(checkpoint);
    }

    /// Whether the last one is far enough behind an unpacked position.
    fn is_due(&self, unpacked: u64) -> bool {
        unpacked >= self.kept.last().map_or(0, |last| last.unpacked) + self.spacing
    }
}

/// Which part of a gzip member comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Header,
    Data,
    End,
}

/// Unpacks a gzip file. Members that follow one another are read as one, as gunzip does.
pub struct Unpacker {
    input: BufReader<File>,
    state: Box<DecompressorOxide>,
    ring: Box<[u8]>,
    /// Where the next unpacked byte is put in the ring.
    write_at: usize,
    /// What was unpacked and not handed out yet ends at `write_at`.
    waiting: usize,
    /// How many bytes were handed out, counted from the start of the file.
    position: u64,
    /// How many bytes of the file were unpacked.
    packed: u64,
    part: Part,
    /// The checksum and length of the member so far; unknown once a part of it was skipped.
    check: Option<Crc>,
    /// The most bytes that may be unpacked.
    limit: u64,
    /// Where checkpoints are kept, by the one reader that goes through the whole file.
    keeping: Option<Checkpoints>,
}

impl Unpacker {
    /// Opens a file to go through it once and keep checkpoints. More than `limit` unpacked bytes are an error.
    pub fn keeping_checkpoints(file: File, limit: u64) -> Self {
        Self { limit, keeping: Some(Checkpoints::default()), ..Self::new(file) }
    }

    /// Opens a file at its start.
    pub fn new(file: File) -> Self {
        Self {
            input: BufReader::with_capacity(INPUT, file),
            state: Box::default(),
            ring: vec![0; RING].into_boxed_slice(),
            write_at: 0,
            waiting: 0,
            position: 0,
            packed: 0,
            part: Part::Header,
            check: Some(Crc::new()),
            limit: u64::MAX,
            keeping: None,
        }
    }

    /// How many bytes of the file were unpacked.
    pub fn packed(&self) -> u64 {
        self.packed
    }

    /// How many bytes were handed out or skipped.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The checkpoints that were kept, to be shared by other readers of the file.
    pub fn into_checkpoints(self) -> Checkpoints {
        self.keeping.unwrap_or_default()
    }

    /// Goes to an unpacked position: forward from here, or from the last checkpoint before it if that is nearer.
    pub fn seek(&mut self, to: u64, checkpoints: &Checkpoints) -> io::Result<()> {
        let nearer = checkpoints.before(to).filter(|one| to < self.position || one.unpacked > self.position);
        if let Some(checkpoint) = nearer {
            self.input.seek(SeekFrom::Start(checkpoint.packed))?;
            *self.state = checkpoint.state.clone();
            if let Some(part) = self.ring.get_mut(..HISTORY) {
                part.copy_from_slice(&checkpoint.history);
            }
            (self.write_at, self.waiting, self.position) = (HISTORY, 0, checkpoint.unpacked);
            (self.part, self.check) = (Part::Data, None);
        } else if to < self.position {
            self.input.seek(SeekFrom::Start(0))?;
            *self.state = DecompressorOxide::new();
            (self.write_at, self.waiting, self.position) = (0, 0, 0);
            (self.part, self.check) = (Part::Header, Some(Crc::new()));
        }
        self.skip(to - self.position)
    }

    /// Passes over bytes.
    pub fn skip(&mut self, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            let ready = self.fill_buf()?.len();
            if ready == 0 {
                return Err(cut_off());
            }
            let now = usize::try_from(bytes).map_or(ready, |bytes| bytes.min(ready));
            self.consume(now);
            bytes -= now as u64;
        }
        Ok(())
    }

    /// Passes over all that is left, and checks it.
    pub fn skip_to_end(&mut self) -> io::Result<()> {
        loop {
            let ready = self.fill_buf()?.len();
            if ready == 0 {
                return Ok(());
            }
            self.consume(ready);
        }
    }

    /// Unpacks some more, until the end of the ring at most.
    fn unpack(&mut self) -> io::Result<()> {
        while self.waiting == 0 && self.part != Part::End {
            match self.part {
                Part::Header => self.read_header()?,
                Part::Data => self.read_data()?,
                Part::End => {}
            }
        }
        Ok(())
    }

    fn read_data(&mut self) -> io::Result<()> {
        let input = self.input.fill_buf()?;
        let flags = if input.is_empty() { 0 } else { TINFL_FLAG_HAS_MORE_INPUT };
        let (status, read, written) = decompress(&mut self.state, input, &mut self.ring, self.write_at, flags);
        self.input.consume(read);
        self.packed += read as u64;
        let new = self.ring.get(self.write_at..self.write_at + written).unwrap_or_default();
        if let Some(check) = &mut self.check {
            check.update(new);
        }
        self.write_at = (self.write_at + written) % RING;
        self.waiting = written;
        if self.position + written as u64 > self.limit {
            return Err(io::Error::other("it unpacks to more than its size allows for"));
        }
        if status == Status::HasMoreOutput {
            self.keep_checkpoint()?;
        }
        match status {
            Status::Done => self.read_trailer(),
            Status::NeedsMoreInput | Status::HasMoreOutput => Ok(()),
            Status::FailedCannotMakeProgress => Err(cut_off()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged")),
        }
    }

    fn keep_checkpoint(&mut self) -> io::Result<()> {
        let unpacked = self.position + self.waiting as u64;
        if let Some(keeping) = self.keeping.as_mut().filter(|keeping| keeping.is_due(unpacked)) {
            let place = |back| self.ring.get((self.write_at + RING - HISTORY + back) % RING);
            let history = (0..HISTORY).filter_map(place).copied().collect();
            let packed = self.input.stream_position()?;
            keeping.push(Checkpoint { unpacked, packed, state: (*self.state).clone(), history });
        }
        Ok(())
    }

    /// The checksum and the length behind a member, and whether another one follows.
    fn read_trailer(&mut self) -> io::Result<()> {
        let mut trailer = [[0; 4]; 2];
        for field in &mut trailer {
            self.input.read_exact(field).map_err(|_| cut_off())?;
        }
        let found = trailer.map(u32::from_le_bytes);
        if self.check.as_ref().is_some_and(|check| [check.sum(), check.amount()] != found) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged: its checksum does not match"));
        }
        self.part = if self.input.fill_buf()?.starts_with(&MAGIC) { Part::Header } else { Part::End };
        Ok(())
    }

    fn read_header(&mut self) -> io::Result<()> {
        let mut header = [0; 10];
        self.input.read_exact(&mut header).map_err(|_| cut_off())?;
        let [one, two, method, flags, ..] = header;
        if [one, two] != MAGIC || method != 8 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no gzip file"));
        }
        if flags & 4 != 0 {
            let mut length = [0; 2];
            self.input.read_exact(&mut length).map_err(|_| cut_off())?;
            let length = u64::from(u16::from_le_bytes(length));
            io::copy(&mut self.input.by_ref().take(length), &mut io::sink())?;
        }
        // The name, then the comment.
        for present in [flags & 8, flags & 16] {
            if present != 0 {
                self.input.by_ref().take(MAX_HEADER_TEXT).skip_until(0)?;
            }
        }
        if flags & 2 != 0 {
            self.input.read_exact(&mut [0; 2]).map_err(|_| cut_off())?;
        }
        self.state.init();
        (self.part, self.check) = (Part::Data, Some(Crc::new()));
        Ok(())
    }
}

impl BufRead for Unpacker {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.unpack()?;
        // What waits never runs over the end of the ring: each time it is unpacked up to there at most.
        let end = if self.write_at == 0 { RING } else { self.write_at };
        Ok(self.ring.get(end.saturating_sub(self.waiting)..end).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.waiting);
        self.waiting -= bytes;
        self.position += bytes as u64;
    }
}

impl Read for Unpacker {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off")
}
