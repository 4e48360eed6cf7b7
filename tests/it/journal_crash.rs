//! Processes that share a journal, and processes killed while they write it: no event is lost or duplicated.
#![allow(clippy::disallowed_methods, reason = "the tests start the program itself")]

use crate::support;
use crate::support::fake_mac::FakeMac;
use crate::support::tries;
use crate::support::{ENROLLED, MDMCLIENT};
use chrono::Utc;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long the processes of the first test share the journal; MDM_HEALTH_TEST_SECONDS makes it longer.
fn together() -> Duration {
    let seconds = std::env::var("MDM_HEALTH_TEST_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(tries(2, 6) as u64))
}

fn mac() -> FakeMac {
    let mac = FakeMac::new();
    mac.command("/usr/bin/profiles", ENROLLED)
        .command("/usr/sbin/sysctl", "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n")
        .log("");
    mac
}

fn query(mac: &FakeMac, sql: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    command.args(["query", sql, "--csv", "--source", "live", "--root", mac.root().to_str().unwrap()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Adds records with the current time, each of another command.
fn say(mac: &FakeMac, numbers: std::ops::Range<usize>) {
    let text: String = numbers
        .map(|number| {
            let at = Utc::now().format("%F %T%.6f%z").to_string();
            let message = format!("<<<<< Received HTTP response (200) [Acknowledged(X):{number}] <<<<<");
            support::record(MDMCLIENT, &at, 300, number as u64, &message) + "\n"
        })
        .collect();
    mac.log_more(&text);
}

/// How many exchanges a last, undisturbed refresh gives, and how many distinct ones.
fn known(mac: &FakeMac) -> (i64, i64) {
    let sql = "SELECT COUNT(*), COUNT(DISTINCT command_uuid) FROM mdm_exchanges";
    let output = query(mac, sql).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (all, distinct) = text.lines().nth(1).unwrap().split_once(',').unwrap();
    (all.parse().unwrap(), distinct.parse().unwrap())
}

#[test]
fn two_processes_that_refresh_at_once_lose_and_duplicate_no_event() {
    let mac = mac();
    let end = Instant::now() + together();
    let said = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while Instant::now() < end {
                    let output = query(&mac, "SELECT state FROM mdm_watchdog").output().unwrap();
                    assert!(output.status.success());
                }
            });
        }
        while Instant::now() < end && said.load(Ordering::Relaxed) < 4_000 {
            let from = said.fetch_add(10, Ordering::Relaxed);
            say(&mac, from..from + 10);
            thread::sleep(Duration::from_millis(20));
        }
    });
    let said = said.load(Ordering::Relaxed) as i64;
    assert_eq!(known(&mac), (said, said));
}

#[test]
fn kills_during_a_refresh_lose_and_duplicate_no_event() {
    let (mac, kills) = (mac(), tries(50, 200));
    let start = Instant::now();
    query(&mac, "SELECT state FROM mdm_watchdog").output().unwrap();
    // At any point of a run, and sometimes after its end.
    let longest = u32::try_from(start.elapsed().as_micros()).unwrap() * 5 / 4;
    let mut random = 0x2545_f491_u32;
    for round in 0..kills {
        say(&mac, round * 20..round * 20 + 20);
        let mut child: Child = query(&mac, "SELECT state FROM mdm_watchdog").spawn().unwrap();
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        thread::sleep(Duration::from_micros(u64::from(random % longest)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let said = kills as i64 * 20;
    assert_eq!(known(&mac), (said, said));
    let sql = "SELECT state FROM mdm_health_status WHERE source = 'journal'";
    let output = query(&mac, sql).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "state\nok\n");
}
