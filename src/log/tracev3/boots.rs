//! When a record was written: continuous time, which counts from a boot, made into a moment by what the timesync files
//! say of that boot.

use super::bytes::Cursor;
use crate::log::install_log::OffsetSpan;
use crate::vocabulary::Time;
use chrono::{DateTime, FixedOffset, TimeDelta};
use std::collections::HashMap;
use thiserror::Error;

/// The most records of all timesync files. A Mac writes about one an hour.
const MAX_RECORDS: usize = 1 << 20;

/// How many changes of the offset are kept. A Mac that travels has a few a month.
const MAX_OFFSETS: usize = 1000;

/// The signatures of a boot and of a record within it.
const BOOT: u16 = 0xbbb0;
const RECORD: u32 = 0x0020_7354;

/// No Mac that writes such a log has run before 2016; a clock that was lost starts long before.
const EARLIEST: i64 = 946_684_800;

/// Nanoseconds for a tick of continuous time, as a fraction. Intel counts nanoseconds, Apple silicon 24 MHz.
type Timebase = (u32, u32);
const KNOWN_TIMEBASES: [Timebase; 2] = [(1, 1), (125, 3)];

/// The boots of a Mac, by their UUIDs.
#[derive(Debug, Default)]
pub struct Boots {
    boots: HashMap<u128, Boot>,
    records: usize,
    /// Whether something in the files could not be read.
    pub is_damaged: bool,
}

#[derive(Debug)]
struct Boot {
    timebase: Timebase,
    /// Where continuous time is 0.
    start: Sync,
    records: Vec<Sync>,
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
struct Sync {
    ticks: u64,
    /// Nanoseconds since 1970.
    wall: i64,
    /// Minutes west of Greenwich without summer time, and whether that is in force.
    west: i32,
    summer: u32,
}

/// A moment, and the Mac's offset from UTC then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub at: Time,
    pub offset: Option<FixedOffset>,
}

/// What the header of a tracev3 file says of its boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileBoot {
    pub uuid: u128,
    pub timebase: Timebase,
}

/// Why a record has no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Untimed {
    #[error("no timesync file tells the time of its boot")]
    NoTimesync,
    #[error("its timebase {0}/{1} is not known")]
    UnknownTimebase(u32, u32),
    #[error("its timesync file has an impossible time")]
    Impossible,
}

impl Boots {
    /// Adds what a timesync file says.
    pub fn add(&mut self, file: &[u8]) {
        let mut cursor = Cursor(file);
        let mut boot = None;
        while !cursor.0.is_empty() {
            let here = cursor;
            if Cursor(cursor.0).u32() == Some(RECORD) {
                let record = read_record(&mut cursor);
                if let Some((boot, record)) = boot.and_then(|boot| self.boots.get_mut(&boot)).zip(record) {
                    self.records += 1;
                    if self.records > MAX_RECORDS {
                        self.is_damaged = true;
                        return;
                    }
                    boot.records.push(record);
                    continue;
                }
            } else if Cursor(cursor.0).u16() == Some(BOOT)
                && let Some((uuid, found)) = read_boot(&mut cursor)
            {
                self.boots.entry(uuid).or_insert(found);
                boot = Some(uuid);
                continue;
            }
            // Both kinds lie at multiples of eight bytes.
            self.is_damaged = true;
            cursor = here;
            if cursor.take(8).is_none() {
                return;
            }
        }
    }

    /// Puts records in order once all files were added: those of one boot may lie in several.
    pub fn sort(&mut self) {
        self.boots.values_mut().for_each(|boot| boot.records.sort_by_key(|record| record.ticks));
    }

    /// The Mac's offsets in the course of time.
    pub fn offsets(&self) -> Vec<OffsetSpan> {
        let mut spans: Vec<OffsetSpan> = Vec::new();
        let records = self.boots.values().flat_map(|boot| &boot.records);
        let mut moments: Vec<(Time, FixedOffset)> = records
            .filter_map(|record| Some((DateTime::from_timestamp_nanos(record.wall), record.offset()?)))
            .filter(|(at, _)| at.timestamp() >= EARLIEST)
            .collect();
        moments.sort_by_key(|(at, offset)| (*at, offset.local_minus_utc()));
        for (at, offset) in moments {
            let has_room = spans.len() < MAX_OFFSETS;
            match spans.last_mut() {
                Some(span) if span.offset == offset => span.to = at,
                _ if has_room => spans.push(OffsetSpan { from: at, to: at, offset }),
                _ => {}
            }
        }
        spans
    }

