//! What Jamf, Intune, Munki and AutoPkg take: scripts that are run here, and files that are parsed and held against the keys
//! that those read (Munki's wiki on pkginfo files, AutoPkg's wiki on recipes and its own processors).

use crate::support::heal_mac::HealMac;
use crate::support::{self, findings};
use mdm_health::cli::packs::{self, ATTRIBUTES};
use plist::Value as Plist;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What a script prints where that program is installed.
#[allow(clippy::disallowed_methods, reason = "the tests start the scripts themselves")]
fn printed(script: &str, program: &str) -> String {
    let script = script.replace("/usr/local/mdm-health/mdm-health", program);
    let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A program that asks that Mac.
fn installed(mac: &HealMac, folder: &Path) -> String {
    let asks = mac.program(&[]);
    let words: Vec<String> = [asks.get_program()]
        .into_iter()
        .chain(asks.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let path = folder.join("mdm-health");
    fs::write(&path, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "))).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_attribute_is_one_value_on_every_capture() {
    for (name, path) in support::captures() {
        let findings = Arc::new(findings(&path));
        for attribute in ATTRIBUTES {
            let rows = support::query(attribute.sql, &findings);
            let [row] = &rows[..] else { panic!("{} on {name}: {rows:?}", attribute.name) };
            let value = row["value"].as_str().unwrap();
            assert!(!value.contains([',', '"', '\n', '<', '&']), "{} on {name}: {value}", attribute.name);
            let is_date = value.len() == "2026-11-23 18:00:00".len() && value.starts_with("20");
            assert_eq!(attribute.date && !value.is_empty(), is_date, "{} on {name}: {value}", attribute.name);
        }
    }
}

#[test]
fn the_scripts_for_jamf_and_intune_print_the_value() {
    let (mac, folder) = (HealMac::stuck(), tempfile::tempdir().unwrap());
    let program = installed(&mac, folder.path());
    let mut seen = Vec::new();
    for attribute in ATTRIBUTES {
        let jamf = printed(&packs::text(attribute.jamf).unwrap(), &program);
        let value = jamf.strip_prefix("<result>").unwrap().strip_suffix("</result>\n").unwrap();
        assert_eq!(printed(&packs::text(attribute.intune).unwrap(), &program), format!("{value}\n"));
        seen.push(format!("{}: {value}", attribute.title));
    }
    assert_eq!(
        seen,
        [
            "MDM identity, expires: ",
            "MDM client, last success: 2026-11-23 15:10:00",
            "MDM client: stuck: command_hung",
            "OS update: an update: command_received"
        ]
    );
}

#[test]
fn a_script_says_so_where_nothing_is_installed_or_read() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken");
    fs::write(&broken, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    for attribute in ATTRIBUTES {
        let jamf = packs::text(attribute.jamf).unwrap();
        let [missing, unreadable] = if attribute.date { ["", ""] } else { ["not installed", "unreadable"] };
        assert_eq!(printed(&jamf, "/nowhere"), format!("<result>{missing}</result>\n"));
        assert_eq!(printed(&jamf, broken.to_str().unwrap()), format!("<result>{unreadable}</result>\n"));
    }
}

#[test]
fn intunes_shell_script_heals_and_may_run_every_day() {
    let (mac, folder) = (HealMac::stuck(), tempfile::tempdir().unwrap());
    let program = installed(&mac, folder.path());
    let script = file("packaging/intune/mdm-health-heal.sh");
    assert!(printed(&script, &program).contains("MDMClientRestarted: true"));
    assert_eq!(mac.restarts("com.apple.mdmclient.daemon"), 1);
    // Its words are those of Fleet's script, which is tried where the program is missing.
    let fleets = file("packs/fleet/scripts/mdm-health-heal.sh");
    let code = |script: &str| script.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    assert_eq!(code(&script), code(&fleets));
}

/// Keys of pkginfo files by Munki's wiki, those that are used here.
const PKGINFO: &[&str] = &[
    "name",
    "display_name",
    "description",
    "category",
    "version",
    "catalogs",
    "installer_item_location",
    "installer_item_hash",
    "installer_item_size",
    "minimum_os_version",
    "unattended_install",
    "unattended_uninstall",
    "receipts",
    "uninstallable",
    "uninstall_method",
    "uninstall_script",
];

#[test]
fn munkis_pkginfo_is_complete_once_its_words_are_replaced() {
    let template = file("packaging/munki/mdm-health.pkginfo");
    let filled = template.replace("VERSION", "1.2.3").replace("SIZE", "8192").replace("SHA256", &"0".repeat(64));
    let pkginfo = Plist::from_reader_xml(filled.as_bytes()).unwrap().into_dictionary().unwrap();
    let unknown: Vec<&String> = pkginfo.keys().filter(|key| !PKGINFO.contains(&key.as_str())).collect();
    assert!(unknown.is_empty() && pkginfo.len() == PKGINFO.len(), "{unknown:?}");
    assert_eq!(pkginfo["installer_item_size"].as_unsigned_integer(), Some(8192));
    assert_eq!(pkginfo["installer_item_location"].as_string(), Some("mdm-health/mdm-health-1.2.3.pkg"));
    let receipt = pkginfo["receipts"].as_array().unwrap()[0].as_dictionary().unwrap();
    assert_eq!(receipt["packageid"].as_string(), Some("org.mdm-health.pkg"));
    assert!(file("packaging/build-pkg.sh").contains("org.mdm-health.pkg"));
    let uninstall = pkginfo["uninstall_script"].as_string().unwrap();
    assert!(uninstall.starts_with("#!/bin/sh\n") && uninstall.contains("/usr/local/mdm-health/uninstall.sh"));
}

#[test]
fn autopkgs_recipes_name_their_parent_and_processors_that_it_brings() {
    let recipe = |name: &str| -> Value { serde_saphyr::from_str(&file(&format!("packaging/autopkg/{name}"))).unwrap() };
    let (download, munki) = (recipe("mdm-health.download.recipe.yaml"), recipe("mdm-health.munki.recipe.yaml"));
    assert_eq!(munki["ParentRecipe"], download["Identifier"]);
    for recipe in [&download, &munki] {
        for key in recipe.as_object().unwrap().keys() {
            assert!(
                ["Description", "Identifier", "MinimumVersion", "ParentRecipe", "Input", "Process"]
                    .contains(&key.as_str())
            );
        }
        for step in recipe["Process"].as_array().unwrap() {
            let processor = step["Processor"].as_str().unwrap();
            let known = ["GitHubReleasesInfoProvider", "URLDownloader", "EndOfCheckPhase", "MunkiImporter"];
            assert!(known.contains(&processor), "{processor}");
        }
    }
    // The same as in the template for Munki.
    let template = file("packaging/munki/mdm-health.pkginfo").replace("SIZE", "1");
    let template = Plist::from_reader_xml(template.as_bytes()).unwrap().into_dictionary().unwrap();
    for (key, value) in munki["Input"]["pkginfo"].as_object().unwrap().iter().filter(|(key, _)| *key != "name") {
        let same = match &template[key] {
            Plist::String(text) => value.as_str() == Some(text),
            Plist::Boolean(flag) => value.as_bool() == Some(*flag),
            other => key == "catalogs" && other.as_array().unwrap()[0].as_string() == value[0].as_str(),
        };
        assert!(same, "{key}: {value}");
    }
}
