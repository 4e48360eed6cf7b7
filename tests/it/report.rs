//! The report page: what it shows, that it is valid, and that text from the evidence stays text.

use crate::support;
use crate::support::{Mac, findings, fixture, rows, tables};
use mdm_health::health::Findings;
use mdm_health::report;
use mdm_health::tables::{
    MDM_HEAL, MDM_HEALTH_STATUS, OS_UPDATE_EVENTS, OS_UPDATE_STATUS, Table, TableDefinition, Value,
};
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const NOW: &str = "2026-11-23T18:00:00Z";

fn page(findings: &Findings) -> String {
    report::page("the source", findings, &tables())
}

/// Parses a page by the strict rules of XML, which our pages keep in addition to HTML's.
fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}\n{page}"))
}

fn by_id<'d>(page: &'d Document<'_>, id: &str) -> Node<'d, 'd> {
    page.descendants().find(|node| node.attribute("id") == Some(id)).unwrap_or_else(|| panic!("no {id}"))
}

fn words(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect()
}

/// The details of everything drawn with a class.
fn drawn(page: &Document<'_>, class: &str) -> Vec<String> {
    let has = |node: &Node<'_, '_>| node.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class));
    let details =
        page.descendants().filter(has).filter_map(|node| node.children().find(|one| one.has_tag_name("title")));
    details.map(words).collect()
}

fn fixtures() -> Vec<String> {
    let mut names = Vec::new();
    for (folder, prefix) in [(fixture(""), ""), (fixture("updates"), "updates/")] {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.path().join("capture.json").exists() {
                names.push(format!("{prefix}{}", entry.file_name().to_str().unwrap()));
            }
        }
    }
    assert!(names.len() > 20, "{names:?}");
    names
}

#[test]
fn every_fixture_gives_a_valid_page_with_its_verdict() {
    for name in fixtures() {
        let findings = findings(&fixture(&name));
        let (page, row) = (page(&findings), rows(&findings, "mdm_watchdog").remove(0));
        let document = parse(&page);
        is_closed_up(&document);
        let state = row.text("state").unwrap();
        assert_eq!(words(by_id(&document, "verdict-word")).to_lowercase().replace(' ', "_"), state, "{name}");
        let verdict = words(by_id(&document, "verdict"));
        assert!(verdict.contains(row.text("reason").unwrap()), "{name}: {verdict}");
        let updates = words(by_id(&document, "updates-word"));
        let stuck = match row.number("mdm_software_updates_stuck") {
            Some(0) => "Not stuck",
            Some(_) => "Stuck",
            None => "Unknown",
        };
        assert!(updates.starts_with(stuck), "{name}: {updates}");
        assert!(document.descendants().any(|node| node.attribute("class") == Some("timeline")), "{name}");
    }
}

/// Checks that there is no script, no event handler and no address outside the page, and that every id is unique and
/// every reference has a target.
fn is_closed_up(page: &Document<'_>) {
    let elements = || page.descendants().filter(Node::is_element);
    let ids: Vec<&str> = elements().filter_map(|node| node.attribute("id")).collect();
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len(), "{ids:?}");
    for node in elements() {
        let tag = node.tag_name().name();
        assert!(!["script", "img", "link", "iframe", "object", "embed", "form", "base"].contains(&tag), "{tag}");
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on") && !["src", "style"].contains(&attribute.name()), "{tag}");
            if attribute.name() == "href" {
                assert!(attribute.value().strip_prefix('#').is_some_and(|id| known.contains(id)), "{attribute:?}");
            }
        }
    }
    assert_eq!(page.root_element().attribute("lang"), Some("en"));
    let policy = elements().find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy")).unwrap();
    let policy = policy.attribute("content").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline';"), "{policy}");
    let style = words(elements().find(|node| node.has_tag_name("style")).unwrap());
    assert!(!style.contains("@import") && style.matches("url(").count() == style.matches("url(#").count());
}

