//! One answer to which macOS runs, by which everything goes that compares versions.
use crate::support::captured::Captured;
use crate::support::fake_mac::FakeMac;
use crate::support::{self, Mac, rows, time};
use mdm_health::collect;
use mdm_health::facts::{ddm_state, system_version};
use mdm_health::health::Findings;
use mdm_health::host::Live;
use mdm_health::log::ReadOptions;

const NOW: &str = "2026-11-23T18:00:00Z";
const KERNEL: &str = "system-version";

fn plist(version: &str, build: &str) -> String {
    format!(
        "<plist version=\"1.0\"><dict><key>ProductBuildVersion</key><string>{build}</string>\
         <key>ProductVersion</key><string>{version}</string></dict></plist>"
    )
}

/// A Mac in UTC that had to run 26.6.2 two days ago.
fn enforced() -> Mac {
    let declared = "<plist version=\"1.0\"><dict><key>SUCorePersistedStatePolicyFields</key><dict><key>Declarations</key>\
         <dict><key>k</key><dict><key>TargetOSVersion</key><string>26.6.2</string><key>TargetLocalDateTime</key>\
         <string>2026-11-21T12:00:00</string></dict></dict></dict></dict></plist>";
    Mac::at(NOW)
        .file(ddm_state::PATH, declared)
        .file("/private/var/log/install.log", "2026-11-23 12:00:00+00 host softwareupdated[754]: hello\n")
        .said("2026-11-23 17:50:00 <<<<< Received HTTP response (200) [Idle] <<<<<")
}

/// The version that runs, whether the enforcement is past due, why updates are stuck, and how the source is.
fn answer(mac: &Mac) -> [String; 4] {
    let findings = mac.findings();
    let one = |table: &str, column: &str| rows(&findings, table)[0].shown(column);
    let sources = rows(&findings, "mdm_health_status");
    let source = sources.iter().find(|row| row.text("source") == Some("system_version")).unwrap();
    [
        one("os_update_settings", "macos_version"),
        one("os_update_enforcement", "past_due"),
        one("mdm_watchdog", "software_updates_reason"),
        format!("{} {}", source.shown("state"), source.shown("reason")),
    ]
}

#[test]
fn what_macos_shows_to_old_programs_makes_no_update_past_due() {
    let through_compat = enforced().file(system_version::PATH, &plist("16.6.2", "25G83"));
    let beside = through_compat.file(system_version::PLATFORM, &plist("26.6.2", "25G83"));
    assert_eq!(answer(&beside)[..2], ["26.6.2", "0"]);
    assert_eq!(answer(&beside)[3], "ok -");
    let kernel = beside.without_file(system_version::PLATFORM).command(KERNEL, "26.6.2\n25G83\n");
    assert_eq!(answer(&kernel)[..2], ["26.6.2", "0"]);
    assert_eq!(answer(&kernel)[3], "partial versions_differ");
}

#[test]
fn a_mac_that_is_behind_is_past_due_by_whichever_source() {
    for mac in [
        enforced().file(system_version::PATH, &plist("26.5", "25F71")),
        enforced().file(system_version::PLATFORM, &plist("26.5", "25F71")).command(KERNEL, "26.5\n25F71\n"),
        enforced().command(KERNEL, "26.5\n25F71\n"),
    ] {
        assert_eq!(answer(&mac), ["26.5", "1", "enforcement_past_due", "ok -"]);
    }
}

#[test]
fn a_capture_without_a_version_file_goes_by_what_it_says_of_itself() {
    assert_eq!(answer(&enforced()), ["15.6.1", "1", "enforcement_past_due", "ok -"]);
}

#[test]
fn files_and_kernel_that_differ_are_named() {
    let mac = enforced().file(system_version::PLATFORM, &plist("26.6.2", "25G83")).command(KERNEL, "26.6.1\n25G71\n");
    assert_eq!(answer(&mac)[3], "partial versions_differ");
    let sources = mac.rows("mdm_health_status");
    let source = sources.iter().find(|row| row.text("source") == Some("system_version")).unwrap();
    let detail = source.text("detail").unwrap();
    assert!(detail.contains("26.6.2 (25G83)") && detail.contains("26.6.1 (25G71)"), "{detail}");
}

#[test]
fn a_live_mac_is_asked_for_both_and_its_capture_gives_the_same_answer() {
    let mac = Captured::of(&support::fixture("quiet-healthy-day"), "UTC");
    mac.mac.file(system_version::PATH, &plist("16.6.2", "25G83"));
    mac.mac.file("/usr/sbin/sysctl.kern.osversion.out", "26.6.2\n25G83\n");
    let to = mac.mac.path("/capture");
    let capture = to.to_string_lossy().into_owned();
    let output = mac.live(&["capture", &capture, "--redact"]);
    assert!(output.status.success(), "{output:?}");
    let findings = support::findings(&to);
    assert_eq!(rows(&findings, "os_update_settings")[0].shown("macos_version"), "26.6.2");
    let described: serde_json::Value =
        serde_json::from_slice(&std::fs::read(to.join("capture.json")).unwrap()).unwrap();
    assert_eq!((&described["macos"], &described["build"]), (&"26.6.2".into(), &"25G83".into()));
}

#[test]
fn the_bootstrap_token_is_asked_for_and_shown_of_an_enrolled_mac() {
    let mac = FakeMac::new();
    mac.answers("/usr/bin/profiles", "status", support::ENROLLED);
    let shown = || {
        let host = Live::new(mac.root().to_owned(), Some(time(NOW)));
        let findings = Findings::new(collect::evidence(&host, &ReadOptions::default(), &support::no_state()));
        let row = rows(&findings, "mdm_enrollment").remove(0);
        ["bootstrap_token_supported", "bootstrap_token_escrowed"].map(|column| row.shown(column))
    };
    assert_eq!(shown(), ["1", "1"]);
    let asked = mac.calls("/usr/bin/profiles");
    assert_eq!(asked.iter().filter(|call| *call == "3 status -type bootstraptoken").count(), 1, "{asked:?}");
    mac.file("/usr/bin/profiles.bootstraptoken.out", "profiles: Bootstrap Token supported on server: NO\n");
    assert_eq!(shown(), ["0", "-"]);
    mac.file("/usr/bin/profiles.bootstraptoken.out", "what?\n");
    assert_eq!(shown(), ["-", "-"]);
    mac.file("/usr/bin/profiles.bootstraptoken.out", "profiles: Bootstrap Token supported on server: YES\n");
    mac.file("/usr/bin/profiles.status.out", support::NOT_ENROLLED);
    assert_eq!(shown(), ["-", "-"]);
}
