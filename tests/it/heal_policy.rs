//! The policy: each setting with valid, invalid and missing values, who may write it, and the sample profile.

use crate::support::heal_mac::{HealMac, mdmclient};
use mdm_health::facts::policy::{DOMAIN, Policy};
use mdm_health::heal::Request;
use mdm_health::host::Host;
use mdm_health::vocabulary::codes::HealAction;
use plist::{Dictionary, Value};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::time::Duration;

const MANAGED: &str = "Library/Managed Preferences/org.mdm-health.plist";
const LOCAL: &str = "Library/Preferences/org.mdm-health.plist";

fn plist(settings: &str) -> String {
    format!("<plist version=\"1.0\"><dict>{settings}</dict></plist>")
}

fn read(settings: &str) -> Policy {
    Policy::from_plist(plist(settings).as_bytes(), "/p")
}

/// The built-in policy with a change, as if read from the file `/p`.
fn built_in(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy { origin: "/p".to_owned(), ..Policy::default() };
    change(&mut policy);
    policy
}

fn setting(key: &str, value: &str) -> String {
    format!("<key>{key}</key>{value}")
}

#[test]
fn valid_settings_are_read() {
    type Change = fn(&mut Policy);
    let matrix: [(&str, &str, Change); 24] = [
        ("Enabled", "<true/>", |_| {}),
        ("Enabled", "<false/>", |policy| policy.enabled = false),
        ("AllowForce", "<true/>", |policy| policy.allow_force = true),
        ("AllowForce", "<false/>", |_| {}),
        ("AllowedActions", "<array/>", |policy| policy.allowed_actions.clear()),
        ("AllowedActions", "<array><string>heal</string></array>", |policy| {
            policy.allowed_actions = vec![HealAction::Heal]
        }),
        ("MinimumHours", "<integer>1</integer>", |policy| policy.minimum_hours = 1),
        ("MinimumHours", "<integer>8760</integer>", |policy| policy.minimum_hours = 8760),
        // `defaults write org.mdm-health MinimumHours 48` writes a string.
        ("MinimumHours", "<string>48</string>", |policy| policy.minimum_hours = 48),
        ("MinimumHours", "<string> 48 </string>", |policy| policy.minimum_hours = 48),
        ("AutomaticHealMinutes", "<string>60</string>", |policy| policy.automatic_minutes = Some(60)),
        ("JournalDays", "<string>7</string>", |policy| policy.journal_days = 7),
        ("AutomaticHealMinutes", "<integer>0</integer>", |_| {}),
        ("AutomaticHealMinutes", "<integer>30</integer>", |policy| policy.automatic_minutes = Some(30)),
        ("AutomaticHealMinutes", "<integer>10080</integer>", |policy| policy.automatic_minutes = Some(10080)),
        ("JournalDays", "<integer>1</integer>", |policy| policy.journal_days = 1),
        ("JournalDays", "<integer>365</integer>", |policy| policy.journal_days = 365),
        ("JournalEvents", "<integer>20000</integer>", |policy| policy.journal_events = 20_000),
        ("JournalEvents", "<integer>1000000</integer>", |policy| policy.journal_events = 1_000_000),
        ("RefreshMinutes", "<integer>5</integer>", |policy| policy.refresh_minutes = 5),
        ("RefreshMinutes", "<integer>1440</integer>", |policy| policy.refresh_minutes = 1440),
        ("PayloadUUID", "<string>4B7C7C5E-0D0F-4B0C-8F61-3F1C7B9A2D22</string>", |_| {}),
        ("PayloadVersion", "<integer>1</integer>", |_| {}),
        ("PayloadOrganization", "<string>Example</string>", |_| {}),
    ];
    for (key, value, change) in matrix {
        assert_eq!(read(&setting(key, value)), built_in(change), "{key} {value}");
    }
    assert_eq!(read(""), built_in(|_| {}));
}

