//! A log archive as large as is asked for: sixty programs, of which a few say what an MDM client says.
#![allow(dead_code, reason = "tests and benches use their own parts")]

use super::tracev3::{Boot, Entry, File, Format, Packing, Program, Value, shared_cache, write};
use std::fs;
use std::path::Path;

pub const MDMCLIENT: usize = 0;
pub const SOFTWAREUPDATED: usize = 1;
const PROGRAMS: usize = 60;
const SHARED_CACHE: u128 = 0xD5C0_0000_0000_4000_8000_0000_0000_0001;
const SHARED_AT: u32 = 0x1_0000;

/// What the programs say by their shared cache.
const SHARED: [&str; 2] = ["Connection %llu: received event %{public}s", "[%{public}@] task finished with error %@"];

/// How an archive is to be.
#[derive(Clone, Copy)]
pub struct Sample {
    /// How many bytes its tracev3 files have at least, and how many files there are.
    pub bytes: usize,
    pub files: usize,
    /// One record in so many is of mdmclient.
    pub one_in: u64,
    pub packing: Packing,
}

/// A boot on Apple silicon, from 2026-11-20 on.
pub fn boot() -> Boot {
    let start = 1_795_132_800_000_000_000;
    let hour = 3_600_000_000_000_i64;
    let sync = |at: i64| ((at * hour) as u64 * 3 / 125, start + at * hour, 360, false);
    Boot {
        uuid: 0x1122_3344_5566_4788_99AA_BBCC_DDEE_FF00,
        timebase: (125, 3),
        start,
        syncs: (0..100).map(sync).collect(),
        zone: (360, false),
    }
}

pub fn programs() -> Vec<Program> {
    (0..PROGRAMS)
        .map(|number| {
            let (image, uid) = match number {
                MDMCLIENT => ("/usr/libexec/mdmclient".to_owned(), 0),
                SOFTWAREUPDATED => {
                    let folder = "/System/Library/CoreServices/Software Update.app/Contents/Resources";
                    (format!("{folder}/softwareupdated"), 200)
                }
                _ => (format!("/System/Library/PrivateFrameworks/Other{number}.framework/Support/other{number}"), 501),
            };
            Program {
                image,
                uuid: 0xA000_0000_0000_4000_8000_0000_0000_0000 + number as u128,
                pid: 300 + number as u32,
                uid,
                formats: vec![
                    "%{public}@".to_owned(),
                    format!("[%{{public}}s] step %llu of {number}: %{{public}}@"),
                    "account %{private}@ has %llu items".to_owned(),
                ],
                shared_cache: SHARED_CACHE,
            }
        })
        .collect()
}

/// Writes the archive, and gives how many records it has.
pub fn generate(folder: &Path, sample: Sample) -> u64 {
    let (boot, programs) = (boot(), programs());
    let mut seed = 1_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let long = "a value of many words that fits into no page, ".repeat(120);
    let (mut ticks, mut records, mut written) = (1_000_000, 0, 0);
    write(folder, &[], std::slice::from_ref(&boot), &programs);
    for number in 0..sample.files {
        let mut file = File::new(&boot, &programs, sample.packing);
        while file.len() < sample.bytes / sample.files {
            ticks += 200 + random(20_000);
            records += 1;
            let program = match records % sample.one_in {
                0 => MDMCLIENT,
                1 if random(4) == 0 => SOFTWAREUPDATED,
                _ => 2 + random(PROGRAMS as u64 - 2) as usize,
            };
            let uuid = format!("{:08X}-{:04X}", random(1 << 32), random(1 << 16));
            let text = match random(4) {
                0 => format!(
                    "[0:MDMDaemon:HTTPUtil:<0x{:x}>] >>>>> Sending HTTP request (PUT) [Idle] >>>>>",
                    random(1 << 20)
                ),
                1 => format!("Processing server request: DeviceInformation for: <Device> ({uuid}) PowerNap: no"),
                2 => format!("state changed from {} to {} for {uuid}", random(9), random(9)),
                _ => format!("{uuid} finished"),
            };
            let (format, values) = match random(64) {
                0..40 => (Format::Own(0), vec![Value::Text(&text)]),
                40..50 => (Format::Own(1), vec![Value::Text("Queue"), Value::Number(random(100)), Value::Text(&text)]),
                50..56 => (Format::Own(2), vec![Value::Private, Value::Number(random(1000))]),
                56..60 => (Format::Shared(SHARED_AT), vec![Value::Number(random(100)), Value::Text(&text)]),
                60..62 => {
                    (Format::Shared(SHARED_AT + SHARED[0].len() as u32 + 1), vec![Value::Text(&text), Value::Private])
                }
                62 => (Format::Dynamic, vec![Value::Text(&text)]),
                _ if random(200) == 0 => (Format::Own(0), vec![Value::Text(&long)]),
                _ => (Format::Own(0), vec![Value::Text(&uuid)]),
            };
            let (subsystem, category) = match (program, random(5)) {
                (MDMCLIENT, 0..4) => ("com.apple.ManagedClient", "HTTPUtil"),
                (SOFTWAREUPDATED, 0..4) => ("com.apple.SoftwareUpdate", "SUScan"),
                (_, 0..3) => ("com.apple.other", ["general", "network", "state"][random(3) as usize]),
                (_, 3) => ("com.apple.remotemanagementd", "mdmConduit"),
                _ => ("", ""),
            };
            let level = [0, 0, 0, 1, 2, 16][random(6) as usize];
            let thread = 0x6c00 + random(16);
            file.push(&Entry { ticks, program, thread, level, subsystem, category, format, values });
        }
        let bytes = file.finish();
        written += bytes.len();
        write(folder, &[(&format!("Persist/{number:016x}.tracev3"), bytes)], std::slice::from_ref(&boot), &[]);
    }
    assert!(written >= sample.bytes);
    let cache = shared_cache(&[
        ("/usr/lib/system/libxpc.dylib", u64::from(SHARED_AT), 4096, &SHARED),
        ("/System/Library/Frameworks/CFNetwork.framework/CFNetwork", 0x20_0000, 8192, &["unused %d"]),
    ]);
    fs::create_dir_all(folder.join("dsc")).unwrap();
    fs::write(folder.join(format!("dsc/{SHARED_CACHE:032X}")), cache).unwrap();
    records
}
