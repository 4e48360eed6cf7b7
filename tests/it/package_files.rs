//! The package's files: what it contains, how it is built and signed, and that the files beside it are valid.

use crate::support::target_volume::{UNIVERSAL, Volume, below, command, lay_out, packaging, refusal, stand_in, text};
use plist::{Dictionary, Value};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const LAUNCH_DAEMON: &str = "Library/LaunchDaemons/org.mdm-health.watchdog.plist";

#[test]
fn the_package_installs_its_files_and_no_folder_that_a_user_may_own() {
    let folder = tempfile::tempdir().unwrap();
    assert!(lay_out(folder.path()).status.success());
    let root = folder.path().join("root");
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
    for (path, expected) in [
        ("usr/local/mdm-health", 0o755),
        ("usr/local/mdm-health/mdm_health.ext", 0o755),
        ("usr/local/mdm-health/mdm-health", 0o755),
        ("usr/local/mdm-health/uninstall.sh", 0o755),
        ("usr/local/mdm-health/LICENSE-MIT", 0o644),
        ("usr/local/mdm-health/LICENSE-APACHE", 0o644),
        ("usr/local/mdm-health/THIRD-PARTY-NOTICES.txt", 0o644),
        ("private/etc/paths.d/mdm-health", 0o644),
        (LAUNCH_DAEMON, 0o644),
    ] {
        assert_eq!(mode(path), expected, "{path}");
    }
    let of_macos =
        ["Library", "Library/LaunchDaemons", "private", "private/etc", "private/etc/paths.d", "usr", "usr/local"];
    for path in below(&root) {
        assert_eq!(mode(&path) & 0o022, 0, "{path}");
        let known =
            of_macos.contains(&path.as_str()) || path == LAUNCH_DAEMON || path == "private/etc/paths.d/mdm-health";
        assert!(known || path.starts_with("usr/local/mdm-health"), "{path}");
    }
    assert_eq!(fs::read_to_string(root.join("private/etc/paths.d/mdm-health")).unwrap(), "/usr/local/mdm-health\n");
    for script in ["preinstall", "postinstall"] {
        assert_eq!(
            fs::metadata(folder.path().join("scripts").join(script)).unwrap().permissions().mode() & 0o777,
            0o755
        );
    }
    assert!(fs::read_to_string(folder.path().join("distribution.xml")).unwrap().contains("version=\"1.2.3\""));
}

#[test]
fn a_package_without_a_binary_or_a_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let build = |version: &str, binary: &str, notices: &str| {
        let output = command(packaging("build-pkg.sh"))
            .args(["--layout-only", folder.path().to_str().unwrap(), version, binary, notices])
            .output()
            .unwrap();
        refusal(&output).to_owned()
    };
    assert_eq!(build("1.2.3", "/nowhere", "/bin/sh"), "build-pkg.sh: there is no file /nowhere.\n");
    assert_eq!(build("1.2.3", "/bin/sh", "/nowhere"), "build-pkg.sh: there is no file /nowhere.\n");
    for version in ["1.2", "1.2.3-rc1", "1..3", "v1.2.3"] {
        assert!(build(version, "/bin/sh", "/bin/sh").contains("is not three numbers"), "{version}");
    }
    assert!(build("1.2.3", "/bin/sh", "").starts_with("build-pkg.sh: Usage: "));
}

/// Builds a package with these tools; returns the output, and the calls without the path of the temporary folder.
fn build(tools: &[&str], environment: &[(&str, &str)]) -> (Output, Vec<String>) {
    build_from(UNIVERSAL, tools, environment)
}

