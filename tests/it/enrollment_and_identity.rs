//! Enrollment and identity: the rows that each kind of Mac gives.

use crate::support;
use crate::support::keychain::{ACME_IN_HARDWARE, Keychain, MANAGED, PKCS12, profiles_list, scep};
use crate::support::{Mac, NOT_ENROLLED, Row};
use insta::assert_snapshot;

const NOW: &str = "2026-11-23T18:00:00Z";
const BY_HAND: &str = "Enrolled via DEP: No\nMDM enrollment: Yes\nMDM server: https://mdm.example.com/mdm\n";
const ANSWER_20_MINUTES_AGO: &str = "2026-11-23 17:40:00 <<<<< Received HTTP response (200) [Idle] <<<<<";
const CANNOT_CREATE: &str = "2026-11-23 17:50:00 Unable to create MDM identity";

fn keychain() -> Keychain {
    Keychain::at(NOW)
}

/// A Mac with that keychain, enrolled by Automated Device Enrollment, whose profile asks a SCEP server for "Mac 42". Its
/// log holds nothing from mdmclient.
fn mac(keychain: &Keychain) -> Mac {
    Mac::at(NOW)
        .command("management-status", MANAGED)
        .command("profiles-list", &profiles_list(&scep("Mac 42")))
        .command("identities", &keychain.identities())
        .command("certificates", keychain.certificates())
}

/// A healthy Mac's keychain.
fn valid() -> Keychain {
    keychain().identity("Mac 42", "Example CA", -65..300)
}

fn shown(row: &Row, columns: &[&str]) -> String {
    columns.iter().map(|column| format!("{column}={}", row.shown(column))).collect::<Vec<_>>().join(" ")
}

/// The identity rows and the watchdog's verdict, one line per row; NULL is `-`.
fn identity(mac: &Mac) -> String {
    let identities = mac.rows("mdm_identity");
    let mut lines: Vec<String> = (identities.iter())
        .map(|row| {
            let columns = ["days_left", "has_private_key", "is_mdm_identity", "matched_by", "state", "reason"];
            format!("{}: {}", row.shown("common_name"), shown(row, &columns))
        })
        .collect();
    lines.push(shown(&mac.watchdog(), &["state", "reason", "mdm_identity_error", "mdm_client_stuck"]));
    lines.join("\n")
}

/// The enrollment row and the watchdog's verdict.
fn enrollment(mac: &Mac) -> String {
    let row = &mac.rows("mdm_enrollment")[0];
    let capture = regex::Regex::new(r"the capture \S+").unwrap();
    [
        shown(
            row,
            &["enrolled", "state", "reason", "enrolled_via_dep", "user_approved", "supervised", "sources_agree"],
        ),
        capture.replace(&row.shown("detail"), "the capture").into_owned(),
        shown(&mac.watchdog(), &["state", "reason", "mdm_enrolled", "mdm_client_stuck"]),
    ]
    .join("\n")
}

// Which identity is the MDM's, and its state.

