//! The rules about OS updates and their edge cases: which update an event belongs to, and when DDM is stuck.

use crate::support;
use crate::support::{Mac, Row, time};
use mdm_health::facts::{ddm_state, software_update_preferences, system_version};

const NOW: &str = "2026-11-23T18:00:00Z";
const INSTALL_LOG: &str = "/private/var/log/install.log";
const SOFTWAREUPDATED: &str = "</System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated>";
const MINOR: &str = "MSU_UPDATE_25G229_patch_26.7_minor";
const MAJOR: &str = "MSU_UPDATE_26A428_patch_27.0_major";

fn plist(inside: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>{inside}</dict></plist>")
}

fn macos(version: &str, build: &str) -> String {
    plist(&format!(
        "<key>ProductVersion</key><string>{version}</string><key>ProductBuildVersion</key><string>{build}</string>"
    ))
}

/// The DDM state file with one declaration: macOS 26.7 by that time.
fn declared(deadline: &str) -> String {
    plist(&format!(
        "<key>SUCorePersistedStatePolicyFields</key><dict><key>Declarations</key><dict><key>k</key><dict>\
         <key>TargetOSVersion</key><string>26.7</string><key>TargetLocalDateTime</key><string>{deadline}</string>\
         </dict></dict></dict>"
    ))
}

fn failed(count: u32, at: &str) -> String {
    plist(&format!(
        "<key>DDMPersistedErrorKey</key><dict><key>count</key><integer>{count}</integer><key>reason</key>\
         <string>Software update failed.</string><key>timestamp</key><string>{at}</string></dict>"
    ))
}

/// A Mac with macOS 26.6.2, in UTC, whose client just had a response.
fn mac() -> Mac {
    Mac::at(NOW)
        .file(system_version::PATH, &macos("26.6.2", "25G83"))
        .file(INSTALL_LOG, "2026-11-23 12:00:00+00 host softwareupdated[754]: hello\n")
        .said("2026-11-23 17:50:00 <<<<< Received HTTP response (200) [Idle] <<<<<")
}

/// The same with an enforcement that was due at noon.
fn overdue() -> Mac {
    mac().file(ddm_state::PATH, &declared("2026-11-23T12:00:00"))
}

fn stuck(row: &Row) -> (Option<i64>, &str) {
    (row.number("mdm_software_updates_stuck"), row.text("software_updates_reason").unwrap())
}

fn progress(at: &str, report: &str, phase: &str, portion: &str) -> String {
    format!(
        "2026-11-23 {at} {SOFTWAREUPDATED} [SUMacControllerProgressManager] Reported progress ({report}): phase:{phase} \
         stalled:NO portionComplete:{portion} estimatedTimeRemaining:-1.000000"
    )
}

// mdm_software_updates_stuck by DDM.

#[test]
fn past_due_without_progress_is_stuck_although_the_client_is_healthy() {
    let row = overdue().watchdog();
    assert_eq!((row.text("state"), stuck(&row)), (Some("ok"), (Some(1), "enforcement_past_due")));
    let enforcement = &overdue().rows("os_update_enforcement")[0];
    assert_eq!((enforcement.text("state"), enforcement.number("past_due")), (Some("past_due"), Some(1)));
}

#[test]
fn past_due_for_less_than_the_window_is_not_stuck_yet() {
    let row = |deadline| mac().file(ddm_state::PATH, &declared(deadline)).watchdog();
    assert_eq!(stuck(&row("2026-11-23T16:31:00")), (Some(0), "client_not_stuck"));
    assert_eq!(stuck(&row("2026-11-23T16:29:00")), (Some(1), "enforcement_past_due"));
}

#[test]
fn a_padded_deadline_counts_from_the_padded_time() {
    let padded = |at| {
        let line =
            format!("2026-11-23 12:01:00+00 host softwareupdated[754]: setPastDuePaddedEnforcementDate is set: {at}\n");
        overdue().file(INSTALL_LOG, &line)
    };
    assert_eq!(stuck(&padded("Mon Nov 23 17:00:00 2026").watchdog()), (Some(0), "client_not_stuck"));
    assert_eq!(stuck(&padded("Mon Nov 23 13:00:00 2026").watchdog()), (Some(1), "enforcement_past_due"));
}