    /// The moment of a record. `base` is the time of its page: pages from the start of a boot have 0, and count from the
    /// boot.
    pub fn moment(&self, file: FileBoot, ticks: u64, base: u64) -> Result<Moment, Untimed> {
        let boot = self.boots.get(&file.uuid).ok_or(Untimed::NoTimesync)?;
        let known = |timebase: Timebase| KNOWN_TIMEBASES.into_iter().find(|known| is_same(*known, timebase));
        let (numerator, denominator) = known(boot.timebase)
            .filter(|found| known(file.timebase) == Some(*found))
            .ok_or(Untimed::UnknownTimebase(boot.timebase.0, boot.timebase.1))?;
        let behind = boot.records.partition_point(|record| record.ticks <= ticks);
        let before = behind.checked_sub(1).and_then(|last| boot.records.get(last));
        let sync = match before {
            Some(sync) => sync,
            None if base == 0 => &boot.start,
            None => boot.records.first().ok_or(Untimed::Impossible)?,
        };
        let passed = (i128::from(ticks) - i128::from(sync.ticks)) * i128::from(numerator);
        let wall = i128::from(sync.wall) + passed.div_euclid(i128::from(denominator));
        let at = i64::try_from(wall).map(DateTime::from_timestamp_nanos).map_err(|_| Untimed::Impossible)?;
        if at.timestamp() < EARLIEST {
            return Err(Untimed::Impossible);
        }
        Ok(Moment { at, offset: sync.offset() })
    }
}

impl Boots {
    /// When the boot began, by the clock as it was set at a later moment of it.
    pub fn began(&self, file: FileBoot, ticks: u64) -> Option<Time> {
        let (numerator, denominator) = (i128::from(file.timebase.0), i128::from(file.timebase.1));
        let passed = (i128::from(ticks) * numerator).checked_div(denominator).map(i64::try_from)?.ok()?;
        Some(self.moment(file, ticks, ticks).ok()?.at - TimeDelta::nanoseconds(passed))
    }
}

impl Sync {
    /// Seen on iPadOS 15.4 in Toronto: 300 minutes west with summer time in April, without in January.
    fn offset(&self) -> Option<FixedOffset> {
        let summer = i32::from(self.summer == 1) * 60;
        FixedOffset::east_opt(summer.checked_sub(self.west)?.checked_mul(60)?)
    }
}

/// Whether two fractions are the same, whatever they are reduced to.
fn is_same(one: Timebase, other: Timebase) -> bool {
    let product = |left: u32, right: u32| u64::from(left) * u64::from(right);
    other.1 != 0 && product(one.0, other.1) == product(one.1, other.0)
}

fn read_boot(cursor: &mut Cursor<'_>) -> Option<(u128, Boot)> {
    let [_signature, length] = cursor.numbers()?;
    let _ = cursor.u32()?;
    let uuid = cursor.uuid()?;
    let timebase = (cursor.u32()?, cursor.u32()?);
    let (wall, west, summer) = (cursor.u64()?.cast_signed(), cursor.u32()?.cast_signed(), cursor.u32()?);
    cursor.take(usize::from(length).checked_sub(48)?)?;
    Some((uuid, Boot { timebase, start: Sync { ticks: 0, wall, west, summer }, records: Vec::new() }))
}

fn read_record(cursor: &mut Cursor<'_>) -> Option<Sync> {
    let (_signature, _flags) = (cursor.u32()?, cursor.u32()?);
    let (ticks, wall) = (cursor.u64()?, cursor.u64()?.cast_signed());
    let (west, summer) = (cursor.u32()?.cast_signed(), cursor.u32()?);
    Some(Sync { ticks, wall, west, summer })
}
