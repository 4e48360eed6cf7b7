//! `capture --redact` against secrets of every kind in every piece of a capture. Each stands in one place only, so that it
//! is found there or not at all; the test prints how many of each kind stay.

mod kinds;
mod values;

use crate::redaction::{all_files, binary, inside};
use crate::support::captured::Captured;
use crate::support::{self, fixture};
use kinds::{KINDS, Planted};
use memchr::memmem;
use plist::{Dictionary, Value};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use values::Values;

/// Where secrets are planted: the piece, and in what way its text gets into it.
const PLACES: [(&str, &str); 16] = [
    ("log.ndjson", "mdmclient"),
    ("log.ndjson", "remotemanagementd"),
    ("log.ndjson", "softwareupdated"),
    ("root/private/var/log/install.log", "softwareupdated"),
    ("root/private/var/log/install.log", "Installer"),
    ("commands/profiles-status.out", "line"),
    ("commands/profiles-status.err", "line"),
    ("commands/management-status.out", "note"),
    ("commands/management-status.err", "line"),
    ("commands/profiles-list.out", "note"),
    ("commands/identities.out", "identity"),
    ("commands/certificates.out", "certificate"),
    ("root/Library/Preferences/com.apple.SoftwareUpdate.plist", "note"),
    ("root/private/var/db/softwareupdate/SoftwareUpdateDDMStatePersistence.plist", "note"),
    ("restarts.json", "reason"),
    ("restarts.json", "detail"),
];

/// The kind, the place, and the secrets.
type Secrets = (usize, usize, Vec<String>);

/// A capture with all of them, and what was planted.
fn planted(folder: &Path) -> (Captured, PathBuf, Vec<Secrets>) {
    let mac = Captured::of(&fixture("updates/enforcement-past-due"), "EST5");
    let (capture, _) = mac.capture(folder, "whole", &[]);
    let mut values = Values::new();
    let mut all = Vec::new();
    let mut texts = vec![Vec::new(); PLACES.len()];
    for (kind, definition) in KINDS.iter().enumerate() {
        for (place, texts) in texts.iter_mut().enumerate() {
            let Planted { text, secrets } = (definition.plant)(&mut values);
            texts.push(text);
            all.push((kind, place, secrets));
        }
    }
    for ((piece, way), texts) in PLACES.iter().zip(texts) {
        plant(&capture.join(piece), way, &texts);
    }
    (mac, capture, all)
}

fn plant(path: &Path, way: &str, texts: &[String]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let before = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&before).into_owned();
    let lines = |line: &dyn Fn(&String) -> String| texts.iter().map(|text| line(text) + "\n").collect::<String>();
    let bytes = match way {
        "mdmclient" => log(&text, "/usr/libexec/mdmclient", texts),
        "remotemanagementd" => {
            log(&text, "/System/Library/PrivateFrameworks/RemoteManagement.framework/remotemanagementd", texts)
        }
        "softwareupdated" if path.ends_with("log.ndjson") => {
            log(&text, "/System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated", texts)
        }
        "softwareupdated" | "Installer" => {
            text + &lines(&|text| format!("2025-11-13 09:10:00-05 mac {way}[301]: {text}"))
        }
        "line" => text + &lines(&|text| text.clone()),
        "note" if path.ends_with("management-status.out") => {
            let quoted = |text: &String| format!("Note = \"{}\";", text.replace('\\', "\\\\").replace('"', "\\\""));
            text.replace("ManagedViaMDM", &(lines(&quoted) + "ManagedViaMDM"))
        }
        "note" if path.ends_with("profiles-list.out") => {
            let xml = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let notes = lines(&|text| format!("<dict><key>Note</key><string>{}</string></dict>", xml(text)));
            text.replace(
                "<key>_computerlevel</key>\n  <array>",
                &format!("<key>_computerlevel</key>\n  <array>{notes}"),
            )
        }
        "note" => {
            let value = mdm_health::property_list::parse(&before).unwrap();
            let mut fields = value.into_dictionary().unwrap();
            let notes: Dictionary =
                texts.iter().enumerate().map(|(at, text)| (format!("Note {at}"), Value::from(text.as_str()))).collect();
            fields.insert("Notes".to_owned(), notes.into());
            return fs::write(path, binary(fields.into())).unwrap();
        }
        "identity" => {
            text + &lines(&|text| {
                format!("  7) {} \"{text}\"", "0123456789ABCDEF01234567".to_owned() + "89ABCDEF01234567")
            })
        }
        "certificate" => text + &texts.iter().map(|text| certificate(text)).collect::<String>(),
        _ => {
            let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
            let requests = record["requests"].as_array_mut().unwrap();
            for text in texts {
                let mut request = serde_json::json!({"id": requests.len() + 1, "action": "heal", "reason": null,
                    "force": false, "dry_run": false, "requested_at": null, "finished_at": null, "outcome": "done",
                    "method": null, "pid_before": null, "pid_after": null, "exit_code": null, "detail": null,
                    "next_allowed_at": null});
                request[way] = text.as_str().into();
                requests.push(request);
            }
            serde_json::to_string(&record).unwrap()
        }
    };
    fs::write(path, bytes).unwrap();
}