const HOSTILE: &str = "\"><svg onload=alert(1)><script>alert('x')</script>&amp;\u{1b}[31m\u{202e}\u{61c}]]>-->";

/// A Mac that has this text in every source, wherever a server, a user or another program can put it.
fn mac_that_says(text: &str) -> Mac {
    let enrolled = format!("Enrolled via DEP: Yes\nMDM enrollment: Yes\nMDM server: https://mdm.example.com/{text}\n");
    let plist = format!(
        "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>ProductVersion</key><string>15.6{}</string></dict></plist>",
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\u{1b}', "")
    );
    let said = format!(
        "2026-11-23 17:00:00 Processing server request: DeviceInformation for: <Device> ({text}) PowerNap: no
         2026-11-23 17:00:01 >>>>> Sending HTTP request (PUT) [Acknowledged(DeviceInformation):{text}] >>>>>
         2026-11-23 17:00:02 <<<<< Received HTTP response (200) [Acknowledged(DeviceInformation):{text}] <<<<<
         2026-11-23 17:20:00 Processing server request: Schedule{text} for: <Device> (A-2) PowerNap: no"
    );
    Mac::at(NOW)
        .said(&said)
        .command("profiles-status", &enrolled)
        .file("/System/Library/CoreServices/SystemVersion.plist", &plist)
}

#[test]
fn text_from_a_log_or_a_server_stays_text() {
    let findings = mac_that_says(HOSTILE).findings();
    let hostile = report::page(HOSTILE, &findings, &tables());
    let document = parse(&hostile);
    is_closed_up(&document);
    let seen = |node: Node<'_, '_>| {
        words(node).matches("<script>alert('x')</script>&amp;\\u{1b}[31m\\u{202e}\\u{61c}").count()
    };
    // The source, the server, and in the tables the command, its request and again the server.
    assert!(seen(document.root_element()) >= 6, "{hostile}");
    assert!(!hostile.contains(['\u{1b}', '\u{202e}', '\u{61c}']));
    let harmless = parse_shape(&report::page("x", &mac_that_says("x").findings(), &tables()));
    assert_eq!(parse_shape(&hostile), harmless, "the text changed the elements of the page");
}

/// The elements of a page in order, with their classes.
fn parse_shape(page: &str) -> Vec<String> {
    let document = parse(page);
    let shape = document.descendants().filter(Node::is_element);
    shape.map(|node| format!("{} {}", node.tag_name().name(), node.attribute("class").unwrap_or_default())).collect()
}

#[test]
fn the_same_evidence_gives_the_same_page() {
    let once = || page(&findings(&fixture("updates/failed-install-retried")));
    assert_eq!(once(), once());
}

/// A day with a contact every five minutes, 200 commands, and an update that reports every twenty seconds for an hour.
fn busy_day() -> Mac {
    let mut said = String::new();
    let stamp = |second: u32| {
        let at = support::time("2026-11-22T18:00:00Z") + chrono::TimeDelta::seconds(second.into());
        at.format("%F %T").to_string()
    };
    for contact in 0..288 {
        let second = contact * 300 + 1;
        for (after, line) in [
            (0, ">>>>> Sending HTTP request (PUT) [Idle] >>>>>".to_owned()),
            (1, "<<<<< Received HTTP response (200) [Idle] <<<<<".to_owned()),
            (2, format!("Processing server request: InstallProfile for: <Device> (UUID-{contact:08}) PowerNap: no")),
            (3, format!(">>>>> Sending HTTP request (PUT) [Acknowledged(InstallProfile):UUID-{contact:08}] >>>>>")),
            (4, format!("<<<<< Received HTTP response (200) [Acknowledged(InstallProfile):UUID-{contact:08}] <<<<<")),
        ] {
            if contact < 200 || after < 2 {
                let _ = writeln!(said, "{} {line}", stamp(second + after));
            }
        }
    }
    for report in 0..180 {
        let _ = writeln!(
            said,
            "{} </System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated> {}",
            stamp(43_200 + report * 20),
            progress(report)
        );
    }
    Mac::at(NOW).log_span("2026-11-22T18:00:00Z", NOW).said(&said)
}

