//! The page for many Macs, and what names a Mac in reports and captures.

use crate::support::captured::Captured;
use crate::support::fixture;
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn mdm_health(arguments: &[&str]) -> Output {
    #[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    command.args(arguments).env_remove("MDM_HEALTH_SOURCE").output().unwrap()
}

fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap()
}

fn words(node: Node<'_, '_>) -> String {
    let words: String = node.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn table<'d>(page: &'d Document<'_>, class: &str) -> Vec<Node<'d, 'd>> {
    let table = page.descendants().find(|node| node.attribute("class") == Some(class)).unwrap();
    let body = table.children().find(|node| node.has_tag_name("tbody")).unwrap();
    body.children().filter(Node::is_element).collect()
}

/// A folder with captures of every kind, and things that are none.
fn mixed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let link = |name: &str, to: &str| symlink(fixture(to), folder.path().join(name)).unwrap();
    link("c-ok", "updates/macos-13-installed");
    link("b-stuck", "update-command-never-answered");
    link("a-past-due", "updates/enforcement-past-due");
    link("d-failed", "updates/failed-install-retried");
    link("A-Not enrolled & <b>\"odd\"", "not-enrolled");
    #[allow(clippy::disallowed_methods, reason = "the tests pack a capture with the system's own tar")]
    let packed = Command::new("tar")
        .args(["-C", fixture("").to_str().unwrap(), "-czf", folder.path().join("e.tar.gz").to_str().unwrap()])
        .arg("identity-expired")
        .status();
    assert!(packed.unwrap().success());
    fs::write(folder.path().join("README.txt"), "hello\n").unwrap();
    fs::create_dir(folder.path().join("nothing")).unwrap();
    let whole = fs::read(folder.path().join("e.tar.gz")).unwrap();
    fs::write(folder.path().join("half.tar.gz"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.path().join(".DS_Store"), "hidden").unwrap();
    folder
}

#[test]
fn each_capture_is_a_line_and_what_cannot_be_read_is_a_line_that_says_so() {
    let (folder, out) = (mixed(), tempfile::tempdir().unwrap());
    let file = out.path().join("my fleet.html");
    let arguments = ["report", "--fleet", folder.path().to_str().unwrap(), file.to_str().unwrap()];
    let made = mdm_health(&arguments);
    let said = String::from_utf8(made.stderr).unwrap();
    assert_eq!(made.status.code(), Some(0), "{said}");
    assert!(said.contains("9 Macs") && said.contains("3 could not be read"), "{said}");

    let page = fs::read_to_string(&file).unwrap();
    let document = parse(&page);
    let lines = table(&document, "macs");
    let names: Vec<String> = lines.iter().map(|line| words(line.first_element_child().unwrap())).collect();
    let expected = [
        "b-stuck",
        "e.tar.gz",
        "a-past-due",
        "A-Not enrolled & <b>\"odd\"",
        "d-failed",
        "README.txt",
        "half.tar.gz",
        "nothing",
        "c-ok",
    ];
    assert_eq!(names, expected, "the worst first");
    let line = |name: &str| words(lines[names.iter().position(|one| one == name).unwrap()]);
    assert!(line("a-past-due").contains("Stuck: macOS 26.1 (25B78) due 13 Nov 09:00"), "{}", line("a-past-due"));
    assert!(line("d-failed").contains("Not stuck, but needs attention: macOS 15.6.1"), "{}", line("d-failed"));
    for (name, why) in [("README.txt", "not a log"), ("nothing", "no capture.json"), ("half.tar.gz", "half.tar.gz")] {
        assert!(line(name).contains("Cannot be read") && line(name).contains(why), "{}", line(name));
    }

    // Every link leads to a page that is there, private, and small.
    let links: Vec<&str> = document
        .descendants()
        .filter_map(|node| node.attribute("href"))
        .filter(|address| !address.starts_with('#'))
        .collect();
    assert_eq!(links.len(), 6);
    for link in links {
        let page = out.path().join(link.replace("%20", " "));
        let found = fs::metadata(&page).unwrap_or_else(|why| panic!("{link}: {why}"));
        assert!(found.permissions().mode() & 0o777 == 0o600 && found.len() < 300_000, "{link}: {found:?}");
    }
    let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    for address in document.descendants().filter_map(|node| node.attribute("href")?.strip_prefix('#')) {
        assert_eq!(ids.iter().filter(|id| **id == address).count(), 1, "{address}");
    }
    assert!(!page.contains("<script") && !page.contains("onload"));

    let counts = words(document.descendants().find(|node| node.attribute("id") == Some("overview")).unwrap());
    assert!(counts.contains("5 need attention3 cannot be judged1 need nothing"), "{counts}");

    let again = mdm_health(&arguments);
    assert_eq!(again.status.code(), Some(1), "nothing is replaced without --force");
    assert_eq!(mdm_health(&[&arguments[..], &["--force"]].concat()).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), page);
}