fn log(before: &str, image: &str, texts: &[String]) -> String {
    let record = |text: &String| support::record(image, "2025-11-13 19:00:00.000000+0000", 300, 7, text) + "\n";
    texts.iter().map(record).collect::<String>() + before
}

/// As it is searched: in lower case, and without the escapes of JSON, XML and property lists.
fn plain(text: &str) -> String {
    let mut text = text.to_lowercase().replace("\\\\", "\\");
    for (escape, letter) in
        [("\\\"", "\""), ("\\/", "/"), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\"")]
    {
        text = text.replace(escape, letter);
    }
    text
}

/// Thousands of texts are searched for in all of a capture.
fn holds(text: &str, part: &str) -> bool {
    memmem::find(text.as_bytes(), part.as_bytes()).is_some()
}

fn certificate(name: &str) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

#[test]
fn what_help_names_stays_nowhere_and_the_rest_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (mac, whole, planted) = planted(folder.path());
    let redacted = folder.path().join("redacted");
    let output = mac.recorded(&whole, &["capture", "--redact", redacted.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));

    let read = |capture: &Path| {
        let mut texts = BTreeMap::new();
        for path in all_files(capture) {
            let within = path.strip_prefix(capture).unwrap().display().to_string();
            texts.insert(within, plain(&inside(&fs::read(&path).unwrap(), 2)));
        }
        texts
    };
    let (before, after) = (read(&whole), read(&redacted));
    let everywhere: String = after.values().map(String::as_str).collect::<Vec<_>>().join("\n");
    let mut counts = vec![(0, 0); KINDS.len()];
    let mut places = vec![0; PLACES.len()];
    let mut stay = Vec::new();
    for (kind, place, secrets) in &planted {
        for secret in secrets {
            let secret = plain(secret);
            let is_planted = holds(&before[PLACES[*place].0], &secret);
            // In a certificate the byte behind a name may be read as a part of base64 in it.
            assert!(is_planted || PLACES[*place].1 == "certificate", "{secret} is planted in {:?}", PLACES[*place]);
            if !is_planted {
                continue;
            }
            counts[*kind].0 += 1;
            if holds(&everywhere, &secret) {
                counts[*kind].1 += 1;
                places[*place] += 1;
                stay.push((*kind, *place, secret));
            }
        }
    }
    let total = counts.iter().fold((0, 0), |total, count| (total.0 + count.0, total.1 + count.1));
    println!("{} secrets of {} kinds in {} places; {} stay", total.0, KINDS.len(), PLACES.len(), total.1);
    for (kind, (planted, stayed)) in KINDS.iter().zip(&counts) {
        let promised = if kind.promised { "" } else { " (not promised)" };
        println!("{stayed:4} of {planted:4}  {}{promised}", kind.name);
    }
    for ((piece, way), stayed) in PLACES.iter().zip(&places) {
        println!("{stayed:4} stay in {piece}, {way}");
    }
    let broken: Vec<_> = stay
        .iter()
        .filter(|(kind, ..)| KINDS[*kind].promised)
        .map(|(kind, place, secret)| (KINDS[*kind].name, PLACES[*place], secret))
        .collect();
    for one in broken.iter().take(60) {
        println!("{one:?}");
    }
    assert!(broken.is_empty(), "{} secrets stay that must not", broken.len());
}