fn progress(report: u32) -> String {
    let portion = report * 1_000_000 / 180;
    format!(
        "[SUMacControllerProgressManager] Reported progress (inter): phase:PREPARING_UPDATE stalled:NO \
         portionComplete:0.{portion:06} estimatedTimeRemaining:-1.000000"
    )
}

#[test]
fn a_busy_day_stays_small() {
    let findings = busy_day().findings();
    let page = page(&findings);
    assert_eq!((findings.exchanges.len(), findings.commands.len()), (488, 200));
    assert!(findings.update_timeline.len() >= 180, "{}", findings.update_timeline.len());
    assert!(page.len() < 300_000, "{} bytes", page.len());
    assert!(page.contains("388 earlier ones are left out"), "a shortened table says so");
    assert!(page.matches("<use ").count() < 500, "{}", page.matches("<use ").count());
}

#[test]
fn a_request_without_a_response_is_drawn_until_now() {
    let page = page(&findings(&fixture("update-command-never-answered")));
    let document = parse(&page);
    assert_eq!(drawn(&document, "unanswered"), ["ScheduleOSUpdate: received 23 Nov 16:02, no answer for 1 h 57 min"]);
    assert_eq!(drawn(&document, "answered").len(), 1, "two requests at one place are one mark");
    assert!(words(by_id(&document, "timeline-words")).contains("no answer for 1 h 57 min"), "the picture in words");
    let picture = document.descendants().find(|node| node.attribute("class") == Some("timeline")).unwrap();
    assert_eq!(picture.attribute("role"), Some("img"));
    assert!(picture.attribute("aria-label").unwrap().contains("Commands: 1 answered, 1 pending"));
}

#[test]
fn each_command_is_a_mark_or_a_bar_by_its_duration() {
    let mac = Mac::at(NOW).log_span("2026-11-23T06:00:00Z", NOW).said(
        "2026-11-23 07:10:00 Processing server request: InstallProfile for: <Device> (A-1) PowerNap: no
         2026-11-23 09:10:00 >>>>> Sending HTTP request (PUT) [Acknowledged(InstallProfile):A-1] >>>>>
         2026-11-23 09:10:01 <<<<< Received HTTP response (200) [Acknowledged(InstallProfile):A-1] <<<<<
         2026-11-23 12:30:00 Processing server request: RestartDevice for: <Device> (A-2) PowerNap: no
         2026-11-23 12:30:01 >>>>> Sending HTTP request (PUT) [NotNow(RestartDevice):A-2] >>>>>
         2026-11-23 12:30:02 <<<<< Received HTTP response (503) [NotNow(RestartDevice):A-2] <<<<<
         2026-11-23 13:00:00 >>>>> Sending HTTP request (PUT) [Idle] >>>>>",
    );
    let page = page(&mac.findings());
    let document = parse(&page);
    assert_eq!(drawn(&document, "done"), ["07:10:00 InstallProfile: Acknowledged after 2 h"]);
    assert_eq!(drawn(&document, "putoff"), ["12:30:00 RestartDevice: NotNow after 1 s"]);
    assert_eq!(drawn(&document, "failed"), ["12:30:01 Answer to RestartDevice: 503 after 1000 ms"]);
    assert_eq!(drawn(&document, "unanswered"), ["13:00:00 Idle: no answer"]);
}

#[test]
fn requests_of_a_users_agent_are_drawn_differently() {
    let page = page(&findings(&fixture("user-channel-beside-device")));
    let answered = drawn(&parse(&page), "answered");
    assert_eq!(answered.len(), 2, "a mark in each line: {answered:?}");
    assert!(page.contains("2 of them on the user channel"));
}