#[test]
fn each_order_gives_every_line_another_place() {
    let (folder, out) = (mixed(), tempfile::tempdir().unwrap());
    let file = out.path().join("fleet.html");
    mdm_health(&["report", "--fleet", folder.path().to_str().unwrap(), file.to_str().unwrap()]);
    let page = fs::read_to_string(&file).unwrap();
    let document = parse(&page);
    let lines = table(&document, "macs");
    for variable in ["n", "v", "s", "c"] {
        let rank = |line: &Node<'_, '_>| {
            let style = line.attribute("style").unwrap().split(';');
            style
                .filter_map(|one| one.strip_prefix(&format!("--{variable}:")))
                .next()
                .unwrap()
                .parse::<usize>()
                .unwrap()
        };
        let mut ranks: Vec<usize> = lines.iter().map(rank).collect();
        if variable == "n" {
            let first = lines.iter().find(|line| rank(line) == 0).unwrap();
            assert!(words(*first).starts_with("A-Not enrolled"), "{}", words(*first));
        }
        ranks.sort_unstable();
        assert_eq!(ranks, (0..lines.len()).collect::<Vec<_>>(), "--{variable}");
        assert!(page.contains(&format!(":checked) .macs tbody tr {{ order: var(--{variable}); }}")), "--{variable}");
    }
}

#[test]
fn a_thousand_macs_are_less_than_a_megabyte() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kinds = ["updates/enforcement-past-due", "update-command-never-answered", "not-enrolled", "identity-expired"];
    for number in 0..1000 {
        let name = format!("a-mac-with-a-rather-long-name-as-they-have-them-{number:04}");
        symlink(fixture(kinds[number % kinds.len()]), folder.path().join(name)).unwrap();
    }
    let file = out.path().join("fleet.html");
    let made = mdm_health(&["report", "--fleet", folder.path().to_str().unwrap(), file.to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert_eq!(table(&parse(&page), "macs").len(), 1000);
}

#[test]
fn a_folder_without_captures_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for (path, why) in [(folder.path().to_owned(), "holds no capture"), (folder.path().join("x"), "cannot be read")] {
        let refused = mdm_health(&["report", "--fleet", path.to_str().unwrap(), "-"]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(2) && said.contains(why), "{said}");
    }
}

