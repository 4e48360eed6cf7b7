//! What the extension costs while nobody asks: resident memory and processor time over ten minutes, on a fake Mac whose
//! log grows by a line a second. Linux only, since it reads /proc.
//!
//! Run it with `cargo bench --bench idle`; `MDM_HEALTH_IDLE_SECONDS` makes it shorter.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot measure may stop"
)]
#![allow(clippy::disallowed_methods, reason = "the bench starts the program itself")]

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, reason = "the bench uses its own part")]
mod support;

use chrono::Utc;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use support::fake_mac::FakeMac;
use support::manager::Manager;

fn main() {
    if !std::path::Path::new("/proc/self/stat").exists() {
        println!("nothing was measured: this system has no /proc");
        return;
    }
    let seconds = std::env::var("MDM_HEALTH_IDLE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    let mac = FakeMac::new();
    mac.command("/usr/bin/profiles", support::ENROLLED)
        .command("/usr/sbin/sysctl", "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n")
        .log("");
    let folder = tempfile::tempdir().unwrap();
    let manager = Manager::start(folder.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    command.arg("--socket").arg(&manager.socket).args(["--timeout", "10", "--interval", "3", "--source", "live"]);
    let mut extension = command.arg("--root").arg(mac.root()).stdout(Stdio::null()).spawn().unwrap();
    manager.extension();
    let (start, before, mut most) = (Instant::now(), ticks(extension.id()), 0);
    let mut number = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        let at = Utc::now().format("%F %T%.6f%z").to_string();
        let message = format!("<<<<< Received HTTP response (200) [Acknowledged(X):{number}] <<<<<");
        mac.log_more(&(support::record(support::MDMCLIENT, &at, 300, 7, &message) + "\n"));
        number += 1;
        most = most.max(resident_kib(extension.id()));
        thread::sleep(Duration::from_secs(1));
    }
    // The kernel counts in hundredths of a second.
    let spent = (ticks(extension.id()) - before) as f64 / 100.0;
    let percent = spent / start.elapsed().as_secs_f64() * 100.0;
    println!(
        "over {seconds} s: {:.1} MB resident at most, {spent:.2} s of processor time, {percent:.3} % of a core",
        most as f64 / 1024.0
    );
    extension.kill().unwrap();
    extension.wait().unwrap();
}

/// Processor time of the process and of the children that it waited for, in hundredths of a second.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..15].iter().map(|field| field.parse::<u64>().unwrap()).sum()
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