#[test]
fn the_phases_of_an_update_and_its_failure_are_drawn_in_order() {
    let page = page(&findings(&fixture("updates/failed-install-retried")));
    let document = parse(&page);
    let phases = |class| drawn(&document, class);
    assert_eq!(phases("downloading"), ["downloading, 26 Aug 09:00 to 26 Aug 09:05, 28 % at 26 Aug 09:05"]);
    assert_eq!(
        phases("preparing"),
        [
            "preparing, 26 Aug 09:05 to 26 Aug 09:15, 29 % at 26 Aug 09:05",
            "preparing, 26 Aug 10:00 to 26 Aug 10:04, 64 % at 26 Aug 10:04"
        ]
    );
    assert_eq!(phases("installing"), ["installing, 26 Aug 09:30 to 26 Aug 09:42, 1 % at 26 Aug 09:30"]);
    assert!(
        phases("failed").contains(&"09:42:10 failed: Software update failed.".to_owned()),
        "{:?}",
        phases("failed")
    );
    assert!(page.contains("15.6.1: 27 Aug 18:00, in 1 d 7 h, waiting →"), "a future deadline is at the edge");
}

#[test]
fn stuck_updates_are_shown_beside_a_healthy_client() {
    let page = page(&findings(&fixture("updates/enforcement-past-due")));
    let document = parse(&page);
    assert_eq!(words(by_id(&document, "verdict-word")), "OK");
    assert_eq!(words(by_id(&document, "updates-word")), "Stuck");
    assert!(page.contains("VALUES (&#39;restart_softwareupdated&#39;, &#39;why&#39;)"), "what to do");
    assert_eq!(drawn(&document, "deadline").len(), 2, "the deadline, and the later one that the Mac set");
    assert_eq!(drawn(&document, "uncovered"), ["The log covers nothing before 13 Nov 12:00."]);
}

#[test]
fn every_time_is_in_the_macs_own_zone() {
    let page = page(&findings(&fixture("updates/macos-14-prepared-for-its-deadline")));
    assert!(page.contains(
        "The server accepted a request at <time datetime=\"2024-12-16T16:50:00Z\">2024-12-16 10:50:00 −06:00</time>."
    ));
    assert!(
        page.contains("the Mac’s local time (UTC−06:00)")
            && page.contains("<td class=\"moment\">2024-12-16 10:50:00 −06:00</td>")
    );
    assert!(page.contains("<td class=\"null\">NULL</td>"));
}

#[test]
fn an_unknown_verdict_explains_itself() {
    let page = page(&Mac::at(NOW).without_log().findings());
    let document = parse(&page);
    assert_eq!(words(by_id(&document, "verdict-word")), "Unknown");
    assert!(words(by_id(&document, "verdict")).contains("has no log.ndjson"), "{page}");
    assert!(words(by_id(&document, "sources")).contains("unified_log"));
    assert_eq!(drawn(&document, "uncovered"), ["The log covers none of this."]);
    assert!(page.contains("<i>none in the log</i>") && page.contains("<i>unknown</i>"));
}

#[test]
fn sleep_is_shaded() {
    let page = page(&Mac::at(NOW).awake_since("2026-11-23T17:30:00Z").findings());
    assert_eq!(drawn(&parse(&page), "asleep"), ["The Mac has been awake since 23 Nov 17:30."]);
    assert!(page.contains("Run again when the Mac has been awake for 90 minutes."));
}

/// A table with given rows.
struct Given(&'static TableDefinition, Vec<Vec<(&'static str, Value)>>);

impl Table for Given {
    fn definition(&self) -> &'static TableDefinition {
        self.0
    }

    fn rows(&self, _: &Findings) -> Vec<Vec<Value>> {
        let value = |row: &[(&str, Value)], name: &str| {
            row.iter().find(|(column, _)| *column == name).map_or(Value::Null, |(_, value)| value.clone())
        };
        self.1.iter().map(|row| self.0.columns.iter().map(|column| value(row, column.name)).collect()).collect()
    }
}

