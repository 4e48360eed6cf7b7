//! Who else is on this Mac: osquery and those that bring it, Addigy's watchdog; and whose the folders are that matter.

use super::{Look, Outcome};
use crate::host::{Host, HostError, Ownership};
use std::path::Path;

/// The extension as the package installs it.
const EXTENSION: &str = "/usr/local/mdm-health/mdm_health.ext";

/// Folders and files whose owner and mode decide whether they are trusted.
const TRUSTED: [&str; 6] = [
    "/Library/Managed Preferences",
    "/Library/Managed Preferences/org.mdm-health.plist",
    "/Library/Preferences",
    "/Library/Preferences/org.mdm-health.plist",
    "/usr/local/mdm-health",
    EXTENSION,
];

/// Files that show who brings osquery, and the list of extensions that each reads.
const OSQUERY: [(&str, &str, &str); 3] = [
    ("osquery", "/opt/osquery/lib/osquery.app", "/private/var/osquery/extensions.load"),
    ("orbit (Fleet)", "/opt/orbit", "/opt/orbit/extensions.load"),
    ("launcher (Kolide)", "/usr/local/kolide-k2", "/private/var/osquery/extensions.load"),
];

/// The LaunchDaemon of Addigy's watchdog.
const ADDIGY: &str = "/Library/LaunchDaemons/com.addigy.mdm-watchdog.plist";

/// Modes and owners of what is only trusted if nobody but root can write it.
pub fn folders(host: &dyn Host, state_dir: &Path) -> Vec<Look> {
    let root = match host.ownership("/") {
        Ok(Some(root)) => root.uid,
        _ => 0,
    };
    let state_dir = state_dir.to_string_lossy();
    let mut looks: Vec<Look> = TRUSTED.iter().map(|path| folder(host, path, root)).collect();
    looks.push(Look::new("state folder", Outcome::Ok, state_dir.into_owned()));
    looks
}

fn folder(host: &dyn Host, path: &str, root: u32) -> Look {
    match host.ownership(path) {
        Ok(None) => Look::new(path, Outcome::None, "not there"),
        Err(error) => Look::new(path, Outcome::Failed, format!("{error}.")),
        Ok(Some(Ownership { uid, gid, mode })) => {
            let shown = format!("owner {uid}, group {gid}, mode {:04o}", mode & 0o7777);
            let wrong = if uid != root {
                Some("is not owned by root")
            } else if mode & 0o022 != 0 {
                Some("is writable by others than root")
            } else {
                None
            };
            match wrong {
                None => Look::new(path, Outcome::Ok, shown),
                Some(wrong) => {
                    let remedy = format!("It {wrong}: chown root and chmod go-w it, or what lies there is not trusted");
                    Look::new(path, Outcome::Failed, format!("{shown}. {remedy}."))
                }
            }
        }
    }
}

/// Whether osquery is here and loads us, and whether another watchdog heals too.
pub fn look(host: &dyn Host) -> Vec<Look> {
    let mut looks: Vec<Look> = Vec::new();
    for (name, mark, list) in OSQUERY {
        let look = match host.ownership(mark) {
            Ok(None) => Look::new(name, Outcome::None, "not installed"),
            Err(error) => Look::new(name, Outcome::Failed, format!("{error}.")),
            Ok(Some(_)) => loads_us(host, name, list),
        };
        looks.push(look);
    }
    if looks.iter().all(|look| look.outcome == Outcome::None) {
        let detail = "No osquery was found: the command line works all the same, the tables in SQL need one.";
        looks.push(Look::new("any osquery", Outcome::Partly, detail));
    }
    looks.push(match host.ownership(ADDIGY) {
        Ok(None) => Look::new("Addigy's mdm-watchdog", Outcome::None, "not installed"),
        Err(error) => Look::new("Addigy's mdm-watchdog", Outcome::Failed, format!("{error}.")),
        Ok(Some(_)) => {
            let detail = "It is installed too. Let only one of them heal: neither counts the other's restarts.";
            Look::new("Addigy's mdm-watchdog", Outcome::Partly, detail)
        }
    });
    looks
}

fn loads_us(host: &dyn Host, name: &str, list: &str) -> Look {
    match host.read_file(list) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            if text.lines().any(|line| line.trim() == EXTENSION) {
                Look::new(name, Outcome::Ok, format!("installed, and {list} names {EXTENSION}"))
            } else {
                Look::new(name, Outcome::Partly, format!("installed, but {list} does not name {EXTENSION}"))
            }
        }
        Err(HostError::Unreadable { why, .. }) if why.kind() == std::io::ErrorKind::NotFound => {
            Look::new(name, Outcome::Partly, format!("installed, but there is no {list}, so it loads no extension"))
        }
        Err(error) => Look::new(name, Outcome::Failed, format!("{error}.")),
    }
}
