//! A live Mac's log read from its own files, while it is written.

use crate::support::fake_mac::FakeMac;
use crate::support::live_mac::{LOG, mac, source, state_dir};
use crate::support::story::Story;
use crate::support::tracev3::{Boot, Program, write};
use crate::support::{ndjson, rows, time};
use mdm_health::collect::Collector;
use mdm_health::health::Findings;
use mdm_health::host::Live;
use mdm_health::log::ReadOptions;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const NOW: &str = "2026-11-23T18:00:00Z";
const STORE: &str = "/private/var/db/diagnostics";

fn collector(mac: &FakeMac, now: &str) -> Arc<Collector> {
    let live = Live::new(mac.root().to_owned(), Some(time(now))).with_store().unwrap();
    Collector::new(Box::new(live), ReadOptions::default(), state_dir(mac), Some(state_dir(mac)))
}

/// The strings and the times of a store, without any log file.
fn prepare(mac: &FakeMac, boot: &Boot, programs: &[Program]) {
    write(&mac.path(STORE), &[], std::slice::from_ref(boot), &[]);
    write(&mac.path("/private/var/db/uuidtext"), &[], &[], programs);
    fs::create_dir_all(mac.path(STORE).join("Persist")).unwrap();
}

fn file(mac: &FakeMac, number: u64) -> PathBuf {
    mac.path(STORE).join(format!("Persist/{number:016x}.tracev3"))
}

/// Puts a file there that was last written at that moment.
fn put(path: &PathBuf, bytes: &[u8], written: &str) {
    fs::write(path, bytes).unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(time(written).timestamp() as u64);
    File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

fn settled(collector: &Arc<Collector>) -> Arc<Findings> {
    let findings = collector.findings_of_a_day(Duration::from_secs(120));
    while Arc::strong_count(collector) > 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    findings
}

/// Exchanges a few seconds apart, each with another identifier.
fn story(from_minute: usize, exchanges: usize) -> Story {
    let mut lines = String::new();
    for number in 0..exchanges {
        let (minute, second) = (from_minute + number / 20, number % 20 * 3);
        let at = |second: usize| format!("2026-11-23 17:{minute:02}:{second:02}");
        let said = format!("[Acknowledged(DeviceInformation):{from_minute}-{number}]");
        lines += &format!("{} >>>>> Sending HTTP request (PUT) {said} >>>>>\n", at(second));
        lines += &format!("{} <<<<< Received HTTP response (200) {said} <<<<<\n", at(second + 1));
    }
    Story::of_ndjson(&ndjson(&lines))
}

#[test]
fn a_store_that_grows_while_it_is_read_gives_each_record_once() {
    let mac = mac("");
    let all = Story([story(10, 200).0, story(25, 200).0].concat());
    let (boot, programs) = (all.boot(), all.programs());
    prepare(&mac, &boot, &programs);
    // Each file has a catalog for every forty lines, and grows by pieces that end anywhere.
    let files: Vec<Vec<u8>> = [0..400, 400..800].map(|lines| all.tracev3_in_steps(lines, 40)).into();
    let collector = collector(&mac, NOW);
    let (mut seen, mut seed) = (0, 7_usize);
    for (number, bytes) in files.iter().enumerate() {
        let mut end = 0;
        while end < bytes.len() {
            seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
            end = bytes.len().min(end + 1 + seed % 1500);
            put(&file(&mac, number as u64 + 1), &bytes[..end], NOW);
            collector.refresh();
            let now = rows(&collector.findings_at_hand().unwrap(), "mdm_exchanges").len();
            assert!(now >= seen, "{now} after {seen}");
            seen = now;
        }
    }
    let findings = settled(&collector);
    let exchanges = rows(&findings, "mdm_exchanges");
    let different: BTreeSet<&str> = exchanges.iter().filter_map(|row| row.text("command_uuid")).collect();
    assert_eq!((exchanges.len(), different.len()), (400, 400));
    assert!(exchanges.iter().all(|row| row.text("outcome") == Some("ok")));
    assert_eq!(source(&findings, "unified_log").text("state"), Some("ok"));
    assert_eq!(source(&findings, "journal").number("events_kept"), Some(800));
    assert!(mac.calls(LOG).is_empty());
}

#[test]
fn a_command_without_an_answer_in_the_files_is_no_proof_that_it_hangs() {
    let mac = mac("");
    let powerd = "/System/Library/CoreServices/powerd.bundle/powerd";
    let story = Story::of_ndjson(&ndjson(&format!(
        "2026-11-23 15:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<
         2026-11-23 15:00:01 Processing server request: ScheduleOSUpdate for: <Device> (A-1) PowerNap: no
         2026-11-23 17:59:59 <{powerd}> Wake reason: none"
    )));
    prepare(&mac, &story.boot(), &story.programs());
    put(&file(&mac, 1), &story.tracev3(0..3), NOW);
    let findings = settled(&collector(&mac, NOW));
    assert_eq!(findings.commands.len(), 1);
    let watchdog = rows(&findings, "mdm_watchdog").remove(0);
    assert_eq!(
        (watchdog.shown("state"), watchdog.shown("reason")),
        ("unknown".to_owned(), "log_incomplete".to_owned())
    );
    assert_eq!(watchdog.number("log_to"), Some(time("2026-11-23T17:49:59Z").timestamp()));
}

#[test]
fn old_files_are_read_for_the_day_and_older_ones_not_at_all() {
    let mac = mac("");
    let lines = ["2026-11-20 10:00:00", "2026-11-22 20:00:00", "2026-11-23 17:30:00"]
        .map(|at| format!("{at} <<<<< Received HTTP response (200) [Idle] <<<<<"));
    let story = Story::of_ndjson(&ndjson(&lines.join("\n")));
    prepare(&mac, &story.boot(), &story.programs());
    for (number, written) in ["2026-11-20T10:00:00Z", "2026-11-22T20:00:00Z", NOW].iter().enumerate() {
        put(&file(&mac, number as u64 + 1), &story.tracev3(number..number + 1), written);
    }
    let findings = settled(&collector(&mac, NOW));
    assert_eq!(findings.verdict.state.word(), "ok");
    assert_eq!(findings.exchanges.len(), 2);
    assert_eq!(findings.log_span().map(|span| span.from), Some(time("2026-11-22T18:00:00Z")));
}

#[test]
fn a_store_that_is_missing_or_empty_is_said() {
    let mac = mac("");
    let refused = Live::new(mac.root().to_owned(), None).with_store();
    assert!(refused.is_err_and(|error| error.to_string().contains("/private/var/db cannot be read")));
    fs::create_dir_all(mac.path(STORE)).unwrap();
    let findings = settled(&collector(&mac, NOW));
    let log = source(&findings, "unified_log");
    assert_eq!((log.text("state"), log.text("reason")), (Some("error"), Some("log_store_missing")));
}
