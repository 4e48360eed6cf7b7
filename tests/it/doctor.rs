//! `doctor` on the fake Mac, in the states in which an admin meets it.
use crate::support::fake_mac::FakeMac;
use crate::support::keychain::Keychain;
use crate::support::{self, MDMCLIENT, record, time};
use mdm_health::cli::doctor::{self, DoctorOptions};
use mdm_health::host::Live;
use mdm_health::log::ReadOptions;
use regex::Regex;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

const NOW: &str = "2026-11-23T18:00:00Z";
const EXTENSION: &str = "/usr/local/mdm-health/mdm_health.ext";

fn said(at: &str, message: &str) -> String {
    record(MDMCLIENT, &format!("2026-11-23 {at}.000000+0000"), 300, 0x6c0d, message) + "\n"
}

/// A Mac on which all is well, with an osquery that loads us.
fn mac() -> FakeMac {
    let keychain = Keychain::at(NOW).identity("Mac 42", "Example CA", -65..300);
    let log = said("10:00:00", "[0:MDMDaemon:<0x1>] Saved PRK escrow file: YES  Length: 460")
        + &said("17:00:00", "[0:MDMDaemon:HTTPUtil:<0x1>] >>>>> Sending HTTP request (PUT) [Idle] >>>>>")
        + &said("17:00:01", "[0:MDMDaemon:HTTPUtil:<0x1>] <<<<< Received HTTP response (200) [Idle] <<<<<")
        + &said("17:59:00", "[0:MDMDaemon:<0x1>] Saved PRK escrow file: YES  Length: 112");
    let mac = FakeMac::new();
    mac.answers("/usr/bin/profiles", "status", support::ENROLLED)
        .answers("/usr/bin/profiles", "-C", "<plist version=\"1.0\"><dict/></plist>")
        .command(
            "/usr/libexec/mdmclient",
            "Management status: {\n    DeviceIsSupervised = 1;\n    EnrolledInDEP = 1;\n    ManagedViaMDM = 1;\n}\n",
        )
        .answers("/usr/bin/security", "find-identity", &keychain.identities())
        .answers("/usr/bin/security", "find-certificate", keychain.certificates())
        .command("/usr/sbin/sysctl", "{ sec = 1763300000, usec = 0 } then\n{ sec = 0, usec = 0 } never\n")
        .command("/bin/launchctl", "system/com.apple.example = {\n\tstate = running\n\tpid = 512\n}\n")
        .platform()
        .answers("/usr/sbin/scutil", "--nwi", "Network information\n\nIPv4 network interface information\n   en0 : flags : 0x5 (IPv4,DNS)\n\nNetwork interfaces: en0\n")
        .file("/bin/launchctl.com.apple.mdmclient.daemon.runatboot.out", "")
        .file("/bin/launchctl.com.apple.mdmclient.daemon.runatboot.code", "113\n")
        .file("/bin/launchctl.err", "Could not find service in domain for system\n")
        .log(&log)
        .file("/private/var/log/install.log", "2026-11-23 10:00:00+00 mac softwareupdated[301]: SUScan: done\n")
        .file("/Library/Preferences/com.apple.SoftwareUpdate.plist", "<plist version=\"1.0\"><dict/></plist>")
        .file(
            "/System/Library/CoreServices/SystemVersion.plist",
            "<plist version=\"1.0\"><dict><key>ProductVersion</key><string>26.1</string>\
             <key>ProductBuildVersion</key><string>25B78</string></dict></plist>",
        )
        .file("/Library/Managed Preferences/com.example.plist", "")
        .file(EXTENSION, "")
        .file("/opt/orbit/extensions.load", &format!("{EXTENSION}\n"));
    mac
}

