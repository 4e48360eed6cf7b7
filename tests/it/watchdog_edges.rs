//! The edges of the rules, one by one: what each status says to each client, what follows a push, and what a Mac without
//! a network is called.
use crate::support::{Mac, time};

const REMOTEMANAGEMENTD: &str = "/System/Library/PrivateFrameworks/RemoteManagement.framework/remotemanagementd";

const NOW: &str = "2026-11-23T18:00:00Z";
const SUCCESS_AT_15: &str = "2026-11-23 15:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n";
const SUCCESS_AT_17_50: &str = "2026-11-23 17:50:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n";
const OFFLINE: &str = "Network information\n\nIPv4 network interface information\n   No IPv4 states found\n\n   REACH : flags \
    0x00000000 (Not Reachable)\n\nIPv6 network interface information\n   No IPv6 states found\n\n   REACH : flags \
    0x00000000 (Not Reachable)\n";

fn mac(lines: &str) -> Mac {
    Mac::at(NOW).said(lines).log_span("2026-11-23T12:00:00Z", NOW)
}

fn verdict(mac: &Mac) -> String {
    let row = mac.watchdog();
    format!("{} {} {}", row.shown("state"), row.shown("reason"), row.shown("mdm_client_stuck"))
}

fn mdmclient(at: &str, status: u16) -> String {
    format!(
        "2026-11-23 {at}:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>\n\
         2026-11-23 {at}:01 <<<<< Received HTTP response ({status}) [Idle] <<<<<\n"
    )
}

fn remotemanagementd(at: &str, status: u16) -> String {
    format!("2026-11-23 {at}:00 <{REMOTEMANAGEMENTD}> Got back from MDM: {status}\n")
}

#[test]
fn a_status_of_ten_minutes_ago_says_the_same_to_both_clients_but_404() {
    for (status, of_mdmclient, of_remotemanagementd) in [
        (200, "ok recent_success 0", "ok recent_success 0"),
        (204, "ok recent_success 0", "ok recent_success 0"),
        (302, "quiet no_contact 1", "quiet no_contact 1"),
        (401, "server_error server_refuses 1", "server_error server_refuses 1"),
        (404, "server_error server_refuses 1", "quiet no_contact 1"),
        (503, "server_error server_refuses 1", "server_error server_refuses 1"),
    ] {
        assert_eq!(verdict(&mac(&(SUCCESS_AT_15.to_owned() + &mdmclient("17:50", status)))), of_mdmclient, "{status}");
        let declarative = mac(&(SUCCESS_AT_15.to_owned() + &remotemanagementd("17:50", status)));
        assert_eq!(verdict(&declarative), of_remotemanagementd, "{status}");
    }
}

#[test]
fn exchanges_and_the_watchdog_call_a_status_by_the_same_rule() {
    let outcome = |lines: String| mac(&lines).rows("mdm_exchanges").remove(0).shown("outcome");
    for status in [200, 204, 302] {
        assert_eq!(outcome(mdmclient("17:50", status)), "ok", "{status}");
    }
    for status in [401, 404, 503] {
        assert_eq!(outcome(mdmclient("17:50", status)), "http_error", "{status}");
    }
    assert_eq!(outcome(remotemanagementd("17:50", 404)), "ok");
}

const PUSH: &str = "Calling MDM_Connect (At login: no) <PushNotification> for: https://mdm.example.com/mdm\n";

/// A push at 15:00 that was followed at once, and one at 16:20 that was followed so many minutes later, or never.
fn pushed(followed_after: Option<u32>) -> String {
    let mut lines = format!("2026-11-23 14:59:59 {PUSH}{SUCCESS_AT_15}");
    lines = lines.replace(
        "2026-11-23 15:00:00 <<<<<",
        "2026-11-23 15:00:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>\n2026-11-23 15:00:00 <<<<<",
    );
    lines += &format!("2026-11-23 16:20:00 {PUSH}");
    if let Some(minutes) = followed_after {
        lines += &format!("2026-11-23 16:{}:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>\n", 20 + minutes);
        lines += &format!("2026-11-23 16:{}:01 <<<<< Received HTTP response (302) [Idle] <<<<<\n", 20 + minutes);
    }
    lines
}

#[test]
fn a_push_is_followed_within_five_minutes_or_not_at_all() {
    assert_eq!(verdict(&mac(&pushed(Some(4)))), "quiet no_contact 1");
    assert_eq!(verdict(&mac(&pushed(Some(6)))), "stuck push_not_followed 1");
    assert_eq!(verdict(&mac(&pushed(None))), "stuck push_not_followed 1");
}

#[test]
fn the_last_push_is_shown_and_is_null_where_the_log_has_none() {
    let last_push = |lines: &str| mac(lines).watchdog().number("last_push_at");
    assert_eq!(last_push(&pushed(None)), Some(time("2026-11-23T16:20:00Z").timestamp()));
    assert_eq!(last_push(SUCCESS_AT_15), None);
    let other = format!("2026-11-23 16:20:00 {}", PUSH.replace("PushNotification", "AfterCommand"));
    assert_eq!(last_push(&other), None, "a connection that no push made");
    let of_user = format!("2026-11-23 16:20:00 </usr/libexec/mdmclient 501> {PUSH}");
    assert_eq!(last_push(&of_user), None, "a push for a user's agent");
}

