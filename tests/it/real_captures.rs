//! The program on logs that other people captured and published, where they are present beside the project.

use crate::support;
use crate::support::{Mac, capture, findings, rows, time};
use mdm_health::event::HttpMessage;
use mdm_health::facts::profiles_list::read_profiles_list;
use mdm_health::property_list::old_style::dictionary_after;
use mdm_health::vocabulary::Time;
use plist::Value;
use regex::Regex;

const REAL_LOGS: [&str; 2] =
    ["log/mdm-update-12.3-to-13.3.httputil.compact.log", "log/mdm-update-13.0-to-13.3.1.httputil.compact.log"];

#[test]
fn three_commands_of_a_real_update_are_acknowledged() {
    let Some(log) = capture(REAL_LOGS[0]) else { return };
    let findings = findings(&log);
    let commands = rows(&findings, "mdm_commands_recent");
    let seen: Vec<_> = (commands.iter())
        .map(|row| (row.text("request_type").unwrap(), row.text("status").unwrap(), row.number("http_status")))
        .collect();
    assert_eq!(
        seen,
        [
            ("ScheduleOSUpdateScan", "Acknowledged", Some(200)),
            ("AvailableOSUpdates", "Acknowledged", Some(200)),
            ("ScheduleOSUpdate", "Acknowledged", Some(200)),
        ]
    );
    assert!(commands.iter().all(|row| row.number("os_update") == Some(1) && row.text("channel") == Some("device")));
    // Compact style has no offset, so its times are in this machine's zone.
    let local = chrono::NaiveDateTime::parse_from_str("2023-03-29 20:08:28.237", "%F %T%.f").unwrap();
    let expected: Time = local.and_local_timezone(chrono::Local).unwrap().to_utc();
    assert_eq!(findings.verdict.last_success_at, Some(expected));
    let log = &rows(&findings, "mdm_health_status")[0];
    assert_eq!((log.number("records_read"), log.number("events_kept")), (Some(14), Some(14)));
    assert_eq!((log.number("lines_skipped"), log.number("lines_not_understood")), (Some(7), Some(0)));
}

#[test]
fn every_request_in_the_real_logs_has_its_response() {
    for name in REAL_LOGS {
        let Some(log) = capture(name) else { return };
        let text = std::fs::read_to_string(&log).unwrap();
        let found = findings(&log).exchanges;
        assert_eq!(found.len(), text.matches("Sending HTTP request").count(), "{name}");
        assert!(found.iter().all(|exchange| exchange.started_at.is_some() && exchange.status == Some(200)), "{name}");
    }
}

#[test]
fn durations_from_the_real_log_are_right_to_the_millisecond() {
    let Some(log) = capture(REAL_LOGS[0]) else { return };
    let durations: Vec<i64> = (findings(&log).exchanges.iter())
        .map(|exchange| (exchange.finished_at.unwrap() - exchange.started_at.unwrap()).num_milliseconds())
        .collect();
    assert_eq!(durations, [360, 73, 173, 234, 79, 180, 95]);
}

/// The real log as the ndjson that `log show` would have printed, in UTC.
fn as_ndjson(log: &std::path::Path) -> String {
    let text = std::fs::read_to_string(log).unwrap();
    let lines = text.lines().filter_map(|line| {
        let (head, message) = line.split_once(" [com.apple.ManagedClient:HTTPUtil] ")?;
        let (pid, thread) = head.rsplit_once('[')?.1.strip_suffix(']')?.split_once(':')?;
        let thread = u64::from_str_radix(thread, 16).unwrap();
        Some(support::record(
            support::MDMCLIENT,
            &format!("{}000+0000", &line[..23]),
            pid.parse().unwrap(),
            thread,
            message,
        ))
    });
    lines.map(|line| line + "\n").collect::<String>() + "{\"count\":14,\"finished\":1}\n"
}

fn two_hours_later() -> Option<(Mac, String)> {
    let log = as_ndjson(&capture(REAL_LOGS[0])?);
    Some((Mac::at("2023-03-29T22:08:28Z").log_span("2023-03-29T19:00:00Z", "2023-03-29T22:08:28Z"), log))
}

#[test]
fn two_hours_after_the_real_update_the_mac_is_quiet() {
    let Some((mac, log)) = two_hours_later() else { return };
    let row = mac.log_text(&log).watchdog();
    assert_eq!((row.number("mdm_client_stuck"), row.number("mdm_software_updates_stuck")), (Some(1), Some(1)));
    assert_eq!((row.text("state"), row.text("reason")), (Some("quiet"), Some("no_contact")));
    assert_eq!(row.number("last_success_at"), Some(time("2023-03-29T20:08:28Z").timestamp()));
}

