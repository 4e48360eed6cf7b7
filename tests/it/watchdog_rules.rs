//! Every rule of the watchdog and its edge cases, on logs of a few lines.

use crate::support;
use crate::support::{Mac, NOT_ENROLLED, Row, time};

const NOW: &str = "2026-11-23T18:00:00Z";

fn mac() -> Mac {
    Mac::at(NOW)
}

/// state, reason, mdm_client_stuck, mdm_software_updates_stuck
fn verdict(row: &Row) -> (&str, &str, Option<i64>, Option<i64>) {
    let stuck = (row.number("mdm_client_stuck"), row.number("mdm_software_updates_stuck"));
    (row.text("state").unwrap(), row.text("reason").unwrap(), stuck.0, stuck.1)
}

const SUCCESS_89_MINUTES_AGO: &str = "
    2026-11-23 16:30:59 >>>>> Sending HTTP request (PUT) [Idle] >>>>>
    2026-11-23 16:31:00 <<<<< Received HTTP response (200) [Idle] <<<<<";

const SUCCESS_91_MINUTES_AGO: &str = "
    2026-11-23 16:28:59 >>>>> Sending HTTP request (PUT) [Idle] >>>>>
    2026-11-23 16:29:00 <<<<< Received HTTP response (200) [Idle] <<<<<";

// Rule 1 and 2: enrollment.

#[test]
fn a_mac_that_is_not_enrolled_is_neither_stuck_nor_healthy() {
    let row = mac().command("profiles-status", NOT_ENROLLED).watchdog();
    assert_eq!(verdict(&row), ("not_enrolled", "not_enrolled", Some(0), Some(0)));
    assert_eq!((row.number("mdm_enrolled"), row.number("mdm_identity_error")), (Some(0), Some(0)));
}

#[test]
fn an_unreadable_enrollment_is_unknown_even_after_a_success() {
    let row = mac().without("profiles-status").said(SUCCESS_89_MINUTES_AGO).watchdog();
    assert_eq!(verdict(&row), ("unknown", "enrollment_unknown", None, None));
    assert_eq!(row.number("mdm_enrolled"), None);
    assert_eq!(row.number("last_success_at"), Some(time("2026-11-23T16:31:00Z").timestamp()));
}

#[test]
fn an_enrollment_status_in_unknown_words_is_unknown_and_quoted() {
    let row = mac().command("profiles-status", "MDM enrollment: Perhaps").said(SUCCESS_89_MINUTES_AGO).watchdog();
    assert_eq!(verdict(&row), ("unknown", "enrollment_unknown", None, None));
    assert!(row.text("detail").unwrap().contains("Perhaps"));
}

// Rule 3: the identity, in mdmclient's own words.

#[test]
fn an_identity_that_cannot_be_created_is_an_identity_error() {
    let row = mac().said(SUCCESS_89_MINUTES_AGO).said("2026-11-23 17:00:00 Unable to create MDM identity").watchdog();
    assert_eq!(verdict(&row), ("identity_error", "identity_not_created", Some(0), Some(0)));
    assert_eq!(row.number("mdm_identity_error"), Some(1));
}

#[test]
fn an_identity_that_was_deleted_is_an_identity_error() {
    let words = "The specified item is no longer valid. It may have been deleted from the keychain.";
    let row = mac().said(SUCCESS_91_MINUTES_AGO).said(&format!("2026-11-23 17:00:00 {words}")).watchdog();
    assert_eq!(verdict(&row), ("identity_error", "identity_item_invalid", Some(1), None));
}

#[test]
fn an_identity_error_before_the_last_success_no_longer_counts() {
    let row = mac().said("2026-11-23 16:00:00 Unable to create MDM identity").said(SUCCESS_89_MINUTES_AGO).watchdog();
    assert_eq!(verdict(&row), ("ok", "recent_success", Some(0), Some(0)));
    assert_eq!(row.number("mdm_identity_error"), Some(0));
}

// Rule 4: a success within the window.

#[test]
fn a_success_89_minutes_ago_is_ok() {
    let row = mac().said(SUCCESS_89_MINUTES_AGO).watchdog();
    assert_eq!(verdict(&row), ("ok", "recent_success", Some(0), Some(0)));
    assert_eq!(row.text("software_updates_reason"), Some("client_not_stuck"));
    assert_eq!(row.number("last_http_status"), Some(200));
    assert_eq!(row.number("window_seconds"), Some(5400));
}