#[test]
fn progress_within_the_window_is_not_stuck() {
    let late = overdue().said(&progress("16:40:00", "inter", "PREPARING_UPDATE", "0.500000"));
    assert_eq!(stuck(&late.watchdog()), (Some(0), "client_not_stuck"));
    let early = overdue().said(&progress("16:20:00", "inter", "PREPARING_UPDATE", "0.500000"));
    assert_eq!(stuck(&early.watchdog()), (Some(1), "enforcement_past_due"));
}

#[test]
fn time_asleep_or_not_in_the_log_gives_unknown_and_not_stuck() {
    let open = (None, "enforcement_unknown");
    assert_eq!(stuck(&overdue().awake_since("2026-11-23T17:00:00Z").watchdog()), open);
    assert_eq!(stuck(&overdue().without("awake").watchdog()), open);
    assert_eq!(stuck(&overdue().log_span("2026-11-23T17:00:00Z", NOW).watchdog()), open);
    assert_eq!(stuck(&overdue().cut_off().log_span("2026-11-23T15:00:00Z", NOW).watchdog()), open);
    assert_eq!(stuck(&overdue().file(system_version::PATH, "").watchdog()), open);
    let no_zone = overdue().without_file(INSTALL_LOG).without_log();
    assert_eq!(no_zone.watchdog().number("mdm_software_updates_stuck"), None);
    assert_eq!(no_zone.rows("os_update_enforcement")[0].number("deadline_at"), None);
}

#[test]
fn an_old_declaration_named_only_in_the_log_proves_nothing() {
    let line = |role: &str| {
        format!(
            "2026-11-23 12:00:00+00 host softwareupdated[754]: -[SUOSUManagedServiceDaemon declarationFromKeys]: {role}: \
             SUCoreDDMDeclaration (DeclarationKey:k|EnforcedInstallDate:2026-11-20T12:00:00|VersionString:26.7|\
             BuildVersionString:(null)|DetailsURL:(null)|companyName:(null)|NotificationsEnabled:YES)\n"
        )
    };
    let fallback = mac().file(INSTALL_LOG, &line("Falling back to default applicable declaration"));
    assert_eq!(stuck(&fallback.watchdog()), (None, "enforcement_unknown"));
    let applicable = mac().file(INSTALL_LOG, &line("Found currently applicable declaration"));
    assert_eq!(stuck(&applicable.watchdog()), (None, "enforcement_unknown"), "any user can write to install.log");
}

#[test]
fn a_rising_failure_count_is_stuck_before_the_deadline() {
    let waiting = |count, at| {
        mac()
            .file(ddm_state::PATH, &declared("2026-12-01T12:00:00"))
            .file(software_update_preferences::PATH, &failed(count, at))
    };
    assert_eq!(stuck(&waiting(2, "2026-11-23T17:00:00+00:00").watchdog()), (Some(1), "enforcement_failing"));
    assert_eq!(stuck(&waiting(1, "2026-11-23T17:00:00+00:00").watchdog()), (Some(0), "client_not_stuck"), "once");
    assert_eq!(stuck(&waiting(9, "2026-11-22T17:00:00+00:00").watchdog()), (Some(0), "client_not_stuck"), "long ago");
    assert_eq!(stuck(&waiting(9, "2026-11-23T19:00:00+00:00").watchdog()), (Some(0), "client_not_stuck"), "not yet");
    assert_eq!(
        stuck(&waiting(9, "2026-11-23T14:00:00+00:00").watchdog()),
        (None, "enforcement_unknown"),
        "before the log"
    );
    let moved =
        waiting(9, "2026-11-23T17:00:00+00:00").said(&progress("17:10:00", "start", "PREPARING_UPDATE", "0.290000"));
    assert_eq!(stuck(&moved.watchdog()), (Some(0), "client_not_stuck"), "and then it moved");
}

#[test]
fn failures_without_an_active_enforcement_prove_nothing() {
    let met = mac()
        .file(system_version::PATH, &macos("26.7", "25G229"))
        .file(ddm_state::PATH, &declared("2026-11-23T12:00:00"))
        .file(software_update_preferences::PATH, &failed(9, "2026-11-23T17:00:00+00:00"));
    assert_eq!(stuck(&met.watchdog()), (Some(0), "client_not_stuck"));
    assert_eq!(met.rows("os_update_enforcement")[0].text("state"), Some("met"));
    let none = mac().file(software_update_preferences::PATH, &failed(9, "2026-11-23T17:00:00+00:00"));
    assert_eq!(stuck(&none.watchdog()), (Some(0), "client_not_stuck"));
}