#[test]
fn invalid_settings_are_errors_that_name_the_key_and_the_safe_value_applies() {
    type Safe = fn(&Policy) -> bool;
    let matrix: [(&str, &[&str], Safe); 13] = [
        ("Enabled", &["<string>YES</string>", "<integer>1</integer>", "<array/>"], |policy| !policy.enabled),
        ("AllowForce", &["<string>true</string>", "<integer>1</integer>"], |policy| !policy.allow_force),
        (
            "AllowedActions",
            &[
                "<string>heal</string>",
                "<true/>",
                "<array><string>heal</string><string>Heal</string></array>",
                "<array><integer>1</integer></array>",
                "<array><string>rm -rf /</string></array>",
            ],
            |policy| policy.allowed_actions.is_empty(),
        ),
        ("MinimumHours", &["<integer>0</integer>", "<integer>-5</integer>", "<string>0</string>"], |policy| {
            policy.enabled && policy.minimum_hours == 24
        }),
        (
            "MinimumHours",
            &["<integer>8761</integer>", "<integer>18446744073709551615</integer>", "<string>99999</string>"],
            |policy| policy.enabled && policy.minimum_hours == 8760,
        ),
        (
            "MinimumHours",
            &["<real>1.5</real>", "<real>48</real>", "<string>two days</string>", "<string/>", "<true/>", "<array/>"],
            |policy| !policy.enabled,
        ),
        (
            "AutomaticHealMinutes",
            &[
                "<integer>1</integer>",
                "<integer>29</integer>",
                "<integer>-30</integer>",
                "<integer>10081</integer>",
                "<string>hourly</string>",
            ],
            |policy| policy.automatic_minutes.is_none(),
        ),
        ("JournalDays", &["<integer>0</integer>", "<integer>-1</integer>"], |policy| {
            policy.enabled && policy.journal_days == 30
        }),
        ("JournalDays", &["<integer>366</integer>"], |policy| policy.enabled && policy.journal_days == 365),
        ("RefreshMinutes", &["<integer>0</integer>", "<integer>4</integer>"], |policy| policy.refresh_minutes == 30),
        ("JournalEvents", &["<integer>0</integer>", "<integer>19999</integer>", "<true/>"], |policy| {
            policy.journal_events == 200_000
        }),
        ("Enable", &["<false/>", "<true/>"], |policy| !policy.enabled),
        // The profile itself, put in the place of what macOS makes of it.
        ("PayloadContent", &["<array><dict><key>Enabled</key><false/></dict></array>"], |policy| !policy.enabled),
    ];
    for (key, values, safe) in matrix {
        for value in values {
            // Keys before and after it make no difference.
            for others in ["", "<key>Enabled</key><true/>"].iter().filter(|_| key != "Enabled") {
                let policy = read(&format!("{others}{}", setting(key, value)));
                assert!(safe(&policy), "{key} {value} {others}: {policy:?}");
                let unknown = read(&format!("<key>AAA</key><true/>{}", setting(key, value)));
                assert!(!unknown.enabled && unknown.errors.len() == 2, "{unknown:?}");
                let named = policy.errors.iter().filter(|error| error.starts_with(&format!("/p: {key} is"))).count();
                let named =
                    named + policy.errors.iter().filter(|error| error.starts_with(&format!("/p: {key} names"))).count();
                assert_eq!(named, 1, "{key} {value} {others}: {:?}", policy.errors);
            }
            let alone = read(&setting(key, value));
            assert!(safe(&alone) && alone.errors.len() == 1, "{alone:?}");
        }
    }
}

#[test]
fn an_invalid_journal_size_leaves_heal_on() {
    let policy = read("<key>JournalDays</key><integer>0</integer><key>MinimumHours</key><integer>48</integer>");
    assert!(policy.enabled);
    assert_eq!((policy.journal_days, policy.minimum_hours), (30, 48));
    assert_eq!(policy.errors, ["/p: JournalDays is 0, not a whole number from 1 to 365; 30 is used."]);
}

#[test]
fn a_policy_that_is_not_a_plist_turns_heal_off() {
    let twice = plist("<key>Enabled</key><false/><key>Enabled</key><true/>");
    for bytes in ["", "Enabled = true", "<plist version=\"1.0\"><array/></plist>", "bplist00\u{1}\u{2}", &twice] {
        let policy = Policy::from_plist(bytes.as_bytes(), "/p");
        assert!(!policy.enabled && policy.automatic_minutes.is_none(), "{bytes}");
        assert_eq!((policy.errors.len(), policy.origin.as_str()), (1, "an error in /p"), "{bytes}");
    }
}

#[test]
fn a_policy_nested_too_deeply_turns_heal_off() {
    let nested = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    for bytes in [plist(&setting("MinimumHours", &nested("<array>", "</array>"))), nested("(", ")")] {
        let policy = Policy::from_plist(bytes.as_bytes(), "/p");
        assert!(!policy.enabled && policy.errors[0].contains("64 levels deep"), "{:?}", policy.errors);
    }
}

