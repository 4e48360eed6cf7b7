//! `capture --redact`: secrets planted in every place where a Mac keeps any are gone, and the rows stay the same.

use crate::support;
use crate::support::captured::Captured;
use crate::support::fixture;
use crate::support::keychain;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use mdm_health::tables;
use plist::{Dictionary, Value};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SERIAL: &str = "C02ZK1ABMD6T";
const UDID: &str = "5A3E7C1D-77B2-4F0E-9C55-0D4B6A1E9F31";
const SILICON_UDID: &str = "00008103-000A1D2E3C08801E";
const HOST: &str = "Grace-Hoppers-MacBook";
const SHORT_HOST: &str = "g-1";
const SERVER: &str = "mdm.acme-rockets.test";
const MAIL: &str = "grace.hopper@acme-rockets.test";
const ORGANISATION: &str = "Acmé Rockets & \"Söhne\"";
const USER: &str = "ghopper";
const MAGIC: &str = "9B1C0A77-51F3-44C8-8A5E-2E66D0F4B9AA";
const TOPIC: &str = "com.apple.mgmt.External.3c5f0d2e-8f1b-4b53-a0a9-6f6f1c0d9e77";
const TOKEN: &str = "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==";
const CHALLENGE: &str = "correct-horse-battery";
const WIFI: &str = "tr0ub4dor";
const PHONE: &str = "3065551212";
const KEY_IN_URL: &str = "a81bc81bdead4e5dabff90865d1e13b1";
const PIN: &str = "493817";
const SHORT_PIN: &str = "73519";

const SECRETS: [&str; 18] = [
    SERIAL,
    UDID,
    SILICON_UDID,
    HOST,
    SHORT_HOST,
    SERVER,
    "acme-rockets",
    MAIL,
    USER,
    MAGIC,
    TOPIC,
    TOKEN,
    CHALLENGE,
    WIFI,
    PHONE,
    KEY_IN_URL,
    PIN,
    SHORT_PIN,
];

/// Spellings of the organisation's name.
const ORGANISATIONS: [&str; 7] = ["Acmé", "Rockets", "Söhne", "Acm\\U00e9", "Acm\\u00e9", "Acm%C3%A9", "ROCKETS"];

