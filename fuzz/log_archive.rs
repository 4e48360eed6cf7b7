//! Log archives: a tracev3 file of any bytes, and the files that it needs.

use mdm_health::host::pieces::{Pieces, Shape};
use mdm_health::log::tracev3::{StoredRecord, WantedRecords, Watch, read};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use tempfile::TempDir;

/// A tracev3 file of two programs, the second one by its subsystem alone. Each record that is handed out is counted.
pub fn tracev3(data: &[u8]) {
    read_archive(data, &uuidtext(), &shared_cache(), &timesync());
}

/// The files beside a tracev3 file that stays as it is, one behind the other: a uuidtext file, a shared cache, a timesync
/// file. The first byte tells which of them the others are.
pub fn strings(data: &[u8]) {
    const LOG: &[u8] = include_bytes!("corpus/tracev3/all-kinds-of-strings");
    let (which, file) = data.split_at(data.len().min(1));
    match which.first().copied().unwrap_or(0) % 3 {
        0 => read_archive(LOG, file, &shared_cache(), &timesync()),
        1 => read_archive(LOG, &uuidtext(), file, &timesync()),
        _ => read_archive(LOG, &uuidtext(), &shared_cache(), file),
    }
}

fn read_archive(tracev3: &[u8], uuidtext: &[u8], shared_cache: &[u8], timesync: &[u8]) {
    static FOLDER: LazyLock<Option<TempDir>> = LazyLock::new(|| tempfile::tempdir().ok());
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let Some(folder) = &*FOLDER else { panic!("there is no place for an archive") };
    for (name, bytes) in [
        ("Persist/0000000000000001.tracev3", tracev3),
        ("A0/000000000040008000000000000000", uuidtext),
        ("dsc/D5C00000000040008000000000000001", shared_cache),
        ("timesync/0000000000000001.timesync", timesync),
    ] {
        let path = folder.path().join(name);
        assert!(fs::create_dir_all(path.parent().unwrap_or(&path)).and_then(|()| fs::write(&path, bytes)).is_ok());
    }
    let Ok(Some(pieces)) = Pieces::open(folder.path(), &()) else { panic!("the archive cannot be read") };
    let Ok(Shape::Log(store)) = Shape::of(&pieces) else { panic!("it is no archive") };
    let wanted = [
        WantedRecords::of_process("mdmclient"),
        WantedRecords { subsystem: "com.apple.remotemanagementd".to_owned(), ..WantedRecords::default() },
    ];
    let records = AtomicU64::new(0);
    let sink = |record: &StoredRecord<'_>| {
        assert!(record.moment.at.timestamp() > 0);
        records.fetch_add(1, Ordering::Relaxed);
    };
    let Ok(summary) = read(&pieces, &store, &wanted, &sink, &Patient) else { panic!("it cannot be read") };
    assert_eq!(summary.counts.records, records.into_inner());
}

/// Reads to the end, however long that takes.
struct Patient;

impl Watch for Patient {
    fn advance(&self, _: u64) {}

    fn is_over(&self) -> bool {
        false
    }
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn uuidtext() -> Vec<u8> {
    let strings = b"%{public}@\0[%{public}s] step %llu of 0: %{public}@\0account %{private}@ has %llu items\0";
    let header = numbers(&[0x6677_8899, 2, 1, 1, 0x8000, u32::try_from(strings.len()).unwrap_or(0)]);
    [&header[..], strings, b"/usr/libexec/mdmclient\0"].concat()
}

fn shared_cache() -> Vec<u8> {
    let strings = b"Connection %llu: received event %{public}s\0[%{public}@] task finished with error %@\0";
    let length = u32::try_from(strings.len()).unwrap_or(0);
    // One range and one image, then the strings and the path.
    let header = [&b"hcsd"[..], &numbers(&[2, 1, 1])].concat();
    let range = numbers(&[0x1_0000, 0, 72, length, 0, 0]);
    let image = [numbers(&[0x1_0000, 0, 4096]), vec![7; 16], numbers(&[72 + length])].concat();
    [&header[..], &range, &image, strings, b"/usr/lib/system/libxpc.dylib\0"].concat()
}

fn timesync() -> Vec<u8> {
    let uuid = 0x1122_3344_5566_4788_99AA_BBCC_DDEE_FF00_u128.to_be_bytes();
    let start = 1_795_132_800_000_000_000_u64.to_le_bytes();
    let boot = [&numbers(&[0x0030_bbb0, 0])[..], &uuid, &numbers(&[125, 3]), &start, &numbers(&[360, 0])].concat();
    [&boot[..], &numbers(&[0x0020_7354, 0, 0, 0]), &start, &numbers(&[360, 0])].concat()
}