#[test]
fn an_unanswered_command_after_the_real_update_makes_it_stuck() {
    let Some((mac, log)) = two_hours_later() else { return };
    let hung = "Processing server request: ScheduleOSUpdate for: <Device> (0001_ScheduleOSUpdate) PowerNap: no";
    let log = log.replace(
        "{\"count\":14",
        &format!("{}{{\"count\":15", support::ndjson(&format!("2023-03-29 20:09:00 {hung}"))),
    );
    let row = mac.log_text(&log).watchdog();
    assert_eq!((row.text("state"), row.text("reason")), (Some("stuck"), Some("command_hung")));
    assert_eq!(row.number("mdm_software_updates_stuck"), Some(1));
}

#[test]
fn a_real_log_of_remotemanagementd_has_one_response() {
    let Some(log) = capture("log/remotemanagementd.macos15.default.txt") else { return };
    let findings = findings(&log);
    assert_eq!(findings.verdict.last_success_at, Some(time("2025-08-24T17:50:21.106677Z")));
    let status = &rows(&findings, "mdm_health_status")[0];
    assert_eq!(status.text("state"), Some("ok"));
    assert_eq!((status.number("records_read"), status.number("lines_skipped")), (Some(13), Some(0)));
}

#[test]
fn a_real_ndjson_record_and_its_trailer_are_understood() {
    let Some(log) = capture("log/ndjson-record.macos26.jsonl") else { return };
    let status = &rows(&findings(&log), "mdm_health_status")[0];
    assert_eq!((status.text("state"), status.number("records_read")), (Some("ok"), Some(1)));
    assert_eq!((status.number("lines_skipped"), status.number("lines_not_understood")), (Some(0), Some(0)));
}

#[test]
fn every_real_enrollment_status_is_read() {
    let Some(file) = capture("profiles/profiles_status_enrollment.variants.txt") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    let enrolled: Vec<(Option<i64>, &str)> = (text.split("# ").filter(|part| !part.is_empty()))
        .map(|part| part.split_once('\n').unwrap().1)
        .map(|output| {
            (
                Mac::at("2026-11-23T18:00:00Z").command("profiles-status", output).watchdog().number("mdm_enrolled"),
                output,
            )
        })
        .collect();
    let values: Vec<_> = enrolled.iter().map(|(value, _)| *value).collect();
    assert_eq!(values, [Some(0), Some(1), Some(1), Some(1)]);
}

#[test]
fn idle_requests_of_the_real_logs_are_idle() {
    let Some(log) = capture(REAL_LOGS[1]) else { return };
    let idle = findings(&log).exchanges.iter().filter(|exchange| exchange.message == Some(HttpMessage::Idle)).count();
    assert_eq!(idle, std::fs::read_to_string(&log).unwrap().matches("Sending HTTP request (PUT) [Idle]").count());
}

/// How many keys a value has, at every depth.
fn keys(value: &Value) -> usize {
    match value {
        Value::Dictionary(dictionary) => dictionary.values().map(|value| 1 + keys(value)).sum(),
        Value::Array(values) => values.iter().map(keys).sum(),
        _ => 0,
    }
}

#[test]
fn every_real_output_of_mdmclient_is_read_in_full() {
    let Some(folder) = capture("mdmclient") else { return };
    let a_key = Regex::new("(?m)^[ \t]*\"?[\\w-]+\"?[ \t]*=[ \t]").unwrap();
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let heads = ["Management status", "Daemon response", "Agent response"];
        let answers = heads.map(|head| dictionary_after(&text, head));
        let found: usize = answers.iter().flatten().map(|answer| keys(&Value::Dictionary(answer.clone()))).sum();
        assert_eq!(found, a_key.find_iter(&text).count(), "{}", path.display());
        let failed: Vec<String> = answers.into_iter().filter_map(|answer| Some(answer.err()?.to_string())).collect();
        assert!(failed.iter().all(|why| why.contains("no line begins") || why.contains("(null)")), "{failed:?}");
        read += 1;
    }
    assert_eq!(read, 6);
}

#[test]
fn a_real_management_status_tells_how_the_mac_is_enrolled() {
    let Some(path) = capture("mdmclient/DumpManagementStatus.enrolled-ade-jamf.2026-08.output") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let row = Mac::at("2026-11-23T18:00:00Z").without("profiles-status").command("management-status", &text);
    let row = &row.rows("mdm_enrollment")[0];
    let flags = ["enrolled", "enrolled_via_dep", "user_approved", "supervised"].map(|column| row.number(column));
    assert_eq!(flags, [Some(1); 4]);
    assert_eq!(row.text("server_url"), Some("https://FAKECO.jamfcloud.com/mdm/ServerURL"));
    assert_eq!((row.text("organization"), row.number("sources_agree")), (Some("FakeCo"), None));
}

#[test]
fn a_real_profile_list_without_an_mdm_profile_is_read() {
    let Some(path) = capture("profiles/macadmins_profiles_stdout-xml.plist") else { return };
    let list = read_profiles_list(&std::fs::read_to_string(path).unwrap());
    let list = list.known().unwrap();
    assert_eq!((list.lists_computer, &list.mdm), (true, &None));
}
