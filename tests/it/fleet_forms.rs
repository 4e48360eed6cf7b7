//! Fleet's forms, held against the keys that Fleet reads.
//!
//! An unknown key is an error of `fleetctl gitops`. The keys stand here as they were read in fleetdm/fleet in November 2026:
//! the structs `Policy`, `GitOpsPolicySpec`, `PolicyRunScript`, `PolicyInstallSoftware` and `BaseItem` of
//! `pkg/spec/gitops.go` at 00b32fd0a466724786eeef6c66a9d14d487eed8f, `Group` and `Metadata` of `pkg/spec/spec.go` at
//! 01fee809ae0188a1665a51bbfddf9e784eb9aa8e, `PolicySpec` of `server/fleet/policies.go` (a copy that names no commit, between
//! 4.89 and the first of these), `LabelSpec` of `server/fleet/labels.go` at 00c7488a56eabbf9ada143298dffc208924d9f2c, and
//! `QuerySpec` of `server/fleet/queries.go` at 8672f690c2350c6fd50bd77d5fa96b704b64db0d, which has no labels yet:
//! `labels_include_any` of a report is as in Fleet's documentation.

use mdm_health::cli::packs::{Form, Kind, OSQUERYS_OWN, QUERIES};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const POLICY: &[&str] = &[
    // PolicySpec
    "name",
    "query",
    "description",
    "critical",
    "resolution",
    "team",
    "fleet",
    "platform",
    "calendar_events_enabled",
    "software_title_id",
    "script_id",
    "labels_include_any",
    "labels_include_all",
    "labels_exclude_any",
    "labels_exclude_all",
    "conditional_access_enabled",
    "continuous_automations_enabled",
    "type",
    "fleet_maintained_app_slug",
    "patch_when_closed",
    // GitOpsPolicySpec and BaseItem
    "run_script",
    "install_software",
    "resend_configuration_profile",
    "webhooks_and_tickets_enabled",
    "path",
    "paths",
];

/// Those that want a Premium licence or a fleet, which is Premium too: `premium:"true"` of the API's structs, and what
/// gitops.go refuses outside a fleet.
const PREMIUM: &[&str] = &[
    "critical",
    "calendar_events_enabled",
    "labels_include_any",
    "labels_include_all",
    "labels_exclude_any",
    "labels_exclude_all",
    "run_script",
    "install_software",
    "continuous_automations_enabled",
    "patch_when_closed",
];

const INSTALL_SOFTWARE: &[&str] = &["package_path", "app_store_id", "hash_sha256", "fleet_maintained_app_slug"];

const REPORT: &[&str] = &[
    "name",
    "description",
    "query",
    "team",
    "interval",
    "observer_can_run",
    "platform",
    "min_osquery_version",
    "automations_enabled",
    "logging",
    "discard_data",
    "labels_include_any",
];

const LABEL: &[&str] =
    &["id", "name", "description", "query", "platform", "label_type", "label_membership_type", "hosts", "criteria"];

/// `SoftwarePackageSpec`, as far as gitops.go names its fields.
const PACKAGE: &[&str] = &[
    "url",
    "self_service",
    "pre_install_query",
    "install_script",
    "post_install_script",
    "uninstall_script",
    "labels_include_any",
    "labels_exclude_any",
    "labels_include_all",
    "hash_sha256",
    "display_name",
];

/// The folder in which the files for a fleet lie together.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/fleet")
}

fn list(form: Form) -> Vec<Map<String, Value>> {
    serde_saphyr::from_str(&form.text().unwrap()).unwrap()
}

/// The documents of a file for `fleetctl apply`, split as its parser does.
fn documents() -> Vec<Map<String, Value>> {
    let text = Form::FleetApply.text().unwrap();
    let chunks = text.split("\n---").skip(1);
    chunks.map(|chunk| serde_saphyr::from_str(chunk).unwrap()).collect()
}

fn only_known(entry: &Map<String, Value>, known: &[&str]) {
    let unknown: Vec<&String> = entry.keys().filter(|key| !known.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?} in {entry:?}");
}

fn text<'e>(entry: &'e Map<String, Value>, key: &str) -> &'e str {
    entry.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key} in {entry:?}"))
}

#[test]
fn fleet_knows_every_key_of_its_forms() {
    for form in [Form::FleetPolicies, Form::FleetFreePolicies] {
        for policy in list(form) {
            only_known(&policy, POLICY);
            assert!(!text(&policy, "description").is_empty() && !text(&policy, "resolution").is_empty());
            assert_eq!(text(&policy, "platform"), "darwin");
        }
    }
    for form in [Form::FleetReports, Form::FleetFreeReports] {
        let reports = list(form);
        reports.iter().for_each(|report| only_known(report, REPORT));
        let loggings: BTreeSet<&str> = reports.iter().map(|report| text(report, "logging")).collect();
        assert_eq!(loggings, BTreeSet::from(["differential_ignore_removals", "snapshot"]));
    }
    for label in list(Form::FleetLabels) {
        only_known(&label, LABEL);
        assert_eq!(text(&label, "label_membership_type"), "dynamic");
    }
    only_known(&serde_saphyr::from_str(&Form::FleetPackage.text().unwrap()).unwrap(), PACKAGE);
}