#[test]
fn macos_27_uses_ddm_only() {
    let hung = "2026-11-23 15:30:00 Processing server request: ScheduleOSUpdate for: <Device> (1) PowerNap: no";
    let silent = |version| Mac::at(NOW).file(system_version::PATH, &macos(version, "26A428")).said(hung);
    assert_eq!(stuck(&silent("26.6.2").watchdog()), (Some(1), "last_command_os_update"));
    assert_eq!(stuck(&silent("27.0").watchdog()), (None, "enforcement_unknown"), "its file was not read");
    let none = plist("<key>SUCorePersistedStatePolicyFields</key><dict><key>Declarations</key><dict/></dict>");
    assert_eq!(stuck(&silent("27.0").file(ddm_state::PATH, &none).watchdog()), (Some(0), "no_enforcement"));
    let broken = silent("27.0").file(ddm_state::PATH, "garbage");
    assert_eq!(stuck(&broken.watchdog()), (None, "enforcement_unknown"), "a file that cannot be read is no empty one");
    let overdue = overdue().file(system_version::PATH, &macos("27.0", "26A428"));
    assert_eq!(stuck(&overdue.watchdog()), (Some(0), "no_enforcement"), "27.0 is later than 26.7");
    let overdue = overdue.file(ddm_state::PATH, &declared("2026-11-23T12:00:00").replace("26.7", "27.0.1"));
    assert_eq!(stuck(&overdue.watchdog()), (Some(1), "enforcement_past_due"));
}

#[test]
fn an_unreadable_ddm_state_file_gives_unknown() {
    assert_eq!(stuck(&mac().file(ddm_state::PATH, "garbage").watchdog()), (None, "enforcement_unknown"));
    let without = mac().watchdog();
    assert_eq!(stuck(&without), (Some(0), "client_not_stuck"), "no sign that DDM is used");
}

#[test]
fn a_mac_that_is_not_enrolled_is_not_stuck() {
    let row = overdue().command("profiles-status", support::NOT_ENROLLED).watchdog();
    assert_eq!(stuck(&row), (Some(0), "not_enrolled"));
}

// Enforcements.

