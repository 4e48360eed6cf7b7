//! Many clients for a long time, on a Mac whose log grows: no errors, and memory does not grow.
//!
//! Short by default; `MDM_HEALTH_SOAK_QUERIES=1000000 cargo test --release --test it soak:: -- --nocapture` is the long one.
#![allow(clippy::print_stdout, reason = "--nocapture shows the figures of a long run")]

use crate::support;
use crate::support::ENROLLED;
use crate::support::extension::Extension;
use crate::support::fake_mac::FakeMac;
use crate::support::manager::{Manager, until};
use chrono::{TimeDelta, Utc};
use mdm_health::tables::DEFINITIONS;
use std::env;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 8;

/// How many commands the log holds at the start.
const RECORDED: usize = 300;

/// How many times the log grows: few, since the rows themselves take memory.
const GROWTHS: usize = 60;

/// How much more memory may be in use later than in the first third, in KiB.
const MARGIN: u64 = 8 << 10;

/// A command and its exchange, from this long ago.
fn exchange(ago: TimeDelta, number: usize) -> String {
    let at = (Utc::now() - ago).format("%Y-%m-%d %H:%M:%S");
    let id = format!("7d1c2f0e-4f0a-4c1e-9a55-{number:012}");
    support::ndjson(&format!(
        "{at} Processing server request: ProfileList for: <Device> ({id}) PowerNap: no
         {at} >>>>> Sending HTTP request (PUT) [Acknowledged(ProfileList):{id}] >>>>>
         {at} <<<<< Received HTTP response (200) [Acknowledged(ProfileList):{id}] <<<<<"
    ))
}

/// The resident memory of a process in KiB, where /proc exists.
fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

fn open_files(process: u32) -> Option<usize> {
    Some(Path::new(&format!("/proc/{process}/fd")).read_dir().ok()?.count())
}

#[test]
fn many_queries_while_the_log_grows_cause_no_error_and_no_memory_growth() {
    let queries: usize = env::var("MDM_HEALTH_SOAK_QUERIES").map_or(4_000, |queries| queries.parse().unwrap());
    let (folder, mac) = (tempfile::tempdir().unwrap(), FakeMac::new());
    let booted = Utc::now().timestamp() - 7 * 86_400;
    let log: String =
        (0..RECORDED).map(|number| exchange(TimeDelta::seconds(3000 - 10 * number as i64), number)).collect();
    mac.command("/usr/bin/profiles", ENROLLED)
        .command("/usr/sbin/sysctl", &format!("{{ sec = {booted}, usec = 0 }} then\n{{ sec = 0, usec = 0 }} then\n"))
        .log(&log);
    let manager = Manager::start(folder.path());
    let extension = Extension::start(&manager.socket, &["--source", "live", "--root", mac.root().to_str().unwrap()]);
    let (peer, process) = (manager.extension(), extension.0.id());
    let state = || peer.generate("mdm_watchdog", "{}").rows[0].get("state").cloned();
    until("the log is read", || state().as_deref() == Some("ok"));

    let (asked, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let start = Instant::now();
    let used = thread::scope(|scope| {
        scope.spawn(|| {
            for number in RECORDED..RECORDED + GROWTHS {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                mac.log_more(&exchange(TimeDelta::zero(), number));
                let share = (number - RECORDED + 1) * queries / GROWTHS;
                while asked.load(Ordering::Relaxed) < share && !over.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(20));
                }
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let number = asked.fetch_add(1, Ordering::Relaxed);
                        if number >= queries {
                            break;
                        }
                        let table = DEFINITIONS[number % DEFINITIONS.len()].name;
                        let answer = peer.generate(table, "{}");
                        assert_eq!((answer.code, answer.message.as_str()), (0, "OK"), "query {number} of {table}");
                    }
                })
            })
            .collect();
        // The most memory in use in each tenth of the queries.
        let mut used = [None; 10];
        while clients.iter().any(|client| !client.is_finished()) {
            let tenth = asked.load(Ordering::Relaxed) * 10 / queries;
            used[tenth.min(9)] = used[tenth.min(9)].max(resident(process));
            thread::sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
        used
    });
    println!(
        "{queries} queries in {:.0?}; {:?} files open; resident by tenths, in KiB:",
        start.elapsed(),
        open_files(process)
    );
    println!("{:?}", used.map(Option::unwrap_or_default));
    let (first, rest) = used.split_at(3);
    if let (Some(Some(first)), Some(Some(rest))) = (first.iter().max(), rest.iter().max()) {
        assert!(*rest <= first + MARGIN, "memory grew from {first} to {rest} KiB");
    }
    assert_eq!(state().as_deref(), Some("ok"));
    assert!(open_files(process).is_none_or(|open| open < 100), "files stay open");
    assert_eq!(manager.state().registrations.len(), 1);
}