#[test]
fn a_success_exactly_90_minutes_ago_is_ok() {
    let row = mac().said("2026-11-23 16:30:00 <<<<< Received HTTP response (200) [Idle] <<<<<").watchdog();
    assert_eq!(row.text("state"), Some("ok"));
}

#[test]
fn a_response_with_any_message_type_is_a_success() {
    for bracket in ["NotNow(ProfileList):1", "Error(InstallProfile):2", "MDM_TokenUpdate", "Acknowledged(X)"] {
        let line = format!("2026-11-23 17:30:00 <<<<< Received HTTP response (200) [{bracket}] <<<<<");
        assert_eq!(mac().said(&line).watchdog().text("state"), Some("ok"), "{bracket}");
    }
}

#[test]
fn a_response_to_remotemanagementd_is_a_success() {
    let line = "2026-11-23 17:30:00 </System/Library/PrivateFrameworks/RemoteManagement.framework/remotemanagementd 277> Got back from MDM: 200";
    assert_eq!(mac().said(line).watchdog().text("state"), Some("ok"));
}

#[test]
fn a_recent_success_is_ok_although_the_log_is_truncated_and_the_mac_just_woke() {
    let row = mac().said(SUCCESS_89_MINUTES_AGO).cut_off().awake_since("2026-11-23T17:50:00Z").watchdog();
    assert_eq!(row.text("state"), Some("ok"));
}

#[test]
fn a_success_in_the_future_does_not_count() {
    let row = mac().said("2026-11-23 18:00:01 <<<<< Received HTTP response (200) [Idle] <<<<<").watchdog();
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), None));
    assert_eq!(row.number("last_success_at"), None);
}

#[test]
fn a_process_of_another_path_proves_nothing() {
    let line = "2026-11-23 17:59:00 </tmp/mdmclient> <<<<< Received HTTP response (200) [Idle] <<<<<";
    let row = mac().said(line).watchdog();
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), None));
    assert_eq!(row, mac().watchdog());
}

#[test]
fn a_success_quoted_in_another_message_does_not_count() {
    let line =
        "2026-11-23 17:59:00 [ERROR] [0:MDMDaemon:<0x1>] Profile named <<<<< Received HTTP response (200) [Idle] <<<<<";
    assert_eq!(mac().said(line).watchdog().text("state"), Some("quiet"));
}

#[test]
fn times_of_several_zones_are_compared_as_instants() {
    // 05:20 in Auckland is 16:20 UTC, before 11:25 in New York, which is 16:25 UTC; both lie before the window.
    let row = mac()
        .said(
            "2026-11-23 11:25:00-0500 <<<<< Received HTTP response (200) [Idle] <<<<<
             2026-11-24 05:20:00+1300 <<<<< Received HTTP response (503) [Idle] <<<<<",
        )
        .watchdog();
    assert_eq!(row.number("last_success_at"), Some(time("2026-11-23T16:25:00Z").timestamp()));
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), None));
}

// Rule 5: reasons not to trust a silence.

#[test]
fn without_a_log_the_verdict_is_unknown() {
    let row = mac().without_log().watchdog();
    assert_eq!(verdict(&row), ("unknown", "log_unreadable", None, None));
    assert_eq!((row.number("log_from"), row.number("log_to")), (None, None));
    assert_eq!(row.text("software_updates_reason"), Some("client_unknown"));
}

#[test]
fn an_empty_log_proves_nothing() {
    let row = mac().log_text("{\"count\":0,\"finished\":1}\n").watchdog();
    assert_eq!(verdict(&row), ("unknown", "log_empty", None, None));
}

#[test]
fn a_log_with_only_future_records_proves_nothing() {
    let log = support::ndjson("2026-11-24 01:00:00 hello") + "{\"count\":1,\"finished\":1}\n";
    assert_eq!(verdict(&mac().log_text(&log).watchdog()), ("unknown", "log_empty", None, None));
}

#[test]
fn a_log_that_starts_within_the_window_does_not_cover_it() {
    let row = mac().log_span("2026-11-23T16:31:00Z", NOW).watchdog();
    assert_eq!(verdict(&row), ("unknown", "log_incomplete", None, None));
}