fn at(text: &str) -> Value {
    Value::Integer(support::time(text).timestamp())
}

fn text(text: &'static str) -> Value {
    Value::Text(text.into())
}

/// The page of a Mac on which these tables have other rows.
fn page_with(given: Vec<Given>) -> String {
    let mut tables = tables();
    tables.retain(|table| given.iter().all(|one| one.0.name != table.definition().name));
    tables.extend(given.into_iter().map(|one| Box::new(one) as Box<dyn Table>));
    report::page("x", &Mac::at(NOW).findings(), &tables)
}

#[test]
fn a_failure_ends_a_phase_and_the_next_attempt_starts_a_new_one() {
    let report = |moment, phase| {
        vec![("at", at(moment)), ("kind", text("progress")), ("product_key", text("K")), ("phase", text(phase))]
    };
    let events = vec![
        report("2026-11-23T16:00:00Z", "PREPARING_UPDATE"),
        report("2026-11-23T17:00:00Z", "PREPARING_UPDATE"),
        report("2026-11-23T17:20:00Z", "PREPARED"),
        report("2026-11-23T17:20:00Z", "COMPLETED"),
    ];
    let update = [("product_key", text("K")), ("phase", text("prepared")), ("failed_at", at("2026-11-23T16:30:00Z"))];
    let page = page_with(vec![Given(&OS_UPDATE_EVENTS, events), Given(&OS_UPDATE_STATUS, vec![update.into()])]);
    let document = parse(&page);
    let expected = ["16:00 to 23 Nov 16:30 at 23 Nov 16:00", "17:00 to 23 Nov 17:20 at 23 Nov 17:00"];
    assert_eq!(drawn(&document, "preparing"), expected.map(|rest| format!("preparing, 23 Nov {rest}")));
    assert_eq!(drawn(&document, "unreported"), ["no further report since 23 Nov 17:20"]);
}

#[test]
fn restarts_are_drawn_from_the_record() {
    let request = |moment, outcome| {
        vec![("requested_at", at(moment)), ("action", text("restart_mdmclient")), ("outcome", text(outcome))]
    };
    let heal = vec![
        request("2026-11-23T16:30:00Z", "done"),
        request("2026-11-23T17:30:00Z", "refused"),
        request("2026-11-23T17:40:00Z", "dry_run"),
    ];
    let ledger = vec![vec![("source", text("heal_ledger")), ("state", text("ok"))]];
    let page = page_with(vec![Given(&MDM_HEAL, heal), Given(&MDM_HEALTH_STATUS, ledger)]);
    let document = parse(&page);
    assert_eq!(drawn(&document, "done"), ["16:30:00 restart_mdmclient: done. "]);
    assert_eq!(drawn(&document, "failed"), ["17:30:00 restart_mdmclient: refused. "]);
    assert!(
        words(by_id(&document, "timeline-words")).contains("Restarts by mdm-health: 1 done, 1 not done, 1 dry run")
    );
    assert!(words(by_id(&document, "evidence")).contains("never"), "the record is there and names no restart");
}

fn mdm_health(arguments: &[&str]) -> Output {
    #[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    let source = fixture("quiet-healthy-day");
    command
        .args(arguments)
        .args(["--source", source.to_str().unwrap()])
        .env_remove("MDM_HEALTH_SOURCE")
        .output()
        .unwrap()
}