/// A capture with secrets in every piece.
fn planted(folder: &Path) -> (Captured, PathBuf) {
    let mac = Captured::of(&fixture("updates/enforcement-past-due"), "EST5");
    let (capture, _) = mac.capture(folder, "whole", &[]);
    let write = |piece: &str, bytes: &[u8]| {
        fs::create_dir_all(capture.join(piece).parent().unwrap()).unwrap();
        fs::write(capture.join(piece), bytes).unwrap();
    };
    let old_plist_organisation = "Acm\\U00e9 Rockets & \\\"S\\U00f6hne\\\"";
    write("commands/profiles-status.out", format!(
        "Enrolled via DEP: Yes\nMDM enrollment: Yes (User Approved)\nMDM server: https://{SERVER}/mdm/{KEY_IN_URL}\n").as_bytes());
    write("commands/profiles-status.err", format!("profiles: {HOST} ({SERIAL}) of {MAIL}\n").as_bytes());
    write("commands/management-status.out", format!(
        "Management status: {{\n    DEPEnrolledMDMs = (\n    );\n    DeviceIsSupervised = 1;\n    EnrolledInDEP = 1;\n    MDMs = {{\n\
         \"597B4018-0000-4000-8000-000000000001\" = {{\n IsDEP = 1;\n IsUserApproved = 1;\n OrganizationInfo = {{\n\
         OrganizationEmail = \"{MAIL}\";\n OrganizationPhone = {PHONE};\n OrganizationMagic = {PIN};\n\
         OrganizationName = \"{old_plist_organisation}\";\n }};\n ProfileOrgName = \"{old_plist_organisation}\";\n\
         SerialNumber = {SERIAL};\n UDID = \"{UDID}\";\n PushMagic = \"{MAGIC}\";\n\
         ServerURL = \"https://{SERVER}/mdm/{KEY_IN_URL}\";\n }};\n }};\n ManagedViaMDM = 1;\n}}\n").as_bytes());
    let organisation = "Acmé Rockets &amp; \"Söhne\"";
    write("commands/profiles-list.out", keychain::profiles_list(&keychain::scep(SERIAL))
        .replace("<string>Example</string>", &format!("<string>{organisation}</string>"))
        .replace("https://mdm.example.com/mdm", &format!("https://{SERVER}/mdm/{KEY_IN_URL}"))
        .replace("com.apple.mgmt.External.1", TOPIC)
        .replace("<key>Name</key>", &format!("<key>Challenge</key><string>{CHALLENGE}</string><key>PIN</key><integer>{PIN}</integer><key>Name</key>"))
        .replace("<key>_computerlevel</key>\n  <array>", &format!(
            "<key>_computerlevel</key>\n  <array><dict><key>ProfileDisplayName</key><string>Wi-Fi of {organisation}</string>\
             <key>ProfileItems</key><array><dict><key>PayloadType</key><string>com.apple.wifi.managed</string>\
             <key>PayloadContent</key><dict><key>Key</key><string>{WIFI}</string><key>Blob</key><data>{}</data></dict>\
             </dict></array></dict>", STANDARD.encode(WIFI))).as_bytes());

    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, ORGANISATION);
    params.distinguished_name.push(DnType::CommonName, SERIAL);
    params.subject_alt_names.push(SanType::Rfc822Name(MAIL.try_into().unwrap()));
    params.subject_alt_names.push(SanType::DnsName(SERVER.try_into().unwrap()));
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2055, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    write(
        "commands/certificates.out",
        (certificate.pem() + &fs::read_to_string(capture.join("commands/certificates.out")).unwrap()).as_bytes(),
    );
    let sha1 = digest(certificate.der());
    write("commands/identities.out", format!(
        "\nPolicy: X.509 Basic\n  Matching identities\n  1) {sha1} \"{SERIAL}\"\n     1 identities found\n\n  Valid identities only\n  1) {sha1} \"{SERIAL}\"\n     1 valid identities found\n").as_bytes());

    write("commands/computer-name.out", format!("{HOST}\n").as_bytes());
    write(
        "commands/platform.out",
        format!("      \"IOPlatformSerialNumber\" = \"{SERIAL}\"\n      \"IOPlatformUUID\" = \"{UDID}\"\n").as_bytes(),
    );
    let mut inner = Dictionary::new();
    inner.insert("SerialNumber".to_owned(), SERIAL.into());
    inner.insert("Note".to_owned(), format!("of {USER}").into());
    let mut preferences = Dictionary::new();
    preferences.insert("AutomaticDownload".to_owned(), true.into());
    preferences.insert("ComputerName".to_owned(), HOST.into());
    preferences.insert("PIN".to_owned(), 73519.into());
    preferences.insert("PushToken".to_owned(), TOKEN.into());
    preferences.insert("Inner".to_owned(), Value::Data(binary(inner.into())));
    preferences.insert("Mail".to_owned(), Value::Data(MAIL.into()));
    preferences.insert("Encoded".to_owned(), STANDARD.encode(format!("it is {SERIAL} of {MAIL}")).into());
    preferences.insert(format!("of {UDID}"), 1.into());
    write("root/Library/Preferences/com.apple.SoftwareUpdate.plist", &binary(preferences.into()));

    let path = "root/private/var/db/softwareupdate/SoftwareUpdateDDMStatePersistence.plist";
    let mut state = mdm_health::property_list::parse(&fs::read(capture.join(path)).unwrap()).unwrap();
    let fields = state.as_dictionary_mut().unwrap();
    fields.insert("UDID".to_owned(), SILICON_UDID.into());
    let key = format!(
        "com.apple.RemoteManagement/1:{}.{}",
        STANDARD.encode(format!("Update of {ORGANISATION}")),
        STANDARD.encode(USER)
    );
    fields.insert(key, ORGANISATION.into());
    write(path, &binary(state));

    let log = fs::read_to_string(capture.join("root/private/var/log/install.log")).unwrap();
    write(
        "root/private/var/log/install.log",
        format!(
            "{}2025-11-13 09:10:00-05 {HOST} Installer[9]: /Users/{USER}/Downloads/x.pkg for {MAIL} udid={UDID}\n\
         2025-11-13 09:11:00-05 {SHORT_HOST} Installer[9]: done\n",
            log.replace(" host softwareupdated", &format!(" {HOST} softwareupdated"))
        )
        .as_bytes(),
    );

    let say = |message: &str| {
        support::record("/usr/libexec/mdmclient", "2025-11-13 19:00:00.000000+0000", 300, 7, message) + "\n"
    };
    let mut lines = String::new();
    for message in [
        &format!("Registering {SERIAL} with https://{SERVER}/mdm/{KEY_IN_URL} as {HOST}"),
        &format!(
            "TokenUpdate {{\n    PushMagic = \"{MAGIC}\";\n    Token = \"{TOKEN}\";\n    Topic = \"{TOPIC}\";\n    UDID = \"{UDID}\";\n}}"
        ),
        &format!("device {SILICON_UDID} of {ORGANISATION}, that is {}", ORGANISATION.to_uppercase()),
        &format!(
            "{{\"SerialNumber\":\"{SERIAL}\",\"OrganizationName\":\"Acm\\u00e9 Rockets & \\\"S\\u00f6hne\\\"\",\"passcode\":\"{PIN}\"}}"
        ),
        &format!(
            "console user {USER} of {old_plist_organisation}, https://x.test/?name=Acm%C3%A9%20Rockets%20%26%20%22S%C3%B6hne%22"
        ),
        &format!("challenge = {CHALLENGE}; wifi Password: {WIFI}; LocalHostName = {SHORT_HOST}; PIN = {SHORT_PIN}"),
        &STANDARD.encode(format!("inside is {SERIAL} and {ORGANISATION}")),
        &certificate.pem(),
        &STANDARD.encode(certificate.der()),
    ] {
        lines += &say(message);
    }
    let log = fs::read_to_string(capture.join("log.ndjson")).unwrap();
    write("log.ndjson", (lines + &log).as_bytes());
    write("restarts.json", format!(
        "{{\"restarts\":{{\"mdmclient\":{{\"by_last_heal\":true,\"last_at\":\"2025-11-13T10:00:00Z\"}},\"softwareupdated\":{{\"by_last_heal\":false,\
         \"last_at\":null}}}},\"requests\":[{{\"id\":1,\"action\":\"heal\",\"reason\":\"{MAIL} asked for {SERIAL}\",\"force\":false,\
         \"dry_run\":false,\"requested_at\":null,\"finished_at\":null,\"outcome\":\"done\",\"method\":null,\"pid_before\":null,\
         \"pid_after\":null,\"exit_code\":null,\"detail\":\"on {HOST}\",\"next_allowed_at\":null}}]}}").as_bytes());
    (mac, capture)
}