#[test]
fn a_profile_replaces_local_settings() {
    let mac = HealMac::new();
    assert_eq!(Policy::read(&mac.live()), Policy::default());
    mac.write(LOCAL, plist("<key>MinimumHours</key><integer>5</integer><key>AllowForce</key><true/>"));
    let local = Policy::read(&mac.live());
    assert_eq!((local.minimum_hours, local.allow_force, local.origin), (5, true, format!("/{LOCAL}")));
    mac.write(MANAGED, plist("<key>MinimumHours</key><integer>48</integer>"));
    let managed = Policy::read(&mac.live());
    assert_eq!((managed.minimum_hours, managed.allow_force, managed.origin), (48, false, format!("/{MANAGED}")));
    mac.write(MANAGED, "not a plist");
    assert!(!Policy::read(&mac.live()).enabled, "a profile that cannot be read is none that allows");
}

/// A way to make a policy file untrusted, and words of the error.
type Spoil = (&'static str, fn(&std::path::Path));

const SPOILS: [Spoil; 11] = [
    ("is writable by others (mode 0664)", |path| set_mode(path, 0o664)),
    ("is writable by others (mode 0646)", |path| set_mode(path, 0o646)),
    ("lies in a folder that is writable by others (mode 0777)", |path| set_mode(path.parent().expect("one"), 0o777)),
    ("lies in a folder that is writable by others (mode 0775)", |path| set_mode(path.parent().expect("one"), 0o775)),
    ("is a symbolic link", |path| {
        let elsewhere = path.with_extension("elsewhere");
        fs::rename(path, &elsewhere).and_then(|()| symlink(elsewhere, path)).expect("a link");
    }),
    ("is a symbolic link", |path| {
        fs::remove_file(path).and_then(|()| symlink("/nowhere", path)).expect("a link that leads nowhere");
    }),
    ("lies in a folder that is a symbolic link", |path| {
        let folder = path.parent().expect("a folder");
        let elsewhere = folder.with_extension("elsewhere");
        fs::rename(folder, &elsewhere).and_then(|()| symlink(elsewhere, folder)).expect("a link");
    }),
    ("lies in a folder that is none, or a symbolic link", |path| {
        let folder = path.parent().expect("a folder");
        fs::remove_dir_all(folder).and_then(|()| symlink("/nowhere", folder)).expect("a link that leads nowhere");
    }),
    ("lies in a folder that is none, or a symbolic link", |path| {
        let folder = path.parent().expect("a folder");
        fs::remove_dir_all(folder).and_then(|()| fs::write(folder, "")).expect("a file in its place");
    }),
    ("is not a regular file", |path| {
        fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("a folder");
    }),
    ("is larger than 1048576 bytes", |path| {
        let text = fs::read_to_string(path).expect("a policy") + &" ".repeat(1 << 20);
        fs::write(path, text).expect("written");
    }),
];

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
}

/// The policy's row in `mdm_health_status`: state, reason and detail.
fn status(mac: &HealMac) -> [String; 3] {
    let query = "SELECT state, reason, detail FROM mdm_health_status WHERE source = 'heal_policy'";
    let rows = mac.program(&["query", "--json", query]).output().expect("run").stdout;
    let rows: serde_json::Value = serde_json::from_slice(&rows).expect("json");
    ["state", "reason", "detail"].map(|column| rows[0][column].as_str().expect("a text").to_owned())
}

#[test]
fn a_policy_that_others_can_write_turns_heal_off_and_the_status_says_why() {
    for place in [MANAGED, LOCAL] {
        for (words, spoil) in SPOILS {
            let mac = HealMac::new();
            mac.write(place, plist("<key>AllowForce</key><true/>"));
            assert!(Policy::read(&mac.live()).allow_force);
            spoil(&mac.root().join(place));
            let policy = Policy::read(&mac.live());
            assert!(!policy.enabled && !policy.allow_force, "{place}, {words}: {policy:?}");
            let [state, reason, detail] = status(&mac);
            assert_eq!((&*state, &*reason), ("error", "bad_policy"));
            assert!(
                detail.starts_with("Heal is off: ") && detail.contains(words) && detail.contains(place),
                "{detail}"
            );
        }
    }
}

/// An attack that once worked: the owner's profile forbids everything, but a group can write its file; the local policy
/// allows force, and a healthy Mac was restarted.
#[test]
fn an_untrusted_managed_policy_does_not_fall_through_to_the_local_one() {
    for (words, spoil) in SPOILS {
        let mac = HealMac::new();
        mac.say(&[mdmclient("17:59:00", "<<<<< Received HTTP response (200) [Idle] <<<<<")]);
        mac.write(MANAGED, plist("<key>Enabled</key><false/>"));
        mac.write(LOCAL, plist("<key>AllowForce</key><true/><key>MinimumHours</key><integer>1</integer>"));
        spoil(&mac.root().join(MANAGED));
        let healer = mac.healer(&mac.collector(Box::new(mac.live())), Duration::from_secs(60));
        let request = Request { force: true, ..Request::new("restart_mdmclient", None) };
        let refusal = healer.request(&request).expect_err("refused");
        assert_eq!(refusal.code.word(), "switched_off", "{words}");
        assert!(refusal.sentence.contains(MANAGED), "{refusal}");
        assert_eq!(mac.acts(), [""; 0], "{words}");
    }
}