#[test]
fn the_file_is_private_and_replaces_another_only_with_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let file = path.to_str().unwrap();
    assert_eq!(mdm_health(&["report", file]).status.code(), Some(0));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let first = fs::read_to_string(&path).unwrap();
    assert_eq!(words(by_id(&parse(&first), "verdict-word")), "OK");

    fs::write(&path, "mine").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = mdm_health(&["report", file]);
    assert_eq!((refused.status.code(), fs::read_to_string(&path).unwrap().as_str()), (Some(1), "mine"));
    let sentence = String::from_utf8(refused.stderr).unwrap();
    assert!(sentence.contains("exists already: pass --force"), "{sentence}");

    assert_eq!(mdm_health(&["report", file, "--force"]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    assert_eq!(String::from_utf8(mdm_health(&["report", "-"]).stdout).unwrap(), first);
}

#[test]
fn only_a_regular_file_is_ever_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link"), folder.path().join("target"));
    fs::write(&target, "theirs").unwrap();
    symlink(&target, &link).unwrap();
    for path in [link.as_path(), folder.path()] {
        let refused = mdm_health(&["report", path.to_str().unwrap(), "--force"]);
        let sentence = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{sentence}");
        assert!(sentence.contains("not a regular file"), "{sentence}");
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
    let nowhere = folder.path().join("nowhere/report.html");
    assert_eq!(mdm_health(&["report", nowhere.to_str().unwrap()]).status.code(), Some(1));
}

/// A headless browser, where there is one.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path);
    places.find_map(|folder| {
        ["chromium", "chromium-browser"].map(|name| folder.join(name)).into_iter().find(|file| file.is_file())
    })
}

/// The page as the browser parsed it, and the addresses that it requested.
fn rendered(chromium: &Path, page: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("page.html"), folder.path().join("net.json"));
    fs::write(&file, page).unwrap();
    #[allow(clippy::disallowed_methods, reason = "the tests start a browser")]
    let mut browser = Command::new(chromium);
    browser
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        // The browser's own requests fail.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg(format!("--user-data-dir={}", folder.path().join("user").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()));
    let output = browser.stderr(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    (String::from_utf8(output.stdout).unwrap(), asked_for(&fs::read_to_string(&log).unwrap()))
}

/// The requests in a Chromium network log, without the browser's own, which belong to no page.
fn asked_for(log: &str) -> Vec<String> {
    let log: serde_json::Value = serde_json::from_str(log).unwrap();
    let kind = &log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"];
    assert!(kind.is_number(), "the log has another form");
    let requests = log["events"].as_array().unwrap().iter().filter(|event| event["type"] == *kind);
    let pages =
        requests.filter(|event| event["params"]["url"].is_string() && event["params"]["initiator"] != "not an origin");
    pages.map(|event| event["params"]["url"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_browser_shows_the_page_and_the_page_requests_nothing() {
    let Some(chromium) = chromium() else {
        println!("There is no Chromium here, so no page was opened in one and nothing is checked.");
        return;
    };
    // First check that a request would be noticed.
    let asking = "<!DOCTYPE html><title>x</title><img src=\"http://asked.example/pixel.png\">";
    assert_eq!(rendered(&chromium, asking).1, ["http://asked.example/pixel.png"]);
    for (name, verdict, mark) in [
        ("update-command-never-answered", "Stuck", "ScheduleOSUpdate: received 23 Nov 16:02, no answer for 1 h 57 min"),
        ("updates/failed-install-retried", "OK", "installing, 26 Aug 09:30 to 26 Aug 09:42, 1 % at 26 Aug 09:30"),
    ] {
        let (dom, asked) = rendered(&chromium, &page(&findings(&fixture(name))));
        assert!(dom.contains(&format!("<h2 id=\"verdict-word\">{verdict}</h2>")), "{name}: {dom}");
        assert!(dom.contains(&format!("<title>{mark}</title>")), "{name}: {dom}");
        assert_eq!(asked, [""; 0], "{name}");
    }
    // A log line with markup in it causes no request either.
    let smuggled = "\"><img src=http://asked.example/x><style>*{background:url(http://asked.example/y)}</style>";
    assert_eq!(rendered(&chromium, &page(&mac_that_says(smuggled).findings())).1, [""; 0]);
}