#[test]
fn a_log_that_ends_long_before_now_does_not_cover_the_window() {
    let row = mac().log_span("2026-11-23T12:00:00Z", "2026-11-23T17:30:00Z").said(SUCCESS_91_MINUTES_AGO).watchdog();
    assert_eq!(verdict(&row), ("unknown", "log_incomplete", None, None));
}

#[test]
fn a_log_truncated_after_an_old_success_proves_no_silence() {
    let row = mac().said(SUCCESS_91_MINUTES_AGO).cut_off().watchdog();
    assert_eq!(verdict(&row), ("unknown", "log_incomplete", None, None));
    assert_eq!(row.number("log_to"), Some(time("2026-11-23T16:29:00Z").timestamp()));
}

#[test]
fn a_log_truncated_before_any_success_proves_no_silence() {
    let row = mac().said("2026-11-23 15:30:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>").cut_off().watchdog();
    assert_eq!(verdict(&row), ("unknown", "log_incomplete", None, None));
}

#[test]
fn a_mac_that_just_woke_is_unknown() {
    let row = mac().said(SUCCESS_91_MINUTES_AGO).awake_since("2026-11-23T16:31:00Z").watchdog();
    assert_eq!(verdict(&row), ("unknown", "recently_awake", None, None));
}

#[test]
fn a_mac_awake_for_just_the_window_is_judged() {
    let row = mac().said(SUCCESS_91_MINUTES_AGO).awake_since("2026-11-23T16:30:00Z").watchdog();
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), None));
}

#[test]
fn a_mac_with_unknown_awake_time_is_not_judged() {
    let row = mac().said(SUCCESS_91_MINUTES_AGO).without("awake").watchdog();
    assert_eq!(verdict(&row), ("unknown", "awake_unknown", None, None));
}

#[test]
fn a_mac_that_woke_in_the_future_is_not_judged() {
    let row = mac().said(SUCCESS_91_MINUTES_AGO).awake_since("2026-11-23T19:00:00Z").watchdog();
    assert_eq!(verdict(&row), ("unknown", "awake_unknown", None, None));
}

// Rule 6: something failed.

#[test]
fn a_command_received_and_never_answered_is_stuck() {
    let row = mac()
        .said(SUCCESS_91_MINUTES_AGO)
        .said("2026-11-23 16:29:00 Processing server request: ScheduleOSUpdate for: <Device> (T-1) PowerNap: no")
        .watchdog();
    assert_eq!(verdict(&row), ("stuck", "command_hung", Some(1), Some(1)));
    assert_eq!(row.text("software_updates_reason"), Some("last_command_os_update"));
    assert_eq!(row.text("last_command_type"), Some("ScheduleOSUpdate"));
}

#[test]
fn a_command_that_hung_before_the_last_success_did_not_stop_the_client() {
    let row = mac()
        .said("2026-11-23 16:00:00 Processing server request: InstallProfile for: <Device> (T-1) PowerNap: no")
        .said(SUCCESS_91_MINUTES_AGO)
        .watchdog();
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), Some(0)));
    assert_eq!(row.text("software_updates_reason"), Some("last_command_other"));
}

#[test]
fn a_request_without_an_answer_is_stuck() {
    let row = mac()
        .said(SUCCESS_91_MINUTES_AGO)
        .said("2026-11-23 17:00:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>")
        .watchdog();
    assert_eq!(verdict(&row), ("stuck", "requests_unanswered", Some(1), None));
    assert_eq!(row.number("last_attempt_at"), Some(time("2026-11-23T17:00:00Z").timestamp()));
}

#[test]
fn a_request_sent_within_the_last_minute_is_not_unanswered_yet() {
    let row = mac()
        .said(SUCCESS_91_MINUTES_AGO)
        .said("2026-11-23 17:59:30 >>>>> Sending HTTP request (PUT) [Idle] >>>>>")
        .watchdog();
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), None));
}

#[test]
fn a_server_that_refuses_is_a_server_error() {
    let row = mac()
        .said(SUCCESS_91_MINUTES_AGO)
        .said(
            "2026-11-23 17:00:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>
             2026-11-23 17:00:01 <<<<< Received HTTP response (503) [Idle] <<<<<",
        )
        .watchdog();
    assert_eq!(verdict(&row), ("server_error", "server_refuses", Some(1), None));
    assert_eq!(row.number("last_http_status"), Some(503));
}

