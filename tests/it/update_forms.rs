//! The forms in which macOS names updates and says how far they are: product keys of each kind, install.log's own lines,
//! and operations that end before their work is done.
use crate::support::{Mac, Row, time};
use mdm_health::facts::software_update_preferences;

const INSTALL_LOG: &str = "/private/var/log/install.log";
const SYSTEM_VERSION: &str = "/System/Library/CoreServices/SystemVersion.plist";

/// A Mac captured at 18:00 that runs that release.
fn mac(version: &str, build: &str) -> Mac {
    let plist = format!(
        "<plist version=\"1.0\"><dict><key>ProductVersion</key><string>{version}</string>\
         <key>ProductBuildVersion</key><string>{build}</string></dict></plist>"
    );
    Mac::at("2026-11-23T18:00:00Z").file(SYSTEM_VERSION, &plist)
}

/// The only row of `os_update_status`.
fn update(mac: &Mac) -> Row {
    let mut rows = mac.rows("os_update_status");
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

fn shown(row: &Row, columns: &[&str]) -> Vec<String> {
    columns.iter().map(|column| row.shown(column)).collect()
}

/// A progress report of softwareupdated in the unified log.
fn report(at: &str, report: &str, phase: &str, portion: &str, rest: &str) -> String {
    format!(
        "2026-11-23 {at} </System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated> \
         [SUMacControllerProgressManager] Reported progress ({report}): phase:{phase} stalled:NO \
         portionComplete:{portion} {rest}estimatedTimeRemaining:-1.000000\n"
    )
}

fn found(class: &str, key: &str) -> String {
    format!("2026-11-23 16:00:00+00 mac softwareupdated[262]: MSU updates found: (\n\t    \"<{class}: {key}>\"\n\t)\n")
}

#[test]
fn a_key_without_a_kind_is_installed_once_its_build_runs() {
    for key in ["MSU_UPDATE_21C52_patch_12.1", "MSU_UPDATE_21C52_patch_12.1_minor"] {
        let log = found("SUOSUProduct", key)
            + "2026-11-23 17:10:00+00 mac softwareupdated[262]: done: Previous System Version : 12.0.1 (21A559), \
               Current System Version : 12.1 (21C52)\n";
        let row = update(&mac("12.1", "21C52").file(INSTALL_LOG, &log));
        assert_eq!(
            shown(&row, &["version", "build", "kind", "phase"]),
            ["12.1", "21C52", "minor", "installed"],
            "{key}"
        );
        assert_eq!(row.number("installed_at"), Some(time("2026-11-23T17:10:00Z").timestamp()), "{key}");
    }
}

#[test]
fn where_the_system_before_is_not_known_nobody_knows_when_it_was_installed() {
    let log = found("SUOSUProduct", "MSU_UPDATE_21C52_patch_12.1")
        + "2026-11-23 17:10:00+00 mac softwareupdated[262]: Previous System Version : (null), Current System Version : \
           12.1 (21C52)\n";
    let row = update(&mac("12.1", "21C52").file(INSTALL_LOG, &log));
    assert_eq!(shown(&row, &["phase", "installed_at"]), ["installed", "-"]);
}

#[test]
fn a_major_product_stays_on_offer_and_its_download_is_its_own() {
    let mac = mac("15.7.7", "24G720")
        .file(INSTALL_LOG, &found("SUOSUMajorProduct", "MSU_UPDATE_25F71_patch_26.5_major"))
        .said(
            &(report("17:10:00", "start", "ACCEPTED", "0.001000", "")
                + &report("17:11:00", "start", "DOWNLOADING_UPDATE", "0.250000", "")),
        );
    assert_eq!(
        shown(&update(&mac), &["product_key", "version", "kind", "phase"]),
        ["MSU_UPDATE_25F71_patch_26.5_major", "26.5", "major", "downloading"]
    );
}

#[test]
fn a_full_installer_that_is_offered_as_an_update_is_a_major_update_of_the_system() {
    let plist = "<plist version=\"1.0\"><dict><key>RecommendedUpdates</key><array><dict>\
        <key>MobileSoftwareUpdate</key><true/><key>Product Key</key><string>_MACOS_27.1</string></dict></array></dict></plist>";
    let row = update(&mac("26.6.2", "25G83").file(software_update_preferences::PATH, plist));
    assert_eq!(shown(&row, &["version", "build", "kind", "phase"]), ["27.1", "-", "major", "offered"]);
}

#[test]
fn an_old_update_of_macos_is_no_app_although_its_key_is_digits() {
    let kind = |title: &str| {
        let plist = format!(
            "<plist version=\"1.0\"><dict><key>RecommendedUpdates</key><array><dict>\
             <key>Product Key</key><string>062-01946</string><key>Display Name</key><string>{title}</string>\
             </dict></array></dict></plist>"
        );
        let mac = mac("12.0", "21A344").file("/Library/Preferences/com.apple.SoftwareUpdate.plist", &plist);
        update(&mac).shown("kind")
    };
    assert_eq!([kind("macOS Big Sur 11.7.10 Update"), kind("Safari")], ["-", "app"]);
}

#[test]
fn an_operation_that_ends_at_preflight_is_an_attempt_that_failed() {
    let attempt = |minute: u32| {
        report(&format!("17:{minute}:00"), "start", "ACCEPTED", "0.001000", "")
            + &report(&format!("17:{minute}:04"), "end", "PREFLIGHT_PREREQUISITE", "0.999000", "")
            + &report(&format!("17:{minute}:05"), "end", "COMPLETED", "1.000000", "")
    };
    let mac = mac("13.4", "22F66")
        .file(INSTALL_LOG, &found("SUOSUProduct", "MSU_UPDATE_22F82_patch_13.4.1_minor"))
        .said(&(attempt(20) + &attempt(21)));
    let row = update(&mac);
    assert_eq!(shown(&row, &["phase", "attempts", "error"]), ["offered", "2", "ended at PREFLIGHT_PREREQUISITE"]);
    assert_eq!(row.number("failed_at"), Some(time("2026-11-23T17:21:05Z").timestamp()));
}

#[test]
fn an_operation_that_ended_while_it_prepared_is_not_complete() {
    let mac =
        mac("13.4", "22F66").file(INSTALL_LOG, &found("SUOSUProduct", "MSU_UPDATE_22F82_patch_13.4.1_minor")).said(
            &(report("17:10:00", "start", "PREPARING_UPDATE", "0.650000", "")
                + &report("17:12:00", "end", "COMPLETED", "1.000000", "")),
        );
    assert_eq!(shown(&update(&mac), &["phase", "percent"]), ["preparing", "65"]);
}

#[test]
fn bytes_and_seconds_are_those_of_the_last_report() {
    let bytes = "totalWrittenBytes:1000 totalExpectedBytes:4000 ";
    let log = report("17:10:00", "start", "DOWNLOADING_UPDATE", "0.300000", bytes)
        + &report(
            "17:11:00",
            "inter",
            "DOWNLOADING_UPDATE",
            "0.400000",
            "totalWrittenBytes:2000 totalExpectedBytes:4000 ",
        )
        .replace("-1.000000", "11.834282");
    let mac = mac("12.4", "21F79").file(INSTALL_LOG, &found("SUOSUProduct", "MSU_UPDATE_21G72_patch_12.5"));
    let columns = ["phase", "downloaded_bytes", "total_bytes", "seconds_left"];
    assert_eq!(shown(&update(&mac.said(&log)), &columns), ["downloading", "2000", "4000", "11"]);
}

#[test]
fn phases_that_prepare_the_work_are_no_stage_and_a_download_that_is_reported_done_is_one() {
    let mac = |log: &str| {
        mac("12.4", "21F79").file(INSTALL_LOG, &found("SUOSUProduct", "MSU_UPDATE_21G72_patch_12.5")).said(log)
    };
    let mut log = String::new();
    for phase in ["RELOADING_SU", "RELOADING_SFR", "RELOADING_UPDATE_BRAIN", "DOWNLOADING_UPDATE_BRAIN"] {
        log += &report("17:10:00", "start", phase, "0.050000", "");
    }
    assert_eq!(shown(&update(&mac(&log)), &["phase", "attempts"]), ["offered", "-"]);
    log += &report("17:11:00", "inter", "DOWNLOADING_UPDATE", "0.400000", "");
    log += &report("17:12:00", "end", "DOWNLOADED_UPDATE", "0.549000", "");
    let row = update(&mac(&log));
    assert_eq!(shown(&row, &["phase"]), ["downloaded"]);
    assert_eq!(row.number("downloaded_at"), Some(time("2026-11-23T17:12:00Z").timestamp()));
}

#[test]
fn install_log_tells_progress_what_is_prepared_what_is_new_and_what_is_held_back() {
    let progress = |minute: u32, phase: &str, portion: &str| {
        format!(
            "2026-11-23 17:{minute}:00+00 mac softwareupdated[388]: Progress: phase:{phase} stalled:NO \
             portionComplete:{portion} estimatedTimeRemaining:-1.000000\n"
        )
    };
    let log = progress(10, "DOWNLOADING_UPDATE", "0.300000") + &progress(12, "PREPARING_UPDATE", "0.870000");
    let row = update(&mac("12.3.1", "21E258").file(INSTALL_LOG, &log));
    assert_eq!(shown(&row, &["phase", "percent"]), ["preparing", "87"]);

    let prepared = "2026-11-23 17:00:00+00 mac softwareupdated[100]: SUOSUBackgroundDownloadEvaluator: <SUOSUProduct: \
        MSU_UPDATE_25F71_patch_26.5_minor>(Title:macOS Tahoe 26.5 Version:26.5, Identifier:(null), IconSize:1, Size:2, \
        Deferred:0) is already prepared\n";
    let row = update(&mac("26.4", "25E246").file(INSTALL_LOG, prepared));
    assert_eq!(shown(&row, &["title", "phase"]), ["macOS Tahoe 26.5", "prepared"]);
    assert_eq!(row.number("prepared_at"), Some(time("2026-11-23T17:00:00Z").timestamp()));

    let new = "2026-11-23 17:00:00+00 mac SoftwareUpdateNotificationManager[130]: Controller: Received \
        availableUpdatesChanged notification; new updates: [MSU_UPDATE_25F71_patch_26.5_minor]; new major updates: \
        [MSU_UPDATE_26A428_patch_27.0_major]\n";
    let offered = mac("26.4", "25E246").file(INSTALL_LOG, new).rows("os_update_status");
    let offered: Vec<_> = offered.iter().map(|row| shown(row, &["version", "phase"]).join(" ")).collect();
    assert_eq!(offered, ["26.5 offered", "27.0 offered"]);

    let held = "2026-11-23 17:00:00+00 mac softwareupdated[1]: Product 052-14528 is deferred until 2026-12-10 08:00:00 \
        +0000\n";
    let row = update(&mac("13.6", "22G120").file(INSTALL_LOG, held));
    assert_eq!(shown(&row, &["product_key", "deferred"]), ["052-14528", "1"]);
    assert_eq!(row.number("deferred_until"), Some(time("2026-12-10T08:00:00Z").timestamp()));
}

#[test]
fn the_progress_of_a_scan_is_no_updates_progress() {
    let scan = "2026-11-23 17:10:00 </System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated> \
        [Progress] Scan reported progress (end): phase:SOFTWARE_UPDATE stalled:NO portionComplete:19.000000 \
        estimatedTimeRemaining:-1.000000";
    let mac = mac("12.4", "21F79").file(INSTALL_LOG, &found("SUOSUProduct", "MSU_UPDATE_21G72_patch_12.5")).said(scan);
    assert_eq!(shown(&update(&mac), &["phase", "percent", "attempts"]), ["offered", "-", "-"]);
}
