//! What admins ask about an enrollment: whether it was copied, Apple's record, the server that is expected, who keeps MDM
//! out, the FileVault key. Each with an answer of yes, no and unknown.
use crate::support::captured::Captured;
use crate::support::fake_mac::{FakeMac, PLATFORM};
use crate::support::keychain::{Keychain, MANAGED, PKCS12, profiles_list, scep};
use crate::support::{self, Mac, live_mac, rows, time};
use mdm_health::collect;
use mdm_health::health::Findings;
use mdm_health::host::Live;
use mdm_health::log::ReadOptions;
use std::fs;

const NOW: &str = "2026-11-23T18:00:00Z";
const HISTORY: &str = "/Library/Receipts/InstallHistory.plist";
const HOSTS: &str = "/private/etc/hosts";
const FOUND: &str = "/private/var/db/ConfigurationProfiles/Settings/.cloudConfigRecordFound";
const NOT_FOUND: &str = "/private/var/db/ConfigurationProfiles/Settings/.cloudConfigRecordNotFound";
const ACTIVATED: &str = "/private/var/db/ConfigurationProfiles/Settings/.cloudConfigHasActivationRecord";
const NO_HOSTS: &str = "##\n127.0.0.1\tlocalhost\n::1             localhost\n";
const RECORD: &str = "<plist version=\"1.0\"><dict><key>EnrollmentServerURL</key>\
     <string>https://mdm.example.com/ade</string></dict></plist>";

/// A history whose first entry is of that day.
fn history(day: &str) -> String {
    let entry = |date: &str, name: &str| {
        format!(
            "<dict><key>date</key><date>{date}T10:00:00Z</date><key>displayName</key><string>{name}</string></dict>"
        )
    };
    let (first, later) = (entry(day, "XProtectPlistConfigData"), entry("2026-11-01", "macOS 26.1"));
    format!("<plist version=\"1.0\"><array>{later}{first}</array></plist>")
}

/// A Mac that was enrolled by ADE on 31 March 2026 with an identity of 19 September, and was set up before that.
fn mac() -> Mac {
    with(&Keychain::at(NOW).identity("Mac 42", "Example CA", -65..300))
}

fn with(keychain: &Keychain) -> Mac {
    Mac::at(NOW)
        .command("management-status", MANAGED)
        .command("profiles-list", &profiles_list(&scep("Mac 42")))
        .command("identities", &keychain.identities())
        .command("certificates", keychain.certificates())
        .command("platform", PLATFORM)
        .file(HISTORY, &history("2026-03-30"))
        .file(HOSTS, NO_HOSTS)
        .file(FOUND, RECORD)
        .said("2026-11-23 17:50:00 <<<<< Received HTTP response (200) [Idle] <<<<<")
}

fn shown(mac: &Mac, columns: &[&str]) -> Vec<String> {
    let row = mac.rows("mdm_enrollment").remove(0);
    columns.iter().map(|column| row.shown(column)).collect()
}

fn verdict(mac: &Mac) -> [String; 3] {
    let row = mac.watchdog();
    ["state", "reason", "mdm_client_stuck"].map(|column| row.shown(column))
}

fn source(mac: &Mac, name: &str) -> [String; 2] {
    let sources = mac.rows("mdm_health_status");
    let row = sources.iter().find(|row| row.text("source") == Some(name)).unwrap();
    ["state", "reason"].map(|column| row.shown(column))
}