#[test]
fn a_refusal_before_the_last_success_no_longer_counts() {
    let row = mac()
        .said("2026-11-23 16:00:00 <<<<< Received HTTP response (401) [MDM_Authenticate] <<<<<")
        .said(SUCCESS_91_MINUTES_AGO)
        .watchdog();
    assert_eq!(row.text("state"), Some("quiet"));
}

#[test]
fn a_request_before_the_covered_span_may_have_been_answered_unseen() {
    let row = mac()
        .said("2026-11-23 15:30:00 Processing server request: ScheduleOSUpdate for: <Device> (T-1) PowerNap: no")
        .log_span("2026-11-23T16:00:00Z", NOW)
        .watchdog();
    assert_eq!(row.text("state"), Some("quiet"));
}

#[test]
fn a_204_is_a_success_and_a_302_proves_nothing() {
    for (status, state) in [(204, "ok"), (302, "quiet")] {
        let line = format!(
            "2026-11-23 17:30:00 </System/Library/PrivateFrameworks/RemoteManagement.framework/remotemanagementd 277> Got back from MDM: {status}"
        );
        let row = mac().said(SUCCESS_91_MINUTES_AGO).said(&line).watchdog();
        assert_eq!((row.text("state"), row.number("last_http_status")), (Some(state), Some(status)));
    }
}

#[test]
fn an_active_users_agent_does_not_hide_a_hung_daemon() {
    let row = mac()
        .said(
            "2026-11-23 16:00:00 Processing server request: ScheduleOSUpdate for: <Device> (T-1) PowerNap: no
             2026-11-23 17:50:00 [501:MDMAgent:HTTPUtil:<0x9>] >>>>> Sending HTTP request (PUT) [Idle] >>>>>
             2026-11-23 17:50:01 [501:MDMAgent:HTTPUtil:<0x9>] <<<<< Received HTTP response (200) [Idle] <<<<<",
        )
        .watchdog();
    assert_eq!(verdict(&row), ("stuck", "command_hung", Some(1), Some(1)));
}

#[test]
fn a_malformed_line_may_have_been_the_one_that_matters() {
    let log = support::ndjson("2026-11-23 16:00:00 hello") + "{\"timestamp\": broken}\n{\"count\":2,\"finished\":1}\n";
    let mac = mac().log_text(&log);
    assert_eq!(verdict(&mac.watchdog()), ("unknown", "log_unreadable", None, None));
    let status = &mac.rows("mdm_health_status")[0];
    assert_eq!((status.text("state"), status.text("reason")), (Some("partial"), Some("not_understood")));
}

// Rules 7 and 8: silence.

/// A success every three hours, from the first day to the last.
fn history(first_day: u32, last_day: u32) -> String {
    let mut lines = String::new();
    for day in first_day..=last_day {
        for hour in (0..24).step_by(3) {
            lines += &format!("2026-11-{day:02} {hour:02}:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n");
        }
    }
    lines
}

#[test]
fn silence_without_failures_is_quiet() {
    let row = mac().said(SUCCESS_91_MINUTES_AGO).watchdog();
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), None));
    assert_eq!(row.text("software_updates_reason"), Some("no_command_seen"));
    assert_eq!(row.number("usual_gap_seconds"), None);
}

#[test]
fn silence_longer_than_usual_is_stuck() {
    let mac = || Mac::at("2026-11-23T18:00:00Z").log_span("2026-11-08T00:00:00Z", NOW);
    let row = mac().said(&history(8, 22)).watchdog();
    assert_eq!(verdict(&row), ("stuck", "silent_too_long", Some(1), None));
    assert_eq!(row.number("usual_gap_seconds"), Some(3 * 3600));
}

#[test]
fn silence_up_to_one_and_a_half_times_the_usual_gap_is_quiet() {
    // The last success is at 13:30; four and a half hours later is exactly the limit.
    let last = "2026-11-23 13:30:00 <<<<< Received HTTP response (200) [Idle] <<<<<";
    let until_noon =
        history(8, 23).lines().filter(|line| !line.starts_with("2026-11-23 1")).collect::<Vec<_>>().join("\n");
    let until_noon = until_noon.replace("2026-11-23 21", "2026-11-23 12");
    let row = Mac::at(NOW).log_span("2026-11-08T00:00:00Z", NOW).said(&until_noon).said(last).watchdog();
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), None));
    assert_eq!(row.number("usual_gap_seconds"), Some(3 * 3600));
}