fn enforcement(mac: &Mac) -> Row {
    let mut rows = mac.rows("os_update_enforcement");
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn a_deadline_that_ends_in_z_is_utc() {
    let row = enforcement(
        &mac()
            .file(INSTALL_LOG, "2026-11-23 06:00:00-06 host softwareupdated[754]: hello\n")
            .file(ddm_state::PATH, &declared("2026-11-23T12:00:00Z")),
    );
    assert_eq!(row.number("deadline_at"), Some(time("2026-11-23T12:00:00Z").timestamp()));
    assert_eq!(row.text("target_local_datetime"), Some("2026-11-23T12:00:00Z"));
}

#[test]
fn a_deadline_that_is_not_a_time_is_shown_as_it_is() {
    let row = enforcement(&mac().file(ddm_state::PATH, &declared("next Tuesday")));
    assert_eq!((row.text("target_local_datetime"), row.number("deadline_at")), (Some("next Tuesday"), None));
    assert_eq!((row.text("state"), row.number("past_due")), (Some("unknown"), None));
}

#[test]
fn a_later_build_of_the_same_version_meets_the_enforcement_and_a_beta_does_not() {
    let state = |running: &str| {
        let file = declared("2026-11-23T12:00:00")
            .replace("<key>TargetLocal", "<key>TargetBuildVersion</key><string>25G229</string><key>TargetLocal");
        let mac = mac().file(system_version::PATH, &macos("26.7", running)).file(ddm_state::PATH, &file);
        enforcement(&mac).shown("state")
    };
    assert_eq!(state("25G229"), "met");
    assert_eq!(state("25G230"), "met");
    assert_eq!(state("25G228"), "past_due");
    assert_eq!(state("25G5230b"), "unknown");
}

#[test]
fn no_match_ends_when_something_that_fits_is_offered() {
    let lines = "2026-11-23 11:00:00+00 host softwareupdated[754]: requestedPMV=26.7, pallasNoPMVMatchFound=true\n";
    let found = format!(
        "2026-11-23 11:30:00+00 host softwareupdated[754]: MSU updates found: (\n\t    \"<SUOSUProduct: {MINOR}>\"\n\t)\n"
    );
    let with = |log: &str| mac().file(ddm_state::PATH, &declared("2026-12-01T12:00:00")).file(INSTALL_LOG, log);
    assert_eq!(enforcement(&with(lines)).text("state"), Some("no_match"));
    assert_eq!(enforcement(&with(&format!("{lines}{found}"))).text("state"), Some("waiting"));
    let other = lines.replace("26.7", "26.9");
    assert_eq!(enforcement(&with(&other)).text("state"), Some("waiting"), "it is of another version");
    let any = lines.replace("requestedPMV=26.7, pallasNoPMVMatchFound=true", "MADownloadNoMatchFound");
    assert_eq!(enforcement(&with(&any)).text("state"), Some("waiting"), "any scan may end so");
}

// Which update an event belongs to.

const FOUND_BOTH: &str = "2026-11-23 10:00:00+00 host softwareupdated[754]: MSU updates found: (\n\
    \t    \"<SUOSUProduct: MSU_UPDATE_25G229_patch_26.7_minor>\",\n\
    \t    \"<SUOSUProduct: MSU_UPDATE_26A428_patch_27.0_major>\"\n\t)\n";

fn phases(mac: &Mac) -> Vec<(String, String)> {
    mac.rows("os_update_status").iter().map(|row| (row.shown("product_key"), row.shown("phase"))).collect()
}

fn phase(key: &str, phase: &str) -> (String, String) {
    (key.to_owned(), phase.to_owned())
}

fn preparing() -> String {
    progress("17:00:00", "start", "ACCEPTED", "0.001000")
        + "\n"
        + &progress("17:00:01", "start", "PREPARING_UPDATE", "0.290000")
}

#[test]
fn progress_is_credited_to_the_update_that_mdmclient_requested() {
    let asked = format!(
        "2026-11-23 16:59:00 [0:MDMDaemon:OSUpdate:<0x1>] Requesting installUpdates: ({MINOR})  InstallAction: InstallASAP options: (null)"
    );
    let mac = mac().file(INSTALL_LOG, FOUND_BOTH).said(&asked).said(&preparing());
    assert_eq!(phases(&mac), [phase(MINOR, "preparing"), phase(MAJOR, "offered")]);
}

#[test]
fn an_update_missing_from_a_later_list_leaves_progress_to_the_other() {
    let later = format!(
        "{FOUND_BOTH}2026-11-23 16:00:00+00 host softwareupdated[754]: MSU updates found: (\n\t    \"<SUOSUProduct: {MINOR}>\"\n\t)\n"
    );
    let mac = mac().file(INSTALL_LOG, &later).said(&preparing());
    assert_eq!(phases(&mac), [phase(MINOR, "preparing"), phase(MAJOR, "offered")]);
}

#[test]
fn an_operation_during_which_a_second_update_is_offered_is_credited_to_none() {
    let log = FOUND_BOTH.replace("2026-11-23 10:00:00", "2026-11-23 17:00:30");
    let first = format!(
        "2026-11-23 10:00:00+00 host softwareupdated[754]: MSU updates found: (\n\t    \"<SUOSUProduct: {MINOR}>\"\n\t)\n"
    );
    let mac = mac().file(INSTALL_LOG, &format!("{first}{log}")).said(&preparing()).said(&progress(
        "17:01:00",
        "inter",
        "PREPARING_UPDATE",
        "0.400000",
    ));
    assert_eq!(phases(&mac), [phase(MINOR, "offered"), phase(MAJOR, "offered"), phase("-", "preparing")]);
}

#[test]
fn a_schedule_command_belongs_to_the_only_offered_update() {
    let one = FOUND_BOTH.replace("\",\n\t    \"<SUOSUProduct: MSU_UPDATE_26A428_patch_27.0_major>", "");
    let command = "
        2026-11-23 16:00:00 Processing server request: ScheduleOSUpdate for: <Device> (1) PowerNap: no
        2026-11-23 16:00:01 >>>>> Sending HTTP request (PUT) [Acknowledged(ScheduleOSUpdate):1] >>>>>";
    let tied = mac().file(INSTALL_LOG, &one).said(command);
    assert_eq!(phases(&tied), [phase(MINOR, "command_received")]);
    let at = tied.rows("os_update_status")[0].number("command_received_at");
    assert_eq!(at, Some(time("2026-11-23T16:00:00Z").timestamp()));
    let untied = mac().file(INSTALL_LOG, FOUND_BOTH).said(command);
    assert_eq!(phases(&untied), [phase(MINOR, "offered"), phase(MAJOR, "offered"), phase("-", "command_received")]);
}

#[test]
fn a_schedule_command_may_be_for_something_other_than_an_os_update() {
    let one = FOUND_BOTH.replace("\",\n\t    \"<SUOSUProduct: MSU_UPDATE_26A428_patch_27.0_major>", "");
    let safari =
        "<key>RecommendedUpdates</key><array><dict><key>Product Key</key><string>047-48781</string></dict></array>";
    let mac = mac()
        .file(INSTALL_LOG, &one)
        .file(
            software_update_preferences::PATH,
            &plist(&format!("{safari}<key>LastSuccessfulDate</key><date>2026-11-23T10:00:00Z</date>")),
        )
        .said("2026-11-23 16:00:00 Processing server request: ScheduleOSUpdate for: <Device> (1) PowerNap: no");
    assert_eq!(phases(&mac), [phase("047-48781", "offered"), phase(MINOR, "offered"), phase("-", "command_received")]);
}

#[test]
fn a_line_after_the_end_starts_no_new_operation() {
    let one = FOUND_BOTH.replace("\",\n\t    \"<SUOSUProduct: MSU_UPDATE_26A428_patch_27.0_major>", "");
    let late = format!(
        "2026-11-23 17:10:01 {SOFTWAREUPDATED} [SPI] perform_prepare_command | PrepareUpdate | PROGRESS (Continue) | x"
    );
    let mac = mac()
        .file(INSTALL_LOG, &one)
        .said(&preparing())
        .said(&progress("17:09:59", "end", "PREPARED", "0.999000"))
        .said(&progress("17:10:00", "end", "COMPLETED", "1.000000"))
        .said(&late);
    assert_eq!(phases(&mac), [phase(MINOR, "prepared")]);
    assert_eq!(mac.rows("os_update_status")[0].number("attempts"), Some(1));
}

#[test]
fn an_update_offered_later_does_not_change_a_finished_operation() {
    let one = FOUND_BOTH.replace("\",\n\t    \"<SUOSUProduct: MSU_UPDATE_26A428_patch_27.0_major>", "");
    let both = FOUND_BOTH.replace("2026-11-23 10:00:00", "2026-11-23 17:20:00");
    let mac = mac()
        .file(INSTALL_LOG, &format!("{one}{both}"))
        .said(&preparing())
        .said(&progress("17:09:59", "end", "PREPARED", "0.999000"))
        .said(&progress("17:10:00", "end", "COMPLETED", "1.000000"))
        .said(&progress("17:30:00", "start", "ACCEPTED", "0.001000"));
    assert_eq!(phases(&mac), [phase(MINOR, "prepared"), phase(MAJOR, "offered")]);
}

#[test]
fn preflight_alone_is_no_phase() {
    let checks = progress("17:00:00", "start", "ACCEPTED", "0.001000")
        + "\n"
        + &progress("17:00:01", "start", "PREFLIGHT_WAKEUP", "0.010000")
        + "\n"
        + &progress("17:00:02", "end", "COMPLETED", "1.000000");
    assert_eq!(phases(&mac().said(&checks)), []);
}

#[test]
fn an_applied_update_is_installing_until_the_mac_runs_it() {
    let one = FOUND_BOTH.replace("\",\n\t    \"<SUOSUProduct: MSU_UPDATE_26A428_patch_27.0_major>", "");
    let applied = format!(
        "{one}2026-11-23 11:00:00+00 host softwareupdated[754]: SUOSUPostLogoutInstallOperation: Applied MSU update\n"
    );
    assert_eq!(phases(&mac().file(INSTALL_LOG, &applied)), [phase(MINOR, "installing")]);
    let started =
        format!("{applied}2026-11-23 11:20:00+00 host softwareupdated[312]: Starting with build 26.7 (25G229)\n");
    let mac = mac().file(INSTALL_LOG, &started).file(system_version::PATH, &macos("26.7", "25G229"));
    assert_eq!(phases(&mac), [phase(MINOR, "installed")]);
    let at = mac.rows("os_update_status")[0].number("installed_at");
    assert_eq!(at, Some(time("2026-11-23T11:20:00Z").timestamp()));
}

#[test]
fn offers_older_than_the_running_system_are_left_out() {
    let mac = mac().file(INSTALL_LOG, FOUND_BOTH).file(system_version::PATH, &macos("26.8", "25H1"));
    assert_eq!(phases(&mac), [phase(MAJOR, "offered")]);
}