#[test]
fn two_signs_show_that_an_enrollment_was_copied() {
    let no_record = |mac: Mac| mac.without_file(FOUND).file(NOT_FOUND, "");
    for copied in [
        // Set up after the profile was installed, and Apple knows no such Mac.
        no_record(mac().file(HISTORY, &history("2026-10-01"))),
        // The keychain came along without the key.
        with(&Keychain::at(NOW).certificate("Mac 42", "Example CA", -65..300)).file(HISTORY, &history("2026-10-01")),
        // The certificate names another serial number.
        with(&Keychain::at(NOW).identity("C02ZK1ABMD6T", "Example CA", -65..300))
            .command("profiles-list", &profiles_list(&scep("C02ZK1ABMD6T")))
            .file(HISTORY, &history("2026-10-01")),
        // It was made under a later macOS, and there is no record.
        no_record(mac().command(
            "management-status",
            &MANAGED.replace("IsDEP = 1;", "IsDEP = 1;\n OrigInstallOSVersion = \"26.4\";"),
        )),
    ] {
        let [state, reason, stuck] = verdict(&copied);
        let evidence = shown(&copied, &["copied", "copied_evidence"]);
        assert_eq!((evidence[0].as_str(), state.as_str()), ("1", "identity_error"), "{evidence:?}");
        assert_eq!((reason.as_str(), stuck.as_str()), ("enrollment_copied", "-"), "{evidence:?}");
        let row = copied.watchdog();
        let detail = row.text("detail").unwrap();
        assert!(detail.contains("Remove the MDM profile and enroll this Mac again"), "{detail}");
        assert_eq!(row.number("mdm_identity_error"), Some(1));
    }
}

#[test]
fn one_sign_is_a_hint_and_decides_nothing() {
    for hint in [
        mac().file(HISTORY, &history("2026-10-01")),
        mac().without_file(FOUND).file(NOT_FOUND, ""),
        with(&Keychain::at(NOW).identity("C02ZK1ABMD6T", "Example CA", -65..300))
            .command("profiles-list", &profiles_list(&scep("C02ZK1ABMD6T"))),
    ] {
        let evidence = shown(&hint, &["copied", "copied_evidence"]);
        assert_eq!(evidence[0], "-", "{evidence:?}");
        assert_eq!(verdict(&hint), ["ok", "recent_success", "0"], "{evidence:?}");
        let row = hint.watchdog();
        let detail = row.text("detail").unwrap();
        assert!(detail.contains("A sign that this enrollment was copied") && detail.contains(&evidence[1]), "{detail}");
    }
}

#[test]
fn a_mac_of_its_own_shows_no_sign() {
    for own in [
        mac(),
        // Upgraded in place for years.
        mac().file(HISTORY, &history("2022-01-01")),
        // Erased and enrolled again the same day.
        mac().file(HISTORY, &history("2026-03-31").replace("2026-03-31T10:00:00Z", "2026-03-31T00:30:00Z")),
        // An authority that dates its certificates back, and a PKCS #12 file that was made long before.
        with(&Keychain::at(NOW).identity("Mac 42", "Example CA", -241..300)),
        with(&Keychain::at(NOW).identity("Mac 42", "Example CA", -900..300))
            .command("profiles-list", &profiles_list(PKCS12)),
        // The certificate names this Mac.
        with(&Keychain::at(NOW).identity("C02XXXXXXXXX", "Example CA", -65..300))
            .command("profiles-list", &profiles_list(&scep("C02XXXXXXXXX"))),
    ] {
        assert_eq!(shown(&own, &["copied", "copied_evidence"]), ["0", "-"]);
        assert_eq!(verdict(&own), ["ok", "recent_success", "0"]);
    }
}

