//! The rows of every fixture, as `query --csv` prints them.

use crate::support::{findings, fixture, tables};
use mdm_health::cli::shell::{self, Format};
use std::sync::Arc;

const QUERIES: [&str; 5] = [
    "SELECT state, reason, mdm_identity_error, mdm_client_stuck, mdm_software_updates_stuck, last_command_type FROM mdm_watchdog",
    "SELECT enrolled, state, reason, enrolled_via_dep, user_approved, supervised, server_url, sources_agree FROM mdm_enrollment",
    "SELECT common_name, issuer, date(not_after, 'unixepoch') AS ends, has_private_key, is_mdm_identity, matched_by, state, \
     reason FROM mdm_identity",
    "SELECT command_uuid, request_type, channel, user_id, status, reason, attempts, http_status, duration_ms, error_domain, \
     error_code, error_message, power_nap, os_update FROM mdm_commands_recent",
    "SELECT time(started_at, 'unixepoch') AS started, time(finished_at, 'unixepoch') AS finished, message_type, \
     request_type, http_status, duration_ms, outcome, channel FROM mdm_exchanges",
];

fn rows_of(name: &str) -> String {
    let findings = Arc::new(findings(&fixture(name)));
    let answer = |sql: &str| {
        let findings = findings.clone();
        shell::query(sql, Format::Csv, tables(), move || findings.clone()).unwrap()
    };
    QUERIES.map(answer).join("\n")
}

macro_rules! golden {
    ($($test:ident: $fixture:literal,)*) => {
        $(
            #[test]
            fn $test() {
                insta::assert_snapshot!($fixture, rows_of($fixture));
            }
        )*
    };
}

golden! {
    a_quiet_healthy_day: "quiet-healthy-day",
    not_now_in_dark_wake_then_acknowledged_is_one_command: "notnow-in-darkwake-then-acknowledged",
    a_failed_profile_has_its_error_chain: "installprofile-error-chain",
    a_401_at_authenticate_is_a_server_error: "http-401-at-authenticate",
    the_user_channel_does_not_mix_with_the_device: "user-channel-beside-device",
    an_old_log_without_tokens_is_paired_by_thread_and_order: "old-log-without-tokens",
    a_command_that_never_got_its_answer_is_pending: "update-command-never-answered",
    an_identity_expired: "identity-expired",
    an_identity_expires_tomorrow: "identity-expiring-tomorrow",
    an_identity_was_deleted: "identity-deleted",
    two_identities_could_be_the_one: "identity-two-candidates",
    not_enrolled: "not-enrolled",
    enrolled_by_hand_without_approval: "enrolled-by-hand-without-approval",
    enrolled_by_automated_device_enrollment: "enrolled-by-ade",
}