pub fn binary(value: Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.to_writer_binary(&mut bytes).unwrap();
    bytes
}

fn digest(der: &[u8]) -> String {
    use sha1::{Digest, Sha1};
    Sha1::digest(der).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The text in these bytes, and the text encoded in them.
pub fn inside(bytes: &[u8], depth: u8) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if depth == 0 {
        return text;
    }
    if let Ok(value) = Value::from_reader(Cursor::new(bytes))
        && bytes.starts_with(b"bplist")
    {
        let mut xml = Vec::new();
        value.to_writer_xml(&mut xml).unwrap();
        text += &inside(&xml, depth - 1);
    }
    // As it is, and across line breaks, as in PEM and in the data of a property list.
    let joined: String = text.split_whitespace().collect();
    let encoded = |text: &str| {
        let tokens = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !['+', '/', '='].contains(&letter));
        let tokens = tokens
            .filter(|token| token.len() >= 8)
            .filter_map(|token| STANDARD.decode(token).or_else(|_| STANDARD_NO_PAD.decode(token)).ok());
        tokens.map(|bytes| inside(&bytes, depth - 1)).collect::<String>()
    };
    let more = encoded(&text) + &encoded(&joined);
    text + &more
}

pub fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

/// The secrets that are left, and where.
fn left(capture: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for path in all_files(capture) {
        let text = inside(&fs::read(&path).unwrap(), 3).to_lowercase();
        for secret in SECRETS.iter().chain(&ORGANISATIONS) {
            if text.contains(&secret.to_lowercase()) {
                left.push(format!("{secret} in {}", path.strip_prefix(capture).unwrap().display()));
            }
        }
    }
    left
}