#[test]
fn the_free_forms_want_nothing_of_premium() {
    for form in [Form::FleetFreePolicies, Form::FleetFreeReports] {
        for entry in list(form) {
            let premium: Vec<&String> = entry.keys().filter(|key| PREMIUM.contains(&key.as_str())).collect();
            assert!(premium.is_empty(), "{premium:?} in {entry:?}");
        }
    }
}

#[test]
fn fleetctl_apply_takes_every_document() {
    let documents = documents();
    for document in &documents {
        only_known(document, &["apiVersion", "kind", "spec"]);
        assert_eq!(text(document, "apiVersion"), "v1");
        let spec = document["spec"].as_object().unwrap();
        match text(document, "kind") {
            "label" => only_known(spec, LABEL),
            "report" => only_known(spec, REPORT),
            "policy" => only_known(spec, POLICY),
            kind => panic!("fleetctl knows no {kind}"),
        }
        assert!(spec.keys().all(|key| !PREMIUM.contains(&key.as_str())), "{spec:?}");
    }
    let of = |kind: &str| documents.iter().filter(|document| text(document, "kind") == kind).count();
    let policies = QUERIES.iter().filter(|query| matches!(query.kind, Kind::Policy(_))).count() + OSQUERYS_OWN.len();
    assert_eq!((of("label"), of("report"), of("policy")), (1, QUERIES.len(), policies));
}

/// fleetctl puts environment variables into the files, `$name` and `${name}`, and fails where there is none.
#[test]
fn no_file_has_a_dollar_sign() {
    for form in Form::ALL.into_iter().filter(|form| form.name().starts_with("fleet")) {
        assert!(!form.text().unwrap().contains('$'), "{}", form.name());
    }
}

#[test]
fn policies_that_act_name_files_that_are_there() {
    let policies = list(Form::FleetPolicies);
    let acting = |key: &str| -> Vec<(&str, &Value)> {
        let acting = policies.iter().filter_map(|policy| policy.get(key).map(|value| (text(policy, "name"), value)));
        acting.collect()
    };
    let [(heals, script)] = acting("run_script")[..] else { panic!("more than one runs a script") };
    assert_eq!(heals, "macOS - MDM client talks to its server");
    let [(installs, package)] = acting("install_software")[..] else { panic!("more than one installs") };
    assert_eq!(installs, "macOS - mdm-health is installed");
    only_known(script.as_object().unwrap(), &["path"]);
    only_known(package.as_object().unwrap(), INSTALL_SOFTWARE);
    let package_file = package["package_path"].as_str().unwrap();
    assert_eq!(fs::read_to_string(folder().join(package_file)).unwrap(), Form::FleetPackage.text().unwrap());
    let package: Value = serde_saphyr::from_str(&Form::FleetPackage.text().unwrap()).unwrap();
    for path in [&script["path"], &package["post_install_script"]["path"], &package["uninstall_script"]["path"]] {
        let path = folder().join(path.as_str().unwrap());
        assert!(fs::read_to_string(&path).unwrap().starts_with("#!/bin/sh\n"), "{}", path.display());
    }
    let critical: Vec<&str> =
        policies.iter().filter(|policy| policy["critical"] == true).map(|policy| text(policy, "name")).collect();
    assert_eq!(critical, ["macOS - Enrolled in MDM and approved", "macOS - MDM identity is valid for 30 days"]);
    let [(calendar, _)] = acting("calendar_events_enabled")[..] else { panic!("more than one appointment") };
    assert_eq!(calendar, "macOS - Enforced OS updates are on time");
}

/// A user does not know what a table or an MDM is.
#[test]
fn a_users_resolution_has_no_words_of_admins() {
    for policy in list(Form::FleetPolicies) {
        let words = text(&policy, "resolution");
        for word in ["mdm_", "SELECT", "state", "reason", "daemon", "enroll", "server", "report"] {
            assert!(!words.contains(word), "{word}: {words}");
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the tests start the scripts themselves")]
#[test]
fn the_scripts_run_what_is_installed() {
    let installed = tempfile::tempdir().unwrap();
    let path = installed.path().to_str().unwrap();
    let run = |script: &str| {
        let script = fs::read_to_string(folder().join("scripts").join(script)).unwrap();
        // The sleep is for orbit, which runs the script.
        let script =
            script.replace("/usr/local/mdm-health", path).replace("/bin/launchctl", &format!("{path}/launchctl"));
        Command::new("/bin/sh").args(["-c", &script.replace("sleep 10", "sleep 0")]).output().unwrap()
    };
    let stand_in = |name: &str, code: i32| {
        let file = installed.path().join(name);
        let said = installed.path().join(format!("{name}.said"));
        fs::write(&file, format!("#!/bin/sh\necho \"$@\" >'{}'\nexit {code}\n", said.display())).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        move || fs::read_to_string(&said).unwrap_or_default()
    };
    let missing = run("mdm-health-heal.sh");
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).starts_with("mdm-health is not installed"));
    for code in [0, 1] {
        let said = stand_in("mdm-health", code);
        assert_eq!((run("mdm-health-heal.sh").status.code(), said()), (Some(code), "heal\n".to_owned()));
    }
    let said = stand_in("uninstall.sh", 0);
    assert_eq!((run("mdm-health-uninstall.sh").status.code(), said()), (Some(0), "\n".to_owned()));
    let said = stand_in("launchctl", 0);
    assert_eq!(run("mdm-health-restart-orbit.sh").status.code(), Some(0));
    while said().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(said(), "kickstart -k system/com.fleetdm.orbit\n");
}