/// Only root can change an owner, so only root can test this.
#[test]
fn a_policy_owned_by_another_user_turns_heal_off() {
    for place in [MANAGED, LOCAL] {
        for folder in [false, true] {
            let mac = HealMac::new();
            mac.write(place, plist("<key>AllowForce</key><true/>"));
            let path = mac.root().join(place);
            let given = if folder { path.parent().expect("a folder") } else { &path };
            if chown(given, Some(12345), None).is_err() {
                return;
            }
            let policy = Policy::read(&mac.live());
            assert!(!policy.enabled && !policy.allow_force, "{policy:?}");
            assert!(policy.errors[0].contains("is owned by uid 12345"), "{:?}", policy.errors);
            assert!(mac.live().read_trusted(&format!("/{place}")).is_err());
        }
    }
}

/// A folder without a policy in it turns nothing off, whoever can write there: older versions of Mac OS X made
/// `/Library/Preferences` writable by admins, and an upgraded Mac may still have that mode.
#[test]
fn a_folder_that_admins_can_write_matters_only_with_a_policy_in_it() {
    let mac = HealMac::new();
    for place in [MANAGED, LOCAL] {
        mac.write(place, "");
        fs::remove_file(mac.root().join(place)).expect("removed");
        set_mode(mac.root().join(place).parent().expect("a folder"), 0o775);
    }
    assert_eq!(Policy::read(&mac.live()), Policy::default());
}

#[test]
fn the_status_table_lists_what_the_policy_allows() {
    let mac = HealMac::new();
    let detail = || {
        let query = "SELECT detail FROM mdm_health_status WHERE source = 'heal_policy' AND state = 'ok'";
        String::from_utf8(mac.program(&["query", "--csv", query]).output().expect("run").stdout).expect("text")
    };
    assert_eq!(
        detail(),
        "detail\n\"By the built-in policy: restart_mdmclient, restart_softwareupdated, heal on request, each daemon once \
         in 24 hours; force is not allowed; the automatic heal is off. The journal keeps 30 days and 200000 events.\"\n"
    );
    mac.write(LOCAL, plist("<key>Enabled</key><false/>"));
    assert_eq!(
        detail(),
        format!("detail\n\"Heal is off, by /{LOCAL}. The journal keeps 30 days and 200000 events.\"\n")
    );
}

#[test]
fn the_sample_profile_equals_the_built_in_policy() {
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/mdm-health-policy.mobileconfig");
    let profile = Value::from_file(profile).expect("a plist").into_dictionary().expect("a dictionary");
    let text = |dictionary: &Dictionary, key: &str| {
        dictionary.get(key).and_then(Value::as_string).unwrap_or_else(|| panic!("no {key}")).to_owned()
    };
    assert_eq!(
        (text(&profile, "PayloadType").as_str(), text(&profile, "PayloadScope").as_str()),
        ("Configuration", "System")
    );
    let payloads = profile.get("PayloadContent").and_then(Value::as_array).expect("payloads");
    let [payload] = payloads.as_slice() else { panic!("one payload") };
    let payload = payload.as_dictionary().expect("a dictionary");
    assert_eq!(text(payload, "PayloadType"), DOMAIN);
    assert_ne!(text(payload, "PayloadUUID"), text(&profile, "PayloadUUID"));
    assert_ne!(text(payload, "PayloadIdentifier"), text(&profile, "PayloadIdentifier"));
    for key in [
        "Enabled",
        "AllowedActions",
        "MinimumHours",
        "AllowForce",
        "AutomaticHealMinutes",
        "JournalDays",
        "JournalEvents",
        "RefreshMinutes",
    ] {
        assert!(payload.contains_key(key), "{key}");
    }
    // macOS writes the payload to its own file.
    let mut file = Vec::new();
    Value::Dictionary(payload.clone()).to_writer_binary(&mut file).expect("a plist");
    let mac = HealMac::new();
    mac.write(MANAGED, file);
    assert_eq!(Policy::read(&mac.live()), Policy { origin: format!("/{MANAGED}"), ..Policy::default() });
}