#[test]
fn a_push_proves_nothing_where_no_request_was_ever_seen_after_one() {
    let lines = format!("{SUCCESS_AT_15}2026-11-23 16:20:00 {PUSH}");
    assert_eq!(verdict(&mac(&lines)), "quiet no_contact 1");
}

#[test]
fn the_word_that_there_are_no_commands_follows_a_push_too() {
    let lines = pushed(None) + "2026-11-23 16:20:02 No commands from server: https://mdm.example.com/mdm\n";
    assert_eq!(verdict(&mac(&lines)), "quiet no_contact 1");
}

#[test]
fn off_the_network_a_silence_is_unknown_and_what_hangs_or_is_refused_stays() {
    let offline = |lines: &str| verdict(&mac(lines).command("network", OFFLINE));
    let command = "2026-11-23 16:00:00 Processing server request: ProfileList for: <Device> (T-1) PowerNap: no\n";
    let request = "2026-11-23 17:00:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>\n";
    assert_eq!(offline(SUCCESS_AT_15), "unknown offline -");
    assert_eq!(offline(&(SUCCESS_AT_15.to_owned() + request)), "unknown offline -");
    assert_eq!(offline(SUCCESS_AT_17_50), "ok recent_success 0");
    assert_eq!(offline(&(SUCCESS_AT_15.to_owned() + command)), "stuck command_hung 1");
    assert_eq!(offline(&(SUCCESS_AT_15.to_owned() + &mdmclient("17:00", 503))), "server_error server_refuses 1");
    assert_eq!(offline(&pushed(None)), "stuck push_not_followed 1");
}

#[test]
fn a_command_hangs_only_if_the_device_has_sent_nothing_since() {
    let command = "2026-11-23 16:00:00 Processing server request: ProfileList for: <Device> (T-1) PowerNap: no\n";
    let later = |user: &str| {
        format!(
            "2026-11-23 16:10:00 {user}>>>>> Sending HTTP request (PUT) [Idle] >>>>>\n\
             2026-11-23 16:10:01 {user}<<<<< Received HTTP response (302) [Idle] <<<<<\n"
        )
    };
    let with = |lines: String| verdict(&mac(&(SUCCESS_AT_15.to_owned() + command + &lines)));
    assert_eq!(with(String::new()), "stuck command_hung 1");
    assert_eq!(with(later("")), "quiet no_contact 1");
    assert_eq!(with(later("</usr/libexec/mdmclient 501> ")), "stuck command_hung 1");
}

#[test]
fn a_hang_after_the_refusal_counts_and_one_before_it_does_not() {
    let command = |at: &str| {
        format!("2026-11-23 {at}:00 Processing server request: ProfileList for: <Device> (T-1) PowerNap: no\n")
    };
    let refusal = mdmclient("16:30", 503);
    let lines = |parts: &[&str]| SUCCESS_AT_15.to_owned() + &parts.concat();
    assert_eq!(verdict(&mac(&lines(&[&refusal, &command("17:00")]))), "stuck command_hung 1");
    assert_eq!(verdict(&mac(&lines(&[&command("16:00"), &refusal]))), "server_error server_refuses 1");
}

/// A Mac whose last success was at 12:30, which napped three times since then, and which woke for good at that time.
fn napping(awake_since: &str) -> Mac {
    let naps = [
        ("12:20", "Wake from Deep Idle [CDNVA] : due to HID Activity"),
        ("12:55", "Entering Sleep state due to 'Clamshell Sleep'"),
        ("13:30", "Wake from Deep Idle [CDNVA] : due to UserActivity Assertion"),
        ("14:00", "Entering Sleep state due to 'Idle Sleep'"),
        ("15:00", "Wake from Deep Idle [CDNVA] : due to HID Activity"),
        ("15:20", "Entering Sleep state due to 'Clamshell Sleep'"),
        ("16:00", "DarkWake from Deep Idle [CDNP] : due to rtc/Maintenance"),
        ("16:25", "Entering Sleep state due to 'Maintenance Sleep'"),
        (awake_since, "Wake from Deep Idle [CDNVA] : due to UserActivity Assertion"),
    ];
    let powerd = "/System/Library/CoreServices/powerd.bundle/powerd";
    let lines = naps.map(|(at, message)| format!("2026-11-23 {at}:00 <{powerd}> {message}\n")).concat();
    let success = "2026-11-23 12:30:00 <<<<< Received HTTP response (200) [Idle] <<<<<\n";
    mac(&(success.to_owned() + &lines)).awake_since(&format!("2026-11-23T{awake_since}:00Z"))
}

#[test]
fn awake_time_is_summed_over_three_naps_without_the_dark_wake() {
    let awake = |mac: &Mac| mac.watchdog().number("awake_seconds").map(|seconds| seconds / 60);
    let (short, long) = (napping("17:46"), napping("17:44"));
    assert_eq!((awake(&short), verdict(&short).as_str()), (Some(89), "unknown recently_awake -"));
    assert_eq!((awake(&long), verdict(&long).as_str()), (Some(91), "quiet no_contact 1"));
}