#[test]
fn a_capture_and_its_report_say_which_mac_it_is_unless_it_is_redacted() {
    let folder = tempfile::tempdir().unwrap();
    let mac = Captured::of(&fixture("enrolled-by-ade"), "UTC0");
    let (capture, printed) = mac.capture(folder.path(), "capture", &[]);
    assert!(
        printed.contains(
            "The Mac: Mac 42, MacBookPro18,3, serial number C02XXXXXXXXX, macOS 15.6.1 (24G90), enrolled in https://"
        ),
        "{printed}"
    );
    let described = |capture: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(capture.join("capture.json")).unwrap()).unwrap()
    };
    let named = described(&capture);
    assert_eq!((&named["mac"]["name"], &named["mac"]["serial_number"]), (&"Mac 42".into(), &"C02XXXXXXXXX".into()));
    let report = |capture: &Path| {
        let page = mac.recorded(capture, &["report", "-"]);
        let page = String::from_utf8(page.stdout).unwrap();
        words(parse(&page).descendants().find(|node| node.has_tag_name("header")).unwrap())
    };
    let header = report(&capture);
    assert!(header.starts_with("MDM health of Mac 42ModelMacBookPro18,3Serial numberC02XXXXXXXXX"), "{header}");
    assert!(header.contains("SystemmacOS 15.6.1 (24G90)Enrolled inhttps://"), "{header}");

    let (redacted, printed) = mac.capture(folder.path(), "redacted", &["--redact"]);
    let text = fs::read_to_string(redacted.join("capture.json")).unwrap();
    for secret in ["Mac 42", "C02XXXXXXXXX"] {
        assert!(!printed.contains(secret) && !text.contains(secret), "{secret}: {printed} {text}");
        assert!(!report(&redacted).contains(secret), "{}", report(&redacted));
    }
    let (mut whole, mut without) = (named, described(&redacted));
    assert_eq!(without["mac"]["model"], "MacBookPro18,3");
    for one in [&mut whole, &mut without] {
        one.as_object_mut().unwrap().remove("mac");
    }
    assert_eq!(without, whole, "nothing else is changed");
    // What was captured before is read, too.
    assert!(report(&fixture("quiet-healthy-day")).starts_with("MDM health of a Mac"));
}

/// The colours of the page's style sheet: light, dark, and on paper.
fn palettes() -> Vec<BTreeMap<String, [f64; 3]>> {
    let style = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/style.css")).unwrap();
    let mut palettes: Vec<BTreeMap<String, [f64; 3]>> = Vec::new();
    for block in style.split(":root {").skip(1) {
        let block = block.split('}').next().unwrap();
        // What a later block leaves out stays.
        let mut palette = palettes.first().cloned().unwrap_or_default();
        for (name, value) in block.split(';').filter_map(|one| one.split_once(": #")) {
            let digits = match value.len() {
                3 => value.chars().fold(String::new(), |mut all, digit| {
                    let _ = write!(all, "{digit}{digit}");
                    all
                }),
                6 => value.to_owned(),
                _ => continue,
            };
            let part = |at: usize| f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
            palette.insert(name.trim().trim_start_matches("--").to_owned(), [part(0), part(2), part(4)]);
        }
        palettes.push(palette);
    }
    palettes
}

/// WCAG's contrast of two colours.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let linear = |part: f64| if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
    let light =
        |[red, green, blue]: [f64; 3]| 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) + 0.05;
    let ratio = light(one) / light(other);
    if ratio < 1.0 { 1.0 / ratio } else { ratio }
}

#[test]
fn every_text_has_the_contrast_that_wcag_asks_for() {
    let palettes = palettes();
    assert_eq!(palettes.len(), 3, "light, dark, paper");
    let pairs = [
        ("text", "back"),
        ("text", "card"),
        ("soft", "back"),
        ("soft", "card"),
        ("good", "card"),
        ("calm", "card"),
        ("bad", "card"),
        ("doubt", "card"),
        ("calm", "back"),
        ("good", "good-back"),
        ("calm", "calm-back"),
        ("bad", "bad-back"),
        ("doubt", "doubt-back"),
        ("soft", "good-back"),
        ("soft", "calm-back"),
        ("soft", "bad-back"),
        ("soft", "doubt-back"),
        ("on", "two"),
        ("on", "three"),
        ("on", "four"),
        ("on", "five"),
    ];
    for (number, palette) in palettes.iter().enumerate() {
        for (text, behind) in pairs {
            let ratio = contrast(palette[text], palette[behind]);
            assert!(ratio >= 4.5, "palette {number}: {text} on {behind} has {ratio:.2}");
        }
    }
}