fn build_from(binary: &[u8], tools: &[&str], environment: &[(&str, &str)]) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for tool in tools {
        symlink(stand_in("tool"), path(tool)).unwrap();
    }
    // Nothing else is on the PATH: the machine may have the tools themselves.
    for usual in ["dirname", "grep", "head", "install", "mktemp", "od", "rm", "sed", "tr"] {
        let places = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(usual));
        symlink(places.iter().find(|place| place.exists()).unwrap(), path(usual)).unwrap();
    }
    fs::write(path("binary"), binary).unwrap();
    fs::write(path("notices"), "licences of others").unwrap();
    fs::create_dir(path("tmp")).unwrap();
    let mut script: Command = command(packaging("build-pkg.sh"));
    script.arg("1.2.3").args(["binary", "notices", "out.pkg"].map(path));
    script.env("PATH", folder.path()).env("TMPDIR", path("tmp"));
    for name in ["CODESIGN_IDENTITY", "INSTALLER_IDENTITY", "CODESIGN_P12", "INSTALLER_P12", "PACKAGING_TOOL"] {
        script.env_remove(name);
    }
    for name in ["NOTARY_KEY", "NOTARY_KEY_ID", "NOTARY_ISSUER"] {
        script.env_remove(name);
    }
    if tools.contains(&"packaging-tool") {
        script.env("PACKAGING_TOOL", path("packaging-tool"));
    }
    let output = script.envs(environment.iter().copied()).output().unwrap();
    assert_eq!(output.status.success(), path("out.pkg").exists());
    assert_eq!(below(&path("tmp")), BTreeSet::new(), "the temporary folder is left behind");
    let calls = fs::read_to_string(path("calls")).unwrap_or_default();
    let root = folder.path().display().to_string();
    let temporary = regex::Regex::new(r"/tmp/mdm-health\.[^/ ]+").unwrap();
    (output, calls.lines().map(|call| temporary.replace_all(&call.replace(&root, ""), "WORK").into_owned()).collect())
}

const MAC: [&str; 4] = ["pkgbuild", "codesign", "productbuild", "xcrun"];
const LINUX: [&str; 2] = ["packaging-tool", "rcodesign"];
const NOTARY: [(&str, &str); 3] = [("NOTARY_KEY", "key.p8"), ("NOTARY_KEY_ID", "K"), ("NOTARY_ISSUER", "I")];

