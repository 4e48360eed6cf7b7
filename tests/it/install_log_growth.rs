//! An install.log that grows, is cut, replaced or rewritten between refreshes gives the same as reading it once.

use crate::support::fake_mac::FakeMac;
use crate::support::set_clock::{Clock, SetClock};
use crate::support::{rows, time};
use mdm_health::collect::Collector;
use mdm_health::log::ReadOptions;
use proptest::prelude::*;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A Mac with nothing but install.log.
struct Growing {
    mac: FakeMac,
    collector: Arc<Collector>,
}

fn collector(mac: &FakeMac) -> Arc<Collector> {
    let host = SetClock::new(mac.root(), &Clock::at(time("2026-11-23T18:00:00Z")));
    Collector::new(Box::new(host), ReadOptions::default(), mac.path("/state"), Some(mac.path("/state")))
}

/// What the tables show about install.log after a refresh.
fn told(collector: &Arc<Collector>) -> Vec<String> {
    collector.refresh();
    let findings = collector.findings(Duration::from_secs(60));
    let status = rows(&findings, "mdm_health_status").into_iter().find(|row| row.text("source") == Some("install_log"));
    let columns = [
        "state",
        "reason",
        "detail",
        "covers_from",
        "covers_to",
        "records_read",
        "events_kept",
        "lines_skipped",
        "lines_not_understood",
    ];
    let mut told: Vec<String> = columns.iter().map(|column| status.as_ref().unwrap().shown(column)).collect();
    told.extend(rows(&findings, "os_update_events").iter().map(|row| format!("{row:?}")));
    told.extend(rows(&findings, "os_update_status").iter().map(|row| format!("{row:?}")));
    told
}

impl Growing {
    fn new() -> Self {
        let mac = FakeMac::new();
        fs::create_dir_all(mac.path("/private/var/log")).unwrap();
        Self { collector: collector(&mac), mac }
    }

    fn path(&self) -> PathBuf {
        self.mac.path("/private/var/log/install.log")
    }

    fn append(&self, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Renames the file and starts a new one, as newsyslog does.
    fn rotate(&self, text: &str) {
        let _ = fs::rename(self.path(), self.path().with_extension("0"));
        fs::write(self.path(), text).unwrap();
    }

    /// A collector that followed the file gives the same as one that reads it for the first time.
    fn compare(&self) {
        assert_eq!(told(&self.collector), told(&collector(&self.mac)));
    }
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        (0u32..60).prop_map(|second| format!(
            "2026-11-23 12:00:{second:02}+00 mac softwareupdated[9]: softwareupdated: Starting with build 26.1 (25B78)\n"
        )),
        (0u32..60).prop_map(|second| format!(
            "2026-11-23 13:00:{second:02}-05 mac softwareupdated[9]: MSU updates found: (\n    \
             \"<SUOSUProduct: MSU_UPDATE_22G74_patch_13.5_minor>\"\n)\n"
        )),
        Just("2026-11-23 12:30:00+00 mac softwareupdated[9]: Scan (f=1, d=0) completed \n".to_owned()),
        Just("2026-11-23 12:30:00+00 mac\n".to_owned()),
        Just("--- last message repeated 2 times ---\n".to_owned()),
        Just("Nov  7 19:44:39 localhost softwareupdated[312]: x\n".to_owned()),
        Just("Nov 23 12:44:39 mac softwareupdated[312]: Scan (f=1, d=0) completed\n".to_owned()),
        Just("\tmore of the line before\n".to_owned()),
        Just("12 of something\n\n".to_owned()),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Append(String),
    Rotate(String),
    Truncate(u8),
    WriteAnew(String),
}

fn step() -> impl Strategy<Value = Step> {
    let text = || proptest::collection::vec(line(), 0..5).prop_map(|lines| lines.concat());
    // A piece may end within a line.
    let piece = (text(), 0usize..40).prop_map(|(mut text, cut)| {
        text.truncate(text.len().saturating_sub(cut));
        text
    });
    prop_oneof![
        6 => piece.prop_map(Step::Append),
        1 => text().prop_map(Step::Rotate),
        1 => any::<u8>().prop_map(Step::Truncate),
        1 => text().prop_map(Step::WriteAnew),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn following_a_log_gives_the_same_as_reading_it_from_the_start(steps in proptest::collection::vec(step(), 1..8)) {
        let log = Growing::new();
        log.append("2026-11-23 11:59:00+00 mac softwareupdated[9]: softwareupdated: Starting with build 26.0 (25A1)\n");
        log.compare();
        for (number, step) in steps.into_iter().enumerate() {
            // Each file starts differently: from outside, a rewritten file can look like the one before.
            let mark = format!("2026-11-23 14:00:00+00 mac softwareupdated[9]: {}\n", "x".repeat(number));
            match step {
                Step::Append(text) => log.append(&text),
                Step::Rotate(text) => log.rotate(&(mark + &text)),
                Step::Truncate(by) => {
                    let text = fs::read(log.path()).unwrap();
                    // At least one record stays: for a file without records the last good answer is kept instead.
                    let first = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
                    let length = text.len().saturating_sub(usize::from(by) + 1).max(first);
                    OpenOptions::new().write(true).open(log.path()).unwrap().set_len(length as u64).unwrap();
                }
                Step::WriteAnew(text) => fs::write(log.path(), mark + &text).unwrap(),
            }
            log.compare();
        }
    }
}

#[test]
fn an_unfinished_repetition_line_that_grows_into_another_line_is_read_as_that_line() {
    let log = Growing::new();
    let line = "2026-11-23 12:00:00+00 mac softwareupdated[9]: softwareupdated: Starting with build 26.1 (25B78)\n";
    for piece in [line, "--- last message repeated 2 times ---", line, line] {
        log.append(piece);
        log.compare();
    }
}

#[test]
fn what_was_read_before_is_not_read_again() {
    let log = Growing::new();
    let line = "2026-11-23 12:00:00+00 mac softwareupdated[9]: softwareupdated: Starting with build 26.1 (25B78)\n";
    log.append(&line.repeat(10));
    log.compare();
    // Only a collector that reads the whole file sees this change.
    let mut file = OpenOptions::new().write(true).open(log.path()).unwrap();
    file.write_all(line.replace("26.1", "26.2").as_bytes()).unwrap();
    log.append(line);
    let (followed, anew) = (told(&log.collector), told(&collector(&log.mac)));
    assert_eq!((followed[5].as_str(), anew[5].as_str()), ("11", "11"), "records");
    assert!(!followed.concat().contains("26.2") && anew.concat().contains("26.2"));
}

#[test]
fn a_log_that_grew_beyond_the_read_limit_is_read_from_its_end() {
    let log = Growing::new();
    let line =
        "2026-11-23 12:00:00+00 mac softwareupdated[9]: Refreshing available updates from scan, again and again\n";
    log.append(line);
    log.compare();
    log.append(&line.repeat((9 << 20) / line.len()));
    log.compare();
    assert_eq!(told(&log.collector)[1], "end_only");
}