/// What only the Mac itself can tell: names in sentences.
#[test]
fn what_a_mac_calls_itself_and_its_people_is_found_in_sentences_too() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    mac.mac
        .command(
            "/usr/sbin/ioreg",
            "+-o Mac  <class IOPlatformExpertDevice>\n    {\n      \"IOPlatformSerialNumber\" = \"XK7QPLM2VD\"\n      \
             \"IOPlatformUUID\" = \"7D1F0A52-0C6B-4E55-8F0B-3A4C5D6E7F80\"\n      \
             \"model\" = <\"MacBookPro18,3\">\n      \"serial-number\" = <584b3751504c4d325644>\n    }\n",
        )
        .answers("/usr/sbin/scutil", "--get", "Brontosaurus\n")
        .command(
            "/usr/bin/dscacheutil",
            "name: _mdnsresponder\npassword: *\nuid: 65\ngid: 65\ndir: /var/empty\nshell: /usr/bin/false\ngecos: mDNSResponder\n\n\
             name: quillfeather\npassword: ********\nuid: 501\ngid: 20\ndir: /Users/quillfeather\nshell: /bin/zsh\n\
             gecos: Wilhelmina Åkesdotter\n\nname: 王小明\npassword: ********\nuid: 502\ngid: 20\ndir: /Users/xiaoming88\n\
             shell: /bin/zsh\ngecos: 欧阳小明\n\n",
        )
        .file(
            "/Library/Preferences/com.apple.wifi.known-networks.plist",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>\
             <key>wifi.network.ssid.Ocelot Lounge</key><dict/></dict></plist>",
        );
    let names = [
        "XK7QPLM2VD",
        "7D1F0A52-0C6B-4E55-8F0B-3A4C5D6E7F80",
        "Brontosaurus",
        "quillfeather",
        "Wilhelmina",
        "Åkesdotter",
        "王小明",
        "xiaoming88",
        "欧阳小明",
        "Ocelot Lounge",
    ];
    let line = |name: &str| format!("2026-11-20 10:00:00-08 mac Installer[301]: nothing of {name} was found\n");
    let log: String = names
        .iter()
        .map(|name| line(name))
        .chain(["2026-11-20 10:00:00-08 mac x[1]: 王小明离开了ÅKESDOTTER\n".to_owned()])
        .collect();
    mac.mac.file("/private/var/log/install.log", &log);
    let (redacted, printed) = mac.capture(folder.path(), "redacted", &["--redact"]);
    let text = fs::read_to_string(redacted.join("root/private/var/log/install.log")).unwrap().to_lowercase();
    for name in names {
        assert!(!text.contains(&name.to_lowercase()), "{name}: {text}");
    }
    assert!(text.contains("nothing of") && !printed.contains("Redacted without"), "{text}\n{printed}");
    assert!(!redacted.join("commands/users.out").exists() && !redacted.join("commands/host-name.out").exists());
    let piece = |name: &str| fs::read_to_string(redacted.join("commands").join(name)).unwrap();
    let platform = "    {\n      \"IOPlatformSerialNumber\" = \"SERIAL1\"\n      \
                    \"IOPlatformUUID\" = \"00000000-0000-0000-0000-000000000001\"\n      \
                    \"model\" = \"MacBookPro18,3\"\n    }\n";
    assert_eq!((piece("platform.out").as_str(), piece("computer-name.out").as_str()), (platform, "host1\n"));

    // What the Mac does not say is said.
    fs::remove_file(mac.mac.path("/usr/sbin/ioreg")).unwrap();
    let (_, printed) = mac.capture(folder.path(), "without", &["--redact"]);
    assert!(
        printed.contains("Redacted without what this Mac calls itself: ") && printed.contains("ioreg"),
        "{printed}"
    );
}

#[test]
fn the_host_of_install_log_is_found_behind_every_form_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let (whole, _) = mac.capture(folder.path(), "whole", &[]);
    let times = [
        "2026-11-20 10:00:00-08",
        "2026-11-20 10:00:00+05:30",
        "2026-11-20 10:00:00-0330",
        "2026-11-20 10:00:00.123+05:45",
        "2026-11-20T10:00:00Z",
        "2026-11-20T10:00:00+13:00",
        "Nov 20 10:00:00",
        "Nov  7 10:00:00",
    ];
    let line =
        |(at, time): (usize, &&str)| format!("{time} h{at}-my softwareupdated[301]: SUScan: Elapsed scan time = 4.5\n");
    let log: String = times.iter().enumerate().map(line).collect();
    fs::write(whole.join("root/private/var/log/install.log"), log).unwrap();
    let redacted = folder.path().join("redacted");
    let output = mac.recorded(&whole, &["capture", "--redact", redacted.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(redacted.join("root/private/var/log/install.log")).unwrap();
    assert!(!text.contains("-my") && times.iter().all(|time| text.contains(&format!("{time} host"))), "{text}");
}