#[test]
fn without_certificates_the_package_is_unsigned() {
    let (output, calls) = build(&MAC, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let made: Vec<&str> = calls.iter().map(|call| call.split_once(' ').unwrap().0).collect();
    assert_eq!(made, ["pkgbuild", "productbuild"]);
    assert_eq!(calls[1], "productbuild --distribution WORK/distribution.xml --package-path WORK /out.pkg");
    let (output, calls) = build(&LINUX, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(calls, ["packaging-tool package WORK org.mdm-health.pkg 1.2.3 /out.pkg"]);
}

#[test]
fn on_a_mac_the_program_is_signed_first_and_the_package_notarised_last() {
    let mut environment = NOTARY.to_vec();
    environment.push(("CODESIGN_IDENTITY", "Developer ID Application: Example"));
    environment.push(("INSTALLER_IDENTITY", "Developer ID Installer: Example"));
    let (output, calls) = build(&MAC, &environment);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let made: Vec<&str> = calls.iter().map(|call| call.split_once(' ').unwrap().0).collect();
    assert_eq!(made, ["codesign", "codesign", "pkgbuild", "productbuild", "xcrun", "xcrun"]);
    assert!(calls[0].contains("--options runtime --timestamp ") && calls[0].ends_with("Application: Example /binary"));
    assert!(calls[3].ends_with("--sign Developer ID Installer: Example --timestamp /out.pkg"), "{}", calls[3]);
    assert_eq!(calls[4], "xcrun notarytool submit /out.pkg --key key.p8 --key-id K --issuer I --wait");
    assert_eq!(calls[5], "xcrun stapler staple /out.pkg");
}

#[test]
fn elsewhere_the_same_is_done_without_a_mac() {
    let mut environment = NOTARY.to_vec();
    environment.push(("CODESIGN_P12", "application.p12"));
    environment.push(("INSTALLER_P12", "installer.p12"));
    environment.push(("CODESIGN_P12_PASSWORD", "secret"));
    let (output, calls) = build(&LINUX, &environment);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        calls,
        [
            "rcodesign sign --p12-file application.p12 --p12-password-file WORK/password --code-signature-flags runtime \
             --binary-identifier org.mdm-health /binary",
            "packaging-tool package WORK org.mdm-health.pkg 1.2.3 /out.pkg",
            "rcodesign sign --p12-file installer.p12 --p12-password-file WORK/password /out.pkg",
            "rcodesign encode-app-store-connect-api-key -o WORK/key.json I K key.p8",
            "rcodesign notary-submit --api-key-file WORK/key.json --staple /out.pkg",
        ]
    );
}

#[test]
fn a_package_that_cannot_be_made_or_notarised_is_refused_before_anything_is_made() {
    for tool in &MAC[1..] {
        let others: Vec<&str> = MAC.into_iter().filter(|other| other != tool).collect();
        let (output, calls) = build(&others, &[]);
        assert!(refusal(&output).contains(&format!("there is no {tool} here")), "{}", text(&output.stderr));
        assert_eq!(calls, Vec::<String>::new());
    }
    assert!(refusal(&build(&[], &[]).0).contains("there is no cargo here"));
    let (output, _) = build(&LINUX[..1], &[("CODESIGN_P12", "application.p12")]);
    assert!(refusal(&output).contains("there is no rcodesign here"), "{}", text(&output.stderr));
    for (tools, certificate) in [(&MAC[..], "CODESIGN_IDENTITY"), (&LINUX[..], "CODESIGN_P12")] {
        let (output, calls) = build(tools, &[("NOTARY_KEY", "key.p8"), (certificate, "Example")]);
        assert!(refusal(&output).contains("Apple notarises only what is signed"));
        assert_eq!(calls, Vec::<String>::new());
    }
    let (output, _) = build_from(b"\x7fELF", &MAC, &[]);
    assert!(refusal(&output).contains("is not for both Apple silicon and Intel"), "{}", text(&output.stderr));
}

fn dictionary(path: &Path) -> Dictionary {
    Value::from_file(path).unwrap_or_else(|why| panic!("{}: {why}", path.display())).into_dictionary().unwrap()
}

fn string<'a>(dictionary: &'a Dictionary, key: &str) -> &'a str {
    dictionary.get(key).and_then(Value::as_string).unwrap_or_else(|| panic!("no {key}"))
}

#[test]
fn launchd_starts_the_installed_program_with_arguments_that_it_accepts() {
    let daemon = dictionary(&packaging("org.mdm-health.watchdog.plist"));
    assert_eq!(string(&daemon, "Label"), "org.mdm-health.watchdog");
    assert_eq!(daemon.get("RunAtLoad").and_then(Value::as_boolean), Some(true));
    // Minutes of each hour, evenly spread: one that falls into sleep is caught up, an interval is not. Five times 20
    // minutes are the first after the 95 that the program keeps by itself.
    assert_eq!(daemon.get("StartInterval"), None);
    let times = daemon.get("StartCalendarInterval").and_then(Value::as_array).unwrap().iter().map(|time| {
        let time = time.as_dictionary().unwrap();
        assert_eq!(time.len(), 1, "every hour of every day");
        time.get("Minute").and_then(Value::as_unsigned_integer).unwrap()
    });
    assert_eq!(times.collect::<Vec<_>>(), [0, 20, 40]);
    let arguments = daemon.get("ProgramArguments").and_then(Value::as_array).unwrap();
    let arguments: Vec<&str> = arguments.iter().map(|argument| argument.as_string().unwrap()).collect();
    let [program, subcommand, flags @ ..] = arguments.as_slice() else { panic!("{arguments:?}") };
    assert!(Volume::with_payload().exists(program.trim_start_matches('/')));
    let help = command(env!("CARGO_BIN_EXE_mdm-health")).args([subcommand, "--help"]).output().unwrap();
    assert!(help.status.success(), "{subcommand}");
    for flag in flags {
        assert!(text(&help.stdout).split_whitespace().any(|word| word == *flag), "{subcommand} takes no {flag}");
    }
}

