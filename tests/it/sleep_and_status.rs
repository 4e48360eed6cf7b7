//! Sleep and wake as both logs tell them, what the Mac told its server by DDM, and scans that failed.

use crate::support::{Mac, ndjson, time};
use mdm_health::event::update::UpdateMessage;
use mdm_health::event::{Event, EventKind, PowerState, install_log};
use mdm_health::log::install_log::InstallRecord;

const NOW: &str = "2026-11-23T18:00:00Z";
const SOFTWAREUPDATED: &str = "/System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated";
const POWERD: &str = "/System/Library/CoreServices/powerd.bundle/powerd";

fn installed(process: &str, message: &str) -> Option<Event> {
    let offset = chrono::FixedOffset::west_opt(5 * 3600).unwrap();
    let record = InstallRecord { at: time("2025-11-13T14:00:00Z"), offset, process, pid: 754, message };
    install_log::recognise(&record)
}

#[test]
fn sleep_and_wake_in_install_log_are_events() {
    let power = |process, words: &str| {
        installed(process, &format!("SUOSUPowerEventObserver: System {words}")).map(|event| event.kind)
    };
    for process in ["softwareupdated", "SoftwareUpdateNotificationManager"] {
        assert_eq!(power(process, "will sleep"), Some(EventKind::Power(PowerState::Sleep)));
        assert_eq!(power(process, "has powered on"), Some(EventKind::Power(PowerState::Wake)));
        assert_eq!(power(process, "is considering sleep"), None);
    }
    assert_eq!(power("logger", "will sleep"), None);
}

#[test]
fn sleep_and_wake_in_the_unified_log_are_powerds() {
    let states = |who: &str| {
        let mac = Mac::at(NOW).said(&format!(
            "2026-11-23 17:00:00 <{who}> Entering Sleep state due to 'Maintenance Sleep'
             2026-11-23 17:10:00 <{who}> DarkWake from Deep Idle [CDNP]
             2026-11-23 17:20:00 <{who}> Wake from Deep Idle [CDNVA]"
        ));
        let findings = mac.findings();
        findings.evidence.journal.power().into_iter().map(|(_, state)| state).collect::<Vec<_>>()
    };
    let all = [PowerState::Sleep, PowerState::DarkWake, PowerState::FullWake];
    assert_eq!(states(&format!("{POWERD} 0")), all);
    assert_eq!(states(&format!("{POWERD} 501")), []);
    assert_eq!(states("/tmp/powerd 0"), []);
}

#[test]
fn a_scan_that_failed_is_told_in_each_of_its_words() {
    for (line, domain, code) in [
        (
            "SUScan: Error encountered in scan: Error Domain=NSURLErrorDomain Code=-1009 \"offline\" UserInfo={x}",
            Some("NSURLErrorDomain"),
            Some(-1009),
        ),
        ("Scan got error Can't connect to the Apple Software Update server", None, None),
        ("SUScan: Scan got error Can't connect to the Apple Software Update server", None, None),
    ] {
        let Some(EventKind::Update(update)) = installed("softwareupdated", line).map(|event| event.kind) else {
            panic!("{line}")
        };
        let UpdateMessage::ScanFailed(error) = update.message else { panic!("{line}") };
        assert_eq!((error.domain.as_deref(), error.code), (domain, code), "{line}");
    }
}

#[test]
fn what_the_mac_told_its_server_is_in_the_timeline() {
    let report = "Reporting status {\\n    \\\"softwareupdate.install-state\\\" = downloading;\\n} (null)";
    for who in [
        format!("{SOFTWAREUPDATED} 200"),
        "/System/Library/PrivateFrameworks/RemoteManagement.framework/XPCServices/SoftwareUpdateSubscriber.xpc/Contents/MacOS/SoftwareUpdateSubscriber 277".to_owned(),
    ] {
        let text = ndjson(&format!("2026-11-23 17:55:00 <{who}> MESSAGE")).replace("MESSAGE", report);
        let rows = Mac::at(NOW).log_text(&format!("{text}{{\"count\":1,\"finished\":1}}\n")).rows("os_update_events");
        let told: Vec<_> = rows.iter().map(|row| (row.shown("kind"), row.shown("detail"))).collect();
        assert_eq!(told, [("enforcement".to_owned(), "told the server: state downloading".to_owned())], "{who}");
    }
}

#[test]
fn what_the_mac_reported_is_shown_at_the_declaration_that_leads_to_the_version() {
    const SOFTWAREUPDATED: &str = "/System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated";
    let declared = |id: &str, version: &str| {
        format!(
            "2026-11-23 10:00:00-05 host softwareupdated[754]: -[SUOSUManagedServiceDaemon declarationFromKeys]: Falling back to default \
             applicable declaration: SUCoreDDMDeclaration (DeclarationKey:{id}|EnforcedInstallDate:2026-11-30T13:00:00|VersionString:{version}|\
             BuildVersionString:(null)|DetailsURL:(null)|companyName:(null)|NotificationsEnabled:YES)\n"
        )
    };
    let report = |second: u32, items: &str| {
        let line = ndjson(&format!("2026-11-23 17:55:{second:02} <{SOFTWAREUPDATED} 200> MESSAGE"));
        line.replace("MESSAGE", &format!("Reporting status {{{items}}} (null)").replace('"', "\\\""))
    };
    let pending = "\"softwareupdate.pending-version\" = {\"os-version\" = \"26.7\";};";
    let reports = report(0, &format!("{pending} \"softwareupdate.install-state\" = downloading;"))
        + &report(
            1,
            "\"softwareupdate.install-state\" = failed; \"softwareupdate.failure-reason\" = {count = 2; reason = \"no space\";};",
        );
    let mac = Mac::at(NOW)
        .file("/private/var/log/install.log", &(declared("one", "26.7") + &declared("other", "27.0")))
        .log_text(&format!("{reports}{{\"count\":2,\"finished\":1}}\n"));
    let told: Vec<_> = (mac.rows("os_update_enforcement").iter())
        .map(|row| {
            ["target_os_version", "reported_state", "reported_failure", "reported_at"].map(|column| row.shown(column))
        })
        .collect();
    let at = time("2026-11-23T17:55:01Z").timestamp().to_string();
    assert_eq!(told, [["26.7", "failed", "no space", &at], ["27.0", "-", "-", "-"]]);
}

#[test]
fn a_boot_policy_that_keeps_mdm_from_updating_is_among_the_settings() {
    let settings =
        |mac: &Mac| ["mdm_blocked_by", "mdm_blocked_at"].map(|column| mac.rows("os_update_settings")[0].shown(column));
    let mac = Mac::at(NOW);
    assert_eq!(settings(&mac), ["-", "-"]);
    let line = "2026-11-23 17:00:01 BootPolicy: bootpolicy_mdm_update_dep_mode: exit: OIK/OIC mismatch";
    let at = time("2026-11-23T17:00:01Z").timestamp().to_string();
    assert_eq!(settings(&mac.said(line)), ["boot_policy", &at]);
}