#[test]
fn without_anything_to_compare_it_is_unknown() {
    let bare = Mac::at(NOW).said("2026-11-23 17:50:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    assert_eq!(shown(&bare, &["copied", "copied_evidence"]), ["-", "-"]);
    let not_enrolled =
        mac().command("profiles-status", support::NOT_ENROLLED).without("management-status").without("profiles-list");
    assert_eq!(shown(&not_enrolled, &["copied", "copied_evidence"]), ["-", "-"]);
}

#[test]
fn apples_record_is_told_from_what_the_mac_noted() {
    let columns = ["ade_record", "ade_server_url"];
    assert_eq!(shown(&mac(), &columns), ["found", "https://mdm.example.com/ade"]);
    let none = mac().without_file(FOUND).file(NOT_FOUND, "");
    assert_eq!(shown(&none, &columns), ["not_found", "-"]);
    assert_eq!(source(&none, "ade_record"), ["ok", "-"]);
    assert_eq!(shown(&mac().without_file(FOUND), &columns), ["unknown", "-"]);
    assert_eq!(source(&mac().without_file(FOUND), "ade_record"), ["unavailable", "not_captured"]);
}

#[test]
fn markers_that_contradict_each_other_are_named() {
    let faked = mac().without_file(FOUND).file(NOT_FOUND, "").file(ACTIVATED, "");
    assert_eq!(shown(&faked, &["ade_record"]), ["unknown"]);
    assert_eq!(source(&faked, "ade_record"), ["partial", "markers_contradict"]);
    let row = faked.watchdog();
    assert!(row.text("detail").unwrap().contains("beside that an activation record"), "{row:?}");
}

#[test]
fn hosts_that_mdm_needs_and_the_hosts_file_overrides_are_named() {
    assert_eq!(source(&mac(), "hosts_file"), ["ok", "-"]);
    for line in
        ["0.0.0.0 iprofiles.apple.com", "127.0.0.1 1-courier.push.apple.com", "0.0.0.0 other.example MDM.example.com"]
    {
        let mac = mac().file(HOSTS, &format!("{NO_HOSTS}{line} # a comment\n"));
        assert_eq!(source(&mac, "hosts_file"), ["partial", "mdm_hosts_overridden"], "{line}");
        let row = mac.watchdog();
        assert!(row.text("detail").unwrap().contains("/private/etc/hosts overrides"), "{line}: {row:?}");
    }
    let harmless = mac().file(
        HOSTS,
        &format!("{NO_HOSTS}0.0.0.0 ads.example\n#0.0.0.0 iprofiles.apple.com\n0.0.0.0 notpush.apple.com.example\n"),
    );
    assert_eq!(source(&harmless, "hosts_file"), ["ok", "-"]);
    assert_eq!(source(&mac().without_file(HOSTS), "hosts_file"), ["unavailable", "not_captured"]);
}

#[test]
fn profiles_are_counted() {
    let columns = ["profiles_count", "profiles_changed_at"];
    let installed = time("2026-03-31T01:14:38Z").timestamp().to_string();
    assert_eq!(shown(&mac(), &columns), ["1".to_owned(), installed]);
    let none = mac().command("profiles-list", "There are no configuration profiles installed in the system domain\n");
    assert_eq!(shown(&none, &columns), ["0", "-"]);
    assert_eq!(shown(&mac().without("profiles-list"), &columns), ["-", "-"]);
}

/// The answer of a live Mac whose policy has that setting.
fn expected(setting: &str) -> [String; 2] {
    let mac = FakeMac::new();
    mac.answers("/usr/bin/profiles", "status", support::ENROLLED)
        .answers("/usr/bin/profiles", "-C", &profiles_list(&scep("Mac 42")))
        .file(
            "/Library/Managed Preferences/org.mdm-health.plist",
            &format!("<plist version=\"1.0\"><dict>{setting}</dict></plist>"),
        );
    let host = Live::new(mac.root().to_owned(), Some(time(NOW)));
    let findings = Findings::new(collect::evidence(&host, &ReadOptions::default(), &support::no_state()));
    let row = rows(&findings, "mdm_enrollment").remove(0);
    ["expected", "reason"].map(|column| row.shown(column))
}

#[test]
fn the_server_and_the_topic_are_compared_with_those_of_the_policy() {
    let url = |url: &str| format!("<key>ExpectedServerURL</key><string>{url}</string>");
    let topic = |topic: &str| format!("<key>ExpectedTopic</key><string>{topic}</string>");
    assert_eq!(expected(&url("https://MDM.example.com")), ["1", "automated"]);
    assert_eq!(
        expected(&(url("https://mdm.example.com/mdm") + &topic("com.apple.mgmt.External.1"))),
        ["1", "automated"]
    );
    assert_eq!(expected(&url("https://other.example.com/mdm")), ["0", "other_server"]);
    assert_eq!(expected(&topic("com.apple.mgmt.External.2")), ["0", "other_server"]);
    assert_eq!(expected(""), ["-", "automated"]);
}

#[test]
fn a_filevault_key_waits_until_an_answer_to_security_info_took_it_along() {
    const KEY: &str = "/private/var/db/FileVaultPRK.dat";
    let mac = live_mac::mac("2026-11-23 10:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    let pending = || {
        let host = Live::new(mac.root().to_owned(), Some(time(NOW)));
        let findings = Findings::new(collect::evidence(&host, &ReadOptions::default(), &support::no_state()));
        rows(&findings, "mdm_enrollment")[0].shown("filevault_key_pending")
    };
    assert_eq!(pending(), "0");
    mac.file(KEY, "never read");
    let written = |at: &str| {
        let file = fs::File::options().write(true).open(mac.path(KEY)).unwrap();
        file.set_modified(time(at).into()).unwrap();
    };
    written("2026-11-23T16:00:00Z");
    assert_eq!(pending(), "1");
    // The log does not reach back to it.
    written("2026-11-20T16:00:00Z");
    assert_eq!(pending(), "-");
    written("2026-11-23T16:00:00Z");
    mac.log_more(&support::ndjson(
        "2026-11-23 15:00:00 <<<<< Received HTTP response (200) [Acknowledged(SecurityInfo):A-8] <<<<<
         2026-11-23 16:30:00 <<<<< Received HTTP response (200) [Acknowledged(ProfileList):A-9] <<<<<",
    ));
    assert_eq!(pending(), "1");
    mac.log_more(&support::ndjson(
        "2026-11-23 17:00:00 <<<<< Received HTTP response (200) [Acknowledged(SecurityInfo):A-9] <<<<<",
    ));
    assert_eq!(pending(), "0");
}

#[test]
fn a_redacted_capture_holds_the_answers_and_never_the_key() {
    let mac = Captured::of(&support::fixture("quiet-healthy-day"), "UTC");
    mac.mac
        .file("/private/var/db/FileVaultPRK.dat", "a key that nobody may see")
        .file("/private/var/db/.AppleSetupDone", "")
        .file(HISTORY, &history("2026-03-30"))
        .file(HOSTS, &format!("{NO_HOSTS}0.0.0.0 iprofiles.apple.com mdm.example.com\n"))
        .file(FOUND, RECORD);
    let to = mac.mac.path("/capture");
    let capture = to.to_string_lossy().into_owned();
    let output = mac.live(&["capture", &capture, "--redact"]);
    assert!(output.status.success(), "{output:?}");
    let findings = support::findings(&to);
    let row = &rows(&findings, "mdm_enrollment")[0];
    assert_eq!(row.shown("ade_record"), "found");
    assert!(row.text("ade_server_url").is_some_and(|url| !url.contains("mdm.example.com")), "{row:?}");
    let sources = rows(&findings, "mdm_health_status");
    let hosts = sources.iter().find(|row| row.text("source") == Some("hosts_file")).unwrap();
    assert_eq!(hosts.shown("reason"), "mdm_hosts_overridden");
    assert!(!to.join("root/private/var/db/FileVaultPRK.dat").exists());
}

#[test]
fn a_profile_that_vanished_is_told_from_what_the_journal_saw() {
    let mac = live_mac::mac("2026-11-23 17:00:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    let list = profiles_list(&scep("Mac 42"));
    let more = list.replacen(
        "<array>",
        "<array><dict><key>ProfileIdentifier</key><string>com.example.wifi</string></dict>",
        1,
    );
    let shown = |now: &str| {
        let row = rows(&live_mac::ask(&mac, now), "mdm_enrollment").remove(0);
        (row.number("profiles_count"), row.number("profiles_changed_at"))
    };
    let installed = Some(time("2026-03-31T01:14:38Z").timestamp());
    mac.file("/usr/bin/profiles.-C.out", &more);
    assert_eq!(shown("2026-11-23T18:00:00Z"), (Some(2), installed));
    mac.file("/usr/bin/profiles.-C.out", &list);
    let removed = Some(time("2026-11-23T18:10:00Z").timestamp());
    assert_eq!(shown("2026-11-23T18:10:00Z"), (Some(1), removed));
    // Another process, and the set is the same.
    assert_eq!(shown("2026-11-23T19:00:00Z"), (Some(1), removed));
    mac.file("/usr/bin/profiles.-C.out", "There are no configuration profiles installed in the system domain\n");
    assert_eq!(shown("2026-11-23T20:00:00Z"), (Some(0), Some(time("2026-11-23T20:00:00Z").timestamp())));
}