/// The files of a folder whose names end like this.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    assert!(!found.is_empty(), "{ending}");
    found
}

#[test]
fn every_sample_profile_is_valid_and_has_its_own_identifiers() {
    let (mut uuids, mut identifiers) = (BTreeSet::new(), BTreeSet::new());
    for path in files(&packaging(""), ".mobileconfig") {
        let profile = dictionary(&path);
        assert_eq!((string(&profile, "PayloadType"), string(&profile, "PayloadScope")), ("Configuration", "System"));
        let payloads = profile.get("PayloadContent").and_then(Value::as_array).unwrap();
        for payload in payloads.iter().map(|payload| payload.as_dictionary().unwrap()).chain([&profile]) {
            assert_eq!(payload.get("PayloadVersion").and_then(Value::as_unsigned_integer), Some(1));
            assert!(!string(payload, "PayloadDisplayName").is_empty());
            let uuid = string(payload, "PayloadUUID");
            assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
            assert!(uuid.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit()), "{uuid}");
            assert!(uuids.insert(uuid.to_owned()), "{uuid} twice");
            let identifier = string(payload, "PayloadIdentifier");
            assert!(identifiers.insert(identifier.to_owned()), "{identifier} twice");
        }
    }
    let background = dictionary(&packaging("mdm-health-background-item.mobileconfig"));
    let daemon = dictionary(&packaging("org.mdm-health.watchdog.plist"));
    let rules =
        background["PayloadContent"].as_array().unwrap()[0].as_dictionary().unwrap()["Rules"].as_array().unwrap();
    assert_eq!(string(rules[0].as_dictionary().unwrap(), "RuleValue"), string(&daemon, "Label"));
}

/// What shellcheck finds in a script.
fn shellcheck(script: &Path, shell: &str) -> Option<String> {
    let mut check = command("shellcheck");
    check.args(["--external-sources", &format!("--shell={shell}")]).arg(script).current_dir(env!("CARGO_MANIFEST_DIR"));
    match check.output() {
        Ok(output) => Some(format!("{}{}", text(&output.stdout), text(&output.stderr))),
        Err(why) => {
            eprintln!("{} was not checked, there is no shellcheck: {why}", script.display());
            None
        }
    }
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let on_macs = [packaging("build-pkg.sh"), packaging("uninstall.sh")];
    let (scripts, for_mac, ci) = (packaging("scripts"), packaging("for-mac"), packaging("../.ci"));
    let all = [files(&packaging(""), ".sh"), files(&scripts, "install"), files(&for_mac, ".sh"), files(&ci, "run")];
    for script in all.concat() {
        let first = fs::read_to_string(&script).unwrap().lines().next().unwrap().to_owned();
        let shell = match first.as_str() {
            "#!/bin/sh" => "sh",
            "#!/usr/bin/env bash" | "# shellcheck shell=bash" => "bash",
            other => panic!("{}: {other}", script.display()),
        };
        if on_macs.contains(&script) || script.starts_with(&scripts) {
            assert_eq!(shell, "sh", "a Mac's bash is of 2007: {}", script.display());
        }
        assert_eq!(shellcheck(&script, shell).unwrap_or_default(), "");
    }
}

#[test]
fn the_workflows_parse_and_shellcheck_finds_nothing_in_their_steps() {
    let folder = tempfile::tempdir().unwrap();
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows"), ".yml") {
        let workflow: serde_json::Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}), "{}", path.display());
        let jobs = workflow["jobs"].as_object().unwrap();
        let steps: Vec<_> = jobs.values().filter_map(|job| job["steps"].as_array()).flatten().collect();
        assert!(!steps.is_empty());
        for script in steps.iter().filter_map(|step| step["run"].as_str()) {
            assert!(!script.contains("${{"), "an expression becomes part of the script: {script}");
            let file = folder.path().join("step");
            // As GitHub runs a step.
            fs::write(&file, format!("set -eo pipefail\n{script}")).unwrap();
            assert_eq!(shellcheck(&file, "bash").unwrap_or_default(), "", "{script}");
        }
    }
}