/// What doctor prints, without what differs from run to run, and whether nothing failed.
fn look(mac: &FakeMac) -> (String, bool) {
    let host = Live::new(mac.root().to_owned(), Some(time(NOW))).with_log_limit(Duration::from_secs(2));
    let options = DoctorOptions { json: false, samples: true };
    let state_dir = mac.path("/state");
    let (printed, all_well) = doctor::run(&host, "live", &ReadOptions::default(), &state_dir, options);
    let printed = printed.replace(&*mac.root().to_string_lossy(), "ROOT").replace(mdm_health::VERSION, "VERSION");
    let printed = Regex::new(r"\d+\.\d s").unwrap().replace_all(&printed, "T s").into_owned();
    let printed = Regex::new(r"owner \d+, group \d+").unwrap().replace_all(&printed, "owner U, group G").into_owned();
    (printed, all_well)
}

macro_rules! states {
    ($($test:ident: $all_well:literal, $change:expr,)*) => {
        $(
            #[test]
            fn $test() {
                let mac = mac();
                let change: fn(&FakeMac) = $change;
                change(&mac);
                let (printed, all_well) = look(&mac);
                assert_eq!(all_well, $all_well, "{printed}");
                insta::assert_snapshot!(stringify!($test), printed);
            }
        )*
    };
}

states! {
    all_is_well: true, |_| {},
    the_log_is_denied: false, |mac| {
        mac.behaves("/usr/bin/log", "denied");
    },
    the_log_hangs: false, |mac| {
        mac.behaves("/usr/bin/log", "hang");
    },
    there_is_no_osquery: true, |mac| {
        fs::remove_dir_all(mac.path("/opt/orbit")).unwrap();
    },
    the_policy_folder_is_writable_by_its_group: false, |mac| {
        fs::set_permissions(mac.path("/Library/Managed Preferences"), fs::Permissions::from_mode(0o775)).unwrap();
    },
    everything_is_private: false, |mac| {
        fs::remove_file(mac.path("/usr/bin/log.records")).unwrap();
        mac.log(&(said("17:00:00", "<private>") + &said("17:00:01", "<private>")));
    },
    two_mdmclient_daemons_run: true, |mac| {
        mac.file("/bin/launchctl.com.apple.mdmclient.daemon.runatboot.out", "\tpid = 77\n")
            .file("/bin/launchctl.com.apple.mdmclient.daemon.runatboot.code", "0\n");
    },
    addigys_watchdog_is_there_too: true, |mac| {
        mac.file("/Library/LaunchDaemons/com.addigy.mdm-watchdog.plist", "");
    },
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test starts the program itself")]
fn elsewhere_than_on_a_mac_it_says_what_to_pass() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    program.arg("doctor").arg("--root").arg(folder.path()).env_remove("MDM_HEALTH_SOURCE");
    let output = program.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("pass --source"), "{output:?}");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test starts the program itself")]
fn a_capture_is_looked_at_as_far_as_it_goes_and_as_json() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    program.args(["doctor", "--json", "--source"]).arg(support::fixture("quiet-healthy-day"));
    let output = program.env_remove("MDM_HEALTH_SOURCE").output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["sources"][0]["name"], "unified_log");
    assert_eq!(report["log_readings"][0]["outcome"], "ok");
    let mdmclient = &report["programs"][0];
    assert_eq!(mdmclient["name"], "mdmclient");
    assert!(mdmclient["events"].as_u64() > Some(0), "{mdmclient}");
    assert!(report["launchd"].as_array().unwrap().is_empty() && report["folders"].as_array().unwrap().is_empty());
}

#[test]
fn what_the_extension_cost_this_mac_in_the_last_day_is_shown() {
    let mac = mac();
    let (now, state_dir) = (time(NOW) - chrono::TimeDelta::minutes(20), mac.path("/state"));
    let host = Live::new(mac.root().to_owned(), Some(now));
    let collector =
        mdm_health::collect::Collector::new(Box::new(host), ReadOptions::default(), state_dir.clone(), Some(state_dir));
    collector.findings_of_a_day(Duration::from_secs(120));
    let (printed, _) = look(&mac);
    let line = printed.lines().find(|line| line.contains(" cost ")).unwrap_or_else(|| panic!("{printed}"));
    assert!(line.contains("The log was read 2 times in the last 24 hours"), "{line}");
}