#[test]
fn silence_counts_from_the_last_wake_if_that_is_later() {
    let row = Mac::at(NOW)
        .log_span("2026-11-08T00:00:00Z", NOW)
        .said(&history(8, 22))
        .awake_since("2026-11-23T15:00:00Z")
        .watchdog();
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), None));
}

#[test]
fn only_the_last_14_days_count_for_the_usual_gap() {
    // A gap of two days, 15 days ago.
    let old = "2026-11-06 00:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n";
    let row = Mac::at(NOW).log_span("2026-11-01T00:00:00Z", NOW).said(old).said(&history(8, 22)).watchdog();
    assert_eq!(row.number("usual_gap_seconds"), Some(3 * 3600));
}

#[test]
fn nineteen_successes_or_two_days_give_no_usual_gap() {
    let nineteen: String = history(19, 22).lines().take(19).map(|line| format!("{line}\n")).collect();
    for log in [nineteen, history(21, 22)] {
        let row = Mac::at(NOW).log_span("2026-11-08T00:00:00Z", NOW).said(&log).watchdog();
        assert_eq!(row.number("usual_gap_seconds"), None, "{log}");
        assert_eq!(row.text("state"), Some("quiet"));
    }
}

// mdm-watchdog's rule for OS updates.

#[test]
fn the_last_command_received_decides_and_not_the_last_answered() {
    let row = mac()
        .said(
            "2026-11-23 16:00:00 Processing server request: OSUpdateStatus for: <Device> (A) PowerNap: no
             2026-11-23 16:00:05 Processing server request: DeviceInformation for: <Device> (B) PowerNap: no
             2026-11-23 16:00:06 >>>>> Sending HTTP request (PUT) [Acknowledged(DeviceInformation):B] >>>>>
             2026-11-23 16:00:07 <<<<< Received HTTP response (200) [Acknowledged(DeviceInformation):B] <<<<<
             2026-11-23 16:00:09 >>>>> Sending HTTP request (PUT) [Acknowledged(OSUpdateStatus):A] >>>>>
             2026-11-23 16:00:10 <<<<< Received HTTP response (200) [Acknowledged(OSUpdateStatus):A] <<<<<",
        )
        .watchdog();
    assert_eq!(verdict(&row), ("quiet", "no_contact", Some(1), Some(0)));
    assert_eq!(row.text("last_command_type"), Some("DeviceInformation"));
}

#[test]
fn every_command_about_os_updates_counts() {
    for command in ["ScheduleOSUpdate", "ScheduleOSUpdateScan", "AvailableOSUpdates", "OSUpdateStatus"] {
        let line = format!("2026-11-23 16:00:00 <<<<< Received HTTP response (200) [Acknowledged({command}):X] <<<<<");
        assert_eq!(mac().said(&line).watchdog().number("mdm_software_updates_stuck"), Some(1), "{command}");
    }
}

#[test]
fn restarts_are_null_without_a_record() {
    let row = mac().watchdog();
    assert_eq!(row.number("mdm_client_restarted"), None);
    assert_eq!(row.number("last_mdm_kickstart"), None);
}

// Rule 9: the network.

#[test]
fn without_a_network_a_silence_says_nothing_and_a_command_that_hangs_still_does() {
    let offline = |said: &str| mac().said(said).command("network", support::OFFLINE).watchdog();
    assert_eq!(verdict(&offline(SUCCESS_91_MINUTES_AGO)), ("unknown", "offline", None, None));
    let online = mac().said(SUCCESS_91_MINUTES_AGO).command("network", support::ONLINE).watchdog();
    assert_eq!(verdict(&online).0, "quiet");
    let unknown = mac().said(SUCCESS_91_MINUTES_AGO).command("network", "who knows\n").watchdog();
    assert_eq!(verdict(&unknown).0, "quiet");
    let hung = format!(
        "{SUCCESS_91_MINUTES_AGO}\n2026-11-23 17:00:00 Processing server request: ProfileList for: <Device> (A-1) PowerNap: no"
    );
    assert_eq!(verdict(&offline(&hung)).1, "command_hung");
    assert_eq!(verdict(&offline(SUCCESS_89_MINUTES_AGO)).0, "ok");
}
