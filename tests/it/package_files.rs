//! The package's files: what it contains, how it is built and signed, and that the files beside it are valid.

use crate::support::target_volume::{Volume, below, command, lay_out, packaging, refusal, stand_in, text};
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
    let build = |version: &str, binary: &str| {
        let output = command(packaging("build-pkg.sh"))
            .args(["--layout-only", folder.path().to_str().unwrap(), version, binary])
            .output()
            .unwrap();
        refusal(&output).to_owned()
    };
    assert_eq!(build("1.2.3", "/nowhere"), "build-pkg.sh: there is no file /nowhere.\n");
    for version in ["1.2", "1.2.3-rc1", "1..3", "v1.2.3"] {
        assert!(build(version, "/bin/sh").contains("is not three numbers"), "{version}");
    }
    assert!(build("1.2.3", "").starts_with("build-pkg.sh: Usage: "));
}

/// Builds a package with these tools; returns the output, and the calls without the path of the temporary folder.
fn build(tools: &[&str], environment: &[(&str, &str)]) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for tool in tools {
        symlink(stand_in("tool"), path(tool)).unwrap();
    }
    // Nothing else is on the PATH: on a Mac the real tools would be found.
    for usual in ["dirname", "grep", "install", "mktemp", "rm", "sed"] {
        let places = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(usual));
        symlink(places.iter().find(|place| place.exists()).unwrap(), path(usual)).unwrap();
    }
    fs::write(path("binary"), "a universal binary").unwrap();
    fs::create_dir(path("tmp")).unwrap();
    let mut script: Command = command(packaging("build-pkg.sh"));
    script.args(["1.2.3".as_ref(), path("binary").as_os_str(), path("out.pkg").as_os_str()]);
    script.env("PATH", folder.path()).env("TMPDIR", path("tmp"));
    for name in ["CODESIGN_IDENTITY", "INSTALLER_IDENTITY", "NOTARY_KEY", "NOTARY_KEY_ID", "NOTARY_ISSUER"] {
        script.env_remove(name);
    }
    let output = script.envs(environment.iter().copied()).output().unwrap();
    assert_eq!(output.status.success(), path("out.pkg").exists());
    assert_eq!(below(&path("tmp")), BTreeSet::new(), "the temporary folder is left behind");
    let calls = fs::read_to_string(path("calls")).unwrap_or_default();
    let root = folder.path().display().to_string();
    let temporary = regex::Regex::new(r"/tmp/mdm-health\.[^/ ]+").unwrap();
    (output, calls.lines().map(|call| temporary.replace_all(&call.replace(&root, ""), "WORK").into_owned()).collect())
}

const TOOLS: [&str; 5] = ["lipo", "codesign", "pkgbuild", "productbuild", "xcrun"];

#[test]
fn without_signing_identities_the_package_is_unsigned() {
    let (output, calls) = build(&TOOLS, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let made: Vec<&str> = calls.iter().map(|call| call.split_once(' ').unwrap().0).collect();
    assert_eq!(made, ["lipo", "pkgbuild", "productbuild"]);
    assert_eq!(calls[2], "productbuild --distribution WORK/distribution.xml --package-path WORK /out.pkg");
}

#[test]
fn with_identities_and_a_key_the_program_is_signed_first_and_the_package_notarised_last() {
    let environment = [
        ("CODESIGN_IDENTITY", "Developer ID Application: Example"),
        ("INSTALLER_IDENTITY", "Developer ID Installer: Example"),
        ("NOTARY_KEY", "key.p8"),
        ("NOTARY_KEY_ID", "K"),
        ("NOTARY_ISSUER", "I"),
    ];
    let (output, calls) = build(&TOOLS, &environment);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let made: Vec<&str> = calls.iter().map(|call| call.split_once(' ').unwrap().0).collect();
    assert_eq!(made, ["lipo", "codesign", "codesign", "pkgbuild", "productbuild", "xcrun", "xcrun"]);
    assert!(calls[1].contains("--options runtime --timestamp ") && calls[1].ends_with("Application: Example /binary"));
    assert!(calls[4].ends_with("--sign Developer ID Installer: Example --timestamp /out.pkg"), "{}", calls[4]);
    assert_eq!(calls[5], "xcrun notarytool submit /out.pkg --key key.p8 --key-id K --issuer I --wait");
    assert_eq!(calls[6], "xcrun stapler staple /out.pkg");
}

#[test]
fn a_package_that_cannot_be_made_or_notarised_is_refused_before_anything_is_made() {
    for tool in TOOLS {
        let others: Vec<&str> = TOOLS.into_iter().filter(|other| *other != tool).collect();
        let (output, calls) = build(&others, &[]);
        assert!(refusal(&output).contains(&format!("there is no {tool} here")), "{}", text(&output.stderr));
        assert_eq!(calls, Vec::<String>::new());
    }
    let (output, calls) = build(&TOOLS, &[("NOTARY_KEY", "key.p8"), ("CODESIGN_IDENTITY", "Example")]);
    assert!(refusal(&output).contains("Apple notarises only what is signed"));
    assert_eq!(calls, ["lipo /binary -verify_arch arm64 x86_64"]);
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
    assert_eq!(daemon.get("StartInterval").and_then(Value::as_unsigned_integer), Some(95 * 60));
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
    match command("shellcheck").arg(format!("--shell={shell}")).arg(script).output() {
        Ok(output) => Some(format!("{}{}", text(&output.stdout), text(&output.stderr))),
        Err(why) => {
            eprintln!("{} was not checked, there is no shellcheck: {why}", script.display());
            None
        }
    }
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let scripts = packaging("scripts");
    for script in [files(&packaging(""), ".sh"), files(&scripts, "install")].concat() {
        // Scripts that run on a Mac are for sh; the generator runs where the code is built.
        let (first, shell) = match script.ends_with("generate.sh") {
            true => ("#!/usr/bin/env bash\n", "bash"),
            false => ("#!/bin/sh\n", "sh"),
        };
        assert!(fs::read_to_string(&script).unwrap().starts_with(first), "{}", script.display());
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