fn redacted() -> (TempDir, Captured, PathBuf, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let (mac, whole) = planted(folder.path());
    let redacted = folder.path().join("redacted");
    let output = mac.recorded(&whole, &["capture", "--redact", redacted.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, mac, whole, redacted, String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_planted_secret_is_redacted() {
    let (_folder, _, whole, redacted, printed) = redacted();
    let planted = left(&whole);
    for secret in SECRETS {
        assert!(planted.iter().any(|found| found.starts_with(secret)), "{secret} is planted");
    }
    for piece in all_files(&whole) {
        let piece = piece.strip_prefix(&whole).unwrap().display().to_string();
        let has_none = [
            "capture.json",
            "MANIFEST.txt",
            "commands/awake.out",
            "commands/network.out",
            "commands/system-version.out",
            "commands/bootstrap-token.out",
            "commands/disk-space.out",
            "commands/power.out",
        ]
        .contains(&piece.as_str())
            || piece.ends_with("SystemVersion.plist");
        assert!(has_none || planted.iter().any(|found| found.ends_with(&piece)), "{piece} holds a secret");
    }
    assert_eq!(left(&redacted), Vec::<String>::new());
    assert!(printed.contains("\nRedacted: ") && printed.contains("hosts ("), "{printed}");
}

#[test]
fn a_redacted_capture_gives_the_same_rows_with_other_names() {
    let (_folder, mac, whole, redacted, _) = redacted();
    let ask = |capture: &Path, sql: &str| {
        let output = mac.recorded(capture, &["query", sql, "--csv"]);
        assert_eq!(output.status.code(), Some(0), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for table in tables::DEFINITIONS {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        assert_eq!(ask(&redacted, &sql), ask(&whole, &sql), "{}", table.name);
    }
    for sql in [
        "SELECT * FROM mdm_watchdog",
        "SELECT enrolled, state, reason, enrolled_via_dep, user_approved, supervised, access_rights, sign_message, \
         server_capabilities, profile_uuid, installed_at, identity_certificate_uuid, identity_payload_type, sources_agree FROM mdm_enrollment",
        "SELECT serial, not_before, not_after, has_private_key, is_mdm_identity, matched_by, state, reason FROM mdm_identity",
        "SELECT * FROM mdm_commands_recent",
        "SELECT * FROM mdm_exchanges",
        "SELECT * FROM os_update_status",
        "SELECT at, process, kind, product_key, phase, percent, machine, from_state, event, to_state FROM os_update_events",
        "SELECT target_os_version, target_local_datetime, deadline_at, past_due, state FROM os_update_enforcement",
        "SELECT source, state, reason, records_read, events_kept, lines_skipped, lines_not_understood FROM mdm_health_status",
        "SELECT id, action, outcome FROM mdm_heal",
    ] {
        assert_eq!(ask(&redacted, sql), ask(&whole, sql), "{sql}");
    }
    let identity = "SELECT common_name, is_mdm_identity, state FROM mdm_identity WHERE is_mdm_identity = 1";
    assert_eq!(ask(&whole, identity).lines().nth(1), Some("C02ZK1ABMD6T,1,valid"));
    assert!(
        ask(&redacted, "SELECT server_url FROM mdm_enrollment").contains("https://host"),
        "a server is still a server"
    );
}

#[test]
fn the_same_value_gets_the_same_placeholder_everywhere() {
    let (_folder, _, _, redacted, _) = redacted();
    let read = |piece: &str| fs::read_to_string(redacted.join(piece)).unwrap();
    let restarts = read("restarts.json");
    let serial = restarts.split("asked for ").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(serial.starts_with("SERIAL") || serial.starts_with("name"), "{serial}");
    for piece in [
        "commands/profiles-list.out",
        "commands/management-status.out",
        "commands/identities.out",
        "log.ndjson",
        "commands/profiles-status.err",
    ] {
        assert!(read(piece).contains(&serial), "{piece} says {serial}");
    }
}

#[test]
fn a_redacted_capture_can_be_redacted_again() {
    let (folder, mac, _, redacted, _) = redacted();
    let again = folder.path().join("again");
    let output = mac.recorded(&redacted, &["capture", "--redact", again.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(left(&again), Vec::<String>::new());
}

#[test]
fn a_name_that_is_also_an_apple_keyword_stays_in_sentences() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let (whole, _) = mac.capture(folder.path(), "whole", &[]);
    let list = whole.join("commands/profiles-list.out");
    let text = fs::read_to_string(&list).unwrap().replace("<string>Example</string>", "<string>MDM</string>");
    fs::write(list, text).unwrap();
    let redacted = folder.path().join("redacted");
    let output = mac.recorded(&whole, &["capture", "--redact", redacted.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::read_to_string(redacted.join("commands/profiles-status.out")).unwrap().contains("MDM enrollment: Yes"));
}

#[test]
fn a_redaction_that_would_change_the_verdict_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let (whole, _) = mac.capture(folder.path(), "whole", &[]);
    let list = whole.join("commands/profiles-list.out");
    let text = fs::read_to_string(&list).unwrap().replace("<string>Example</string>", "<string>Received</string>");
    fs::write(list, text).unwrap();
    let redacted = folder.path().join("redacted");
    let output = mac.recorded(&whole, &["capture", "--redact", redacted.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Nothing was written"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