#[test]
fn a_valid_identity_is_matched_by_the_subject_in_the_profile() {
    let wifi = valid().identity("Wi-Fi", "Example Wi-Fi", -65..300);
    assert_snapshot!(identity(&mac(&wifi)), @r"
    Mac 42: days_left=300 has_private_key=1 is_mdm_identity=1 matched_by=subject state=valid reason=-
    Wi-Fi: days_left=300 has_private_key=1 is_mdm_identity=0 matched_by=- state=valid reason=-
    state=quiet reason=no_contact mdm_identity_error=0 mdm_client_stuck=1
    ");
}

#[test]
fn an_identity_row_has_every_column() {
    let row = &mac(&valid()).rows("mdm_identity")[0];
    let of = |column| row.text(column).unwrap();
    assert_eq!(of("subject"), "O=Example, CN=Mac 42");
    assert_eq!(of("issuer"), "O=Example, CN=Example CA");
    assert_eq!((of("sha1").len(), of("sha256").len()), (40, 64));
    assert!(of("serial").bytes().all(|digit| digit.is_ascii_digit() || digit.is_ascii_uppercase()));
    assert_eq!(of("detail"), "Its subject is the one that the com.apple.security.scep payload asks for.");
    let now = support::time(NOW).timestamp();
    let days = |column| (row.number(column).unwrap() - now) / 86_400;
    assert_eq!((days("not_before"), days("not_after")), (-65, 300));
}

#[test]
fn an_identity_that_expired_yesterday_is_expired() {
    assert_snapshot!(identity(&mac(&keychain().identity("Mac 42", "Example CA", -366..-1))), @r"
    Mac 42: days_left=-1 has_private_key=1 is_mdm_identity=1 matched_by=subject state=expired reason=-
    state=identity_error reason=identity_expired mdm_identity_error=1 mdm_client_stuck=1
    ");
}

#[test]
fn an_expired_identity_is_an_error_though_a_lenient_server_answers() {
    let mac = mac(&keychain().identity("Mac 42", "Example CA", -366..-1)).said(ANSWER_20_MINUTES_AGO);
    assert_snapshot!(identity(&mac), @r"
    Mac 42: days_left=-1 has_private_key=1 is_mdm_identity=1 matched_by=subject state=expired reason=-
    state=identity_error reason=identity_expired mdm_identity_error=1 mdm_client_stuck=0
    ");
    assert_snapshot!(mac.watchdog().shown("detail"), @r#"The MDM's identity "Mac 42" expired at 2026-11-22T18:00:00Z. Its subject is the one that the com.apple.security.scep payload asks for. `security` says CSSMERR_TP_CERT_EXPIRED of it. The Mac has to be enrolled again."#);
}

#[test]
fn an_identity_that_expires_tomorrow_is_expiring_and_no_error() {
    assert_snapshot!(identity(&mac(&keychain().identity("Mac 42", "Example CA", -364..1))), @r"
    Mac 42: days_left=1 has_private_key=1 is_mdm_identity=1 matched_by=subject state=expiring reason=-
    state=quiet reason=no_contact mdm_identity_error=0 mdm_client_stuck=1
    ");
}

#[test]
fn expiring_starts_thirty_days_before_the_end_and_expired_after_the_last_second() {
    let state = |days: std::ops::Range<i64>| {
        mac(&keychain().identity("Mac 42", "CA", days)).rows("mdm_identity")[0].shown("state")
    };
    assert_eq!(state(-1..31), "valid");
    assert_eq!(state(-1..30), "expiring");
    assert_eq!(state(-1..0), "expiring");
    assert_eq!(state(0..365), "valid");
}

#[test]
fn an_identity_that_starts_tomorrow_is_not_yet_valid() {
    assert_snapshot!(identity(&mac(&keychain().identity("Mac 42", "Example CA", 1..366))), @r"
    Mac 42: days_left=366 has_private_key=1 is_mdm_identity=1 matched_by=subject state=not_yet_valid reason=-
    state=identity_error reason=identity_not_yet_valid mdm_identity_error=1 mdm_client_stuck=1
    ");
}

#[test]
fn a_deleted_identity_is_missing() {
    assert_snapshot!(identity(&mac(&keychain())), @r"
    -: days_left=- has_private_key=0 is_mdm_identity=1 matched_by=- state=missing reason=-
    state=identity_error reason=identity_missing mdm_identity_error=1 mdm_client_stuck=1
    ");
}

#[test]
fn an_identity_without_its_private_key_is_an_error() {
    let keychain = keychain().certificate("Mac 42", "Example CA", -65..300).identity("Wi-Fi", "Other CA", -65..300);
    assert_snapshot!(identity(&mac(&keychain)), @r"
    Mac 42: days_left=300 has_private_key=0 is_mdm_identity=1 matched_by=subject state=no_private_key reason=-
    Wi-Fi: days_left=300 has_private_key=1 is_mdm_identity=0 matched_by=- state=valid reason=-
    state=identity_error reason=identity_no_private_key mdm_identity_error=1 mdm_client_stuck=1
    ");
}

#[test]
fn two_candidates_are_ambiguous_and_the_identity_stays_unknown() {
    let two = keychain().identity("Mac 42", "Example CA", -400..-35).identity("Mac 42", "Example CA", -65..300);
    let two = two.identity("Wi-Fi", "Example Wi-Fi", -65..300);
    assert_snapshot!(identity(&mac(&two)), @r"
    Mac 42: days_left=-35 has_private_key=1 is_mdm_identity=- matched_by=- state=ambiguous reason=-
    Mac 42: days_left=300 has_private_key=1 is_mdm_identity=- matched_by=- state=ambiguous reason=-
    Wi-Fi: days_left=300 has_private_key=1 is_mdm_identity=0 matched_by=- state=valid reason=-
    state=quiet reason=no_contact mdm_identity_error=- mdm_client_stuck=1
    ");
}

#[test]
fn two_with_the_same_subject_are_told_apart_by_the_issuer() {
    let two = keychain().identity("Mac 42", "Old CA", -400..-35).identity("Mac 42", "Example CA", -65..300);
    assert_snapshot!(identity(&mac(&two)), @r"
    Mac 42: days_left=300 has_private_key=1 is_mdm_identity=1 matched_by=issuer state=valid reason=-
    Mac 42: days_left=-35 has_private_key=1 is_mdm_identity=0 matched_by=- state=expired reason=-
    state=quiet reason=no_contact mdm_identity_error=0 mdm_client_stuck=1
    ");
}

#[test]
fn the_only_identity_is_used_where_the_profile_names_none() {
    let mac = mac(&keychain().identity("Somebody", "Somewhere", -65..300));
    assert_snapshot!(identity(&mac.command("profiles-list", &profiles_list(PKCS12))), @r"
    Somebody: days_left=300 has_private_key=1 is_mdm_identity=1 matched_by=only_identity state=valid reason=-
    state=quiet reason=no_contact mdm_identity_error=0 mdm_client_stuck=1
    ");
}

#[test]
fn an_identity_with_another_subject_than_the_profile_proves_nothing() {
    assert_snapshot!(identity(&mac(&keychain().identity("Wi-Fi", "Example Wi-Fi", -65..300))), @r"
    Wi-Fi: days_left=300 has_private_key=1 is_mdm_identity=1 matched_by=only_identity state=valid reason=-
    state=quiet reason=no_contact mdm_identity_error=- mdm_client_stuck=1
    ");
}

#[test]
fn a_subject_with_a_variable_is_not_matched() {
    let mac = mac(&valid()).command("profiles-list", &profiles_list(&scep("%HardwareUUID%")));
    assert_snapshot!(identity(&mac), @r"
    Mac 42: days_left=300 has_private_key=1 is_mdm_identity=1 matched_by=issuer state=valid reason=-
    state=quiet reason=no_contact mdm_identity_error=0 mdm_client_stuck=1
    ");
}

#[test]
fn a_later_server_response_outweighs_a_guessed_identity_that_expired() {
    let guess = mac(&keychain().identity("Wi-Fi", "Example Wi-Fi", -400..-35));
    let guess = guess.command("profiles-list", &profiles_list(PKCS12));
    assert_snapshot!(identity(&guess), @r"
    Wi-Fi: days_left=-35 has_private_key=1 is_mdm_identity=1 matched_by=only_identity state=expired reason=-
    state=identity_error reason=identity_expired mdm_identity_error=1 mdm_client_stuck=1
    ");
    assert_snapshot!(identity(&guess.said(ANSWER_20_MINUTES_AGO)), @r"
    Wi-Fi: days_left=-35 has_private_key=1 is_mdm_identity=1 matched_by=only_identity state=expired reason=-
    state=ok reason=recent_success mdm_identity_error=0 mdm_client_stuck=0
    ");
}

#[test]
fn an_identity_is_missing_only_where_the_profile_names_one() {
    let answered = |mac: Mac| mac.said(ANSWER_20_MINUTES_AGO);
    assert_snapshot!(identity(&answered(mac(&keychain()))), @r"
    -: days_left=- has_private_key=0 is_mdm_identity=1 matched_by=- state=missing reason=-
    state=identity_error reason=identity_missing mdm_identity_error=1 mdm_client_stuck=0
    ");
    assert_snapshot!(identity(&answered(mac(&keychain()).without("profiles-list"))), @r"
    -: days_left=- has_private_key=0 is_mdm_identity=1 matched_by=- state=missing reason=-
    state=ok reason=recent_success mdm_identity_error=0 mdm_client_stuck=0
    ");
}

#[test]
fn an_identity_in_the_secure_enclave_is_unknown_and_never_missing() {
    let mac = mac(&keychain().identity("Wi-Fi", "Example Wi-Fi", -400..-35));
    let mac = mac.command("profiles-list", &profiles_list(ACME_IN_HARDWARE));
    assert_snapshot!(identity(&mac), @r"
    -: days_left=- has_private_key=- is_mdm_identity=- matched_by=- state=unknown reason=hardware_bound
    Wi-Fi: days_left=-35 has_private_key=1 is_mdm_identity=- matched_by=- state=expired reason=-
    state=quiet reason=no_contact mdm_identity_error=- mdm_client_stuck=1
    ");
}

#[test]
fn unreadable_keychain_lists_make_the_identity_unknown_and_never_missing() {
    assert_snapshot!(identity(&mac(&valid()).without("identities")), @r"
    -: days_left=- has_private_key=- is_mdm_identity=- matched_by=- state=unknown reason=identities_unknown
    state=quiet reason=no_contact mdm_identity_error=- mdm_client_stuck=1
    ");
    assert_snapshot!(identity(&mac(&valid()).without("certificates")), @r"
    -: days_left=- has_private_key=- is_mdm_identity=- matched_by=- state=unknown reason=certificates_unknown
    Mac 42: days_left=- has_private_key=1 is_mdm_identity=- matched_by=- state=unknown reason=certificate_unreadable
    state=quiet reason=no_contact mdm_identity_error=- mdm_client_stuck=1
    ");
    let cut = keychain().identities();
    let cut = cut.split_inclusive("identities found").next().unwrap().trim_end_matches("identities found");
    assert_snapshot!(identity(&mac(&keychain()).command("identities", cut)), @r"
    -: days_left=- has_private_key=- is_mdm_identity=- matched_by=- state=unknown reason=identities_unknown
    state=quiet reason=no_contact mdm_identity_error=- mdm_client_stuck=1
    ");
}

#[test]
fn an_error_that_security_reports_is_shown_and_the_identity_is_not_healthy() {
    let keychain = valid();
    let revoked = keychain.identities().replace("\"Mac 42\"", "\"Mac 42\" (CSSMERR_TP_CERT_REVOKED)");
    let mac = mac(&keychain).command("identities", &revoked);
    assert_snapshot!(identity(&mac), @r"
    Mac 42: days_left=300 has_private_key=1 is_mdm_identity=1 matched_by=subject state=valid reason=-
    state=quiet reason=no_contact mdm_identity_error=- mdm_client_stuck=1
    ");
    assert_snapshot!(mac.rows("mdm_identity")[0].shown("detail"), @"Its subject is the one that the com.apple.security.scep payload asks for. `security` says CSSMERR_TP_CERT_REVOKED of it.");
}

#[test]
fn mdmclients_identity_error_counts_where_the_keychain_shows_nothing() {
    assert_snapshot!(identity(&mac(&valid()).said(ANSWER_20_MINUTES_AGO).said(CANNOT_CREATE)), @r"
    Mac 42: days_left=300 has_private_key=1 is_mdm_identity=1 matched_by=subject state=valid reason=-
    state=identity_error reason=identity_not_created mdm_identity_error=1 mdm_client_stuck=0
    ");
    assert_snapshot!(identity(&mac(&keychain()).said(CANNOT_CREATE)), @r"
    -: days_left=- has_private_key=0 is_mdm_identity=1 matched_by=- state=missing reason=-
    state=identity_error reason=identity_missing mdm_identity_error=1 mdm_client_stuck=1
    ");
}

// How the Mac is enrolled.

#[test]
fn automated_device_enrollment_is_recognised() {
    let mac = mac(&valid());
    assert_snapshot!(enrollment(&mac), @r"
    enrolled=1 state=enrolled reason=automated enrolled_via_dep=1 user_approved=1 supervised=1 sources_agree=1
    This Mac is enrolled in an MDM by Automated Device Enrollment.
    state=quiet reason=no_contact mdm_enrolled=1 mdm_client_stuck=1
    ");
    let row = &mac.rows("mdm_enrollment")[0];
    let text = |column| row.shown(column);
    assert_eq!(text("server_url"), "https://mdm.example.com/mdm");
    assert_eq!(text("checkin_url"), "https://mdm.example.com/checkin");
    assert_eq!(text("topic"), "com.apple.mgmt.External.1");
    assert_eq!((row.number("access_rights"), row.number("sign_message")), (Some(8191), Some(1)));
    assert_eq!(text("server_capabilities"), "com.apple.mdm.per-user-connections,com.apple.mdm.bootstraptoken");
    assert_eq!(text("profile_identifier"), "com.example.enrollment");
    assert_eq!(text("profile_uuid"), "597B4018-0000-4000-8000-000000000001");
    assert_eq!(text("organization"), "Example");
    assert_eq!(row.number("installed_at"), Some(support::time("2026-03-31T01:14:38Z").timestamp()));
    assert_eq!(text("identity_certificate_uuid"), "6EE63BCC-0000-4000-8000-000000000002");
    assert_eq!(text("identity_payload_type"), "com.apple.security.scep");
}

#[test]
fn enrollment_by_hand_without_user_approval_is_recognised() {
    let managed = MANAGED.replace("IsDEP = 1", "IsDEP = 0").replace("IsUserApproved = 1", "IsUserApproved = 0");
    let managed = managed.replace("DeviceIsSupervised = 1", "DeviceIsSupervised = 0");
    let mac = mac(&valid()).command("profiles-status", BY_HAND).command("management-status", &managed);
    assert_snapshot!(enrollment(&mac), @r"
    enrolled=1 state=enrolled reason=not_user_approved enrolled_via_dep=0 user_approved=0 supervised=0 sources_agree=1
    This Mac is enrolled in an MDM, and no user approved that.
    state=quiet reason=no_contact mdm_enrolled=1 mdm_client_stuck=1
    ");
}

#[test]
fn a_mac_that_is_not_enrolled_is_recognised() {
    let unmanaged = "Management status: {\n    EnrolledInDEP = 0;\n    ManagedViaMDM = 0;\n}\n";
    let mac = mac(&keychain().identity("Wi-Fi", "Example Wi-Fi", -65..300))
        .command("profiles-status", NOT_ENROLLED)
        .command("management-status", unmanaged)
        .command("profiles-list", "<plist version=\"1.0\">\n<dict/>\n</plist>\n");
    assert_snapshot!(enrollment(&mac), @r"
    enrolled=0 state=not_enrolled reason=not_enrolled enrolled_via_dep=0 user_approved=- supervised=- sources_agree=1
    This Mac is not enrolled in an MDM.
    state=not_enrolled reason=not_enrolled mdm_enrolled=0 mdm_client_stuck=0
    ");
    assert_snapshot!(identity(&mac), @r"
    Wi-Fi: days_left=300 has_private_key=1 is_mdm_identity=0 matched_by=- state=valid reason=-
    state=not_enrolled reason=not_enrolled mdm_identity_error=0 mdm_client_stuck=0
    ");
}

#[test]
fn sources_that_disagree_on_the_enrollment_make_it_unknown_and_are_shown() {
    let unmanaged = MANAGED.replace("ManagedViaMDM = 1", "ManagedViaMDM = 0");
    let mac = mac(&valid()).command("management-status", &unmanaged).said(ANSWER_20_MINUTES_AGO);
    assert_snapshot!(enrollment(&mac), @r"
    enrolled=- state=unknown reason=sources_disagree enrolled_via_dep=1 user_approved=1 supervised=1 sources_agree=0
    The sources do not agree on whether this Mac is enrolled. enrolled: profiles_status says yes, management_status says no, profiles_list says yes.
    state=unknown reason=sources_disagree mdm_enrolled=- mdm_client_stuck=-
    ");
    assert_snapshot!(identity(&mac), @r"
    -: days_left=- has_private_key=- is_mdm_identity=- matched_by=- state=unknown reason=sources_disagree
    Mac 42: days_left=300 has_private_key=1 is_mdm_identity=- matched_by=- state=valid reason=-
    state=unknown reason=sources_disagree mdm_identity_error=0 mdm_client_stuck=-
    ");
}

#[test]
fn sources_that_disagree_on_another_column_make_that_column_null() {
    let elsewhere =
        MANAGED.replace("mdm.example.com", "old.example.com").replace("IsUserApproved = 1", "IsUserApproved = 0");
    let mac = mac(&valid()).command("management-status", &elsewhere);
    assert_snapshot!(enrollment(&mac), @r"
    enrolled=1 state=enrolled reason=automated enrolled_via_dep=1 user_approved=- supervised=1 sources_agree=0
    This Mac is enrolled in an MDM by Automated Device Enrollment. user_approved: profiles_status says yes, management_status says no. server_url: profiles_list says https://mdm.example.com/mdm, management_status says https://old.example.com/mdm, profiles_status says https://mdm.example.com/mdm.
    state=quiet reason=no_contact mdm_enrolled=1 mdm_client_stuck=1
    ");
    assert_eq!(mac.rows("mdm_enrollment")[0].text("server_url"), None);
}

#[test]
fn any_one_source_is_enough_to_be_enrolled() {
    let none = mac(&valid()).without("profiles-status").without("management-status").without("profiles-list");
    assert_snapshot!(enrollment(&none), @r"
    enrolled=- state=unknown reason=enrollment_unknown enrolled_via_dep=- user_approved=- supervised=- sources_agree=-
    Whether this Mac is enrolled is unknown: the capture has no commands/profiles-status.out: it was not recorded.
    state=unknown reason=enrollment_unknown mdm_enrolled=- mdm_client_stuck=-
    ");
    let list = mac(&valid()).without("profiles-status").without("management-status");
    assert_snapshot!(enrollment(&list), @r"
    enrolled=1 state=enrolled reason=approval_unknown enrolled_via_dep=- user_approved=- supervised=- sources_agree=-
    This Mac is enrolled in an MDM; whether a user approved that is unknown.
    state=quiet reason=no_contact mdm_enrolled=1 mdm_client_stuck=1
    ");
    let management = mac(&valid()).without("profiles-status").without("profiles-list");
    assert_snapshot!(enrollment(&management), @r"
    enrolled=1 state=enrolled reason=automated enrolled_via_dep=1 user_approved=1 supervised=1 sources_agree=-
    This Mac is enrolled in an MDM by Automated Device Enrollment.
    state=quiet reason=no_contact mdm_enrolled=1 mdm_client_stuck=1
    ");
}

#[test]
fn a_profile_list_without_an_mdm_profile_proves_nothing_alone_but_contradicts_enrolled() {
    let list = profiles_list(&scep("Mac 42")).replace(">com.apple.mdm<", ">com.apple.other<");
    let alone = mac(&valid()).command("profiles-list", &list).without("profiles-status").without("management-status");
    assert_snapshot!(enrollment(&alone), @r"
    enrolled=- state=unknown reason=enrollment_unknown enrolled_via_dep=- user_approved=- supervised=- sources_agree=-
    Whether this Mac is enrolled is unknown: the capture has no commands/profiles-status.out: it was not recorded.
    state=unknown reason=enrollment_unknown mdm_enrolled=- mdm_client_stuck=-
    ");
    assert_snapshot!(enrollment(&mac(&valid()).command("profiles-list", &list)), @r"
    enrolled=- state=unknown reason=sources_disagree enrolled_via_dep=1 user_approved=1 supervised=1 sources_agree=0
    The sources do not agree on whether this Mac is enrolled. enrolled: profiles_status says yes, management_status says yes, profiles_list says no.
    state=unknown reason=sources_disagree mdm_enrolled=- mdm_client_stuck=-
    ");
}

#[test]
fn every_source_has_a_status_row_and_a_failed_one_says_why() {
    let bad = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
    let mac = mac(&valid())
        .without("identities")
        .command("profiles-list", "profiles: this command requires root privileges\n")
        .command("certificates", &format!("{bad}{}", valid().certificates()));
    let states: Vec<String> = (mac.rows("mdm_health_status").iter())
        .map(|row| format!("{} {} {}", row.shown("source"), row.shown("state"), row.shown("reason")))
        .collect();
    assert_snapshot!(states.join("\n"), @r"
    unified_log ok -
    mdmclient_records ok -
    profiles_status ok -
    awake ok -
    network unavailable not_captured
    profiles_list error not_understood
    management_status ok -
    bootstrap_token unavailable not_captured
    ade_record unavailable not_captured
    hosts_file unavailable not_captured
    system_setup unavailable not_captured
    filevault_key unavailable not_captured
    identities unavailable not_captured
    certificates partial not_understood
    heal_ledger unavailable not_captured
    heal_policy unavailable not_captured
    install_log unavailable not_captured
    software_update_preferences unavailable not_captured
    ddm_state unavailable not_captured
    disk_space unavailable not_captured
    power unavailable not_captured
    system_version ok -
    platform unavailable not_captured
    declarations unavailable no_known_command
    time_zone ok -
    ");
}
