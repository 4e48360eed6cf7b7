//! Folders of somebody else: `--root` below one would run its owner's programs with root's rights, and what root writes
//! into one must neither follow its owner's links nor land elsewhere.

use crate::support::ENROLLED;
use crate::support::captured::Captured;
use crate::support::fake_mac::FakeMac;
use crate::support::fixture;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;
use std::process::{Child, Command, Output};
use tempfile::TempDir;

/// A user who is neither root nor the one who runs the tests.
const OTHER: u32 = 1234;

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    program.args(arguments).env_remove("MDM_HEALTH_SOURCE").env_remove("SUDO_UID").env_remove("SUDO_GID");
    program
}

/// Whether the tests may give files to others.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("only root can give folders to somebody else, so that this test shows nothing");
    }
    is_root
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn nothing_below_a_root_that_somebody_else_owns_is_run() {
    if !is_root() {
        return;
    }
    let subcommands: [&[&str]; 6] = [
        &["diagnose"],
        &["heal"],
        &["query", "SELECT * FROM mdm_watchdog"],
        &["report", "-"],
        &["capture", "/nowhere/capture"],
        &["heal", "--automatic"],
    ];
    for foreign in ["/", "/usr", "/usr/bin", "/usr/bin/profiles", "/usr/bin/profiles.out", "/private"] {
        for subcommand in subcommands {
            let mac = FakeMac::new();
            mac.command("/usr/bin/profiles", ENROLLED).file("/private/note", "");
            lchown(mac.path(foreign), Some(OTHER), None).unwrap();
            let arguments = [subcommand, &["--root", mac.root().to_str().unwrap()]].concat();
            let output = program(&arguments).output().unwrap();
            let (code, said) = (output.status.code(), stderr(&output));
            assert_eq!(code, Some(2), "{foreign}, {subcommand:?}: {said}");
            assert!(said.contains("is refused") && said.contains("belongs to uid 1234"), "{foreign}: {said}");
            assert_eq!(mac.calls("/usr/bin/profiles"), Vec::<String>::new(), "{foreign}, {subcommand:?}");
            assert!(!mac.path("/Library/Application Support").exists(), "{foreign}, {subcommand:?}");
        }
    }
}

#[test]
fn nothing_below_a_root_that_somebody_else_can_change_is_run() {
    let mac = FakeMac::new();
    mac.command("/usr/bin/profiles", ENROLLED);
    fs::set_permissions(mac.root(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(mac.path("/usr/bin"), Permissions::from_mode(0o777)).unwrap();
    let output = program(&["diagnose", "--root", mac.root().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("usr/bin is writable by others (mode 0777)"), "{}", stderr(&output));
    assert_eq!(mac.calls("/usr/bin/profiles"), Vec::<String>::new());
}

/// Through `--root` a bind mount of `/` would get around what only the real Mac forbids, such as a record of its own.
#[test]
fn a_bind_mount_of_the_root_is_the_machine_itself() {
    if !is_root() {
        return;
    }
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let script = "mount --bind / \"$1\" && exec \"$2\" query \"$3\" --source live --root \"$1\" --state-dir \"$4\"";
    let insert = "INSERT INTO mdm_heal(action, force) VALUES ('restart_mdmclient', 1)";
    let (root, state) = (folder.path().to_str().unwrap(), state.path().to_str().unwrap());
    #[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh", root, env!("CARGO_BIN_EXE_mdm-health"), insert, state])
        .output();
    match output {
        Ok(output) if !stderr(&output).contains("mount:") && !stderr(&output).contains("unshare:") => {
            assert!(stderr(&output).contains("other_ledger"), "{}", stderr(&output));
        }
        _ => eprintln!("nothing can be mounted here, so that this test shows nothing"),
    }
}

/// A folder of somebody else in a place that everybody can reach.
fn folder_of_other() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    lchown(folder.path(), Some(OTHER), Some(OTHER)).unwrap();
    folder
}

/// Who owns a file, or a folder and everything in it.
fn owners(path: &Path) -> Vec<(u32, u32, u32)> {
    let found = fs::symlink_metadata(path).unwrap();
    let mut all = vec![(found.uid(), found.gid(), found.mode() & 0o777)];
    if found.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            all.extend(owners(&entry.unwrap().path()));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Makes a capture of each kind and a report in a folder, as sudo would call it.
fn make_all(mac: &Captured, folder: &Path, sudo: &[(&str, &str)], arguments: &[&str]) -> Vec<Output> {
    let make = |(subcommand, name): (&str, &str)| {
        let to = folder.join(name);
        let mut program = program(&[&[subcommand, to.to_str().unwrap(), "--now", &mac.now], arguments].concat());
        program.env("TZ", mac.zone).envs(sudo.iter().copied()).output().unwrap()
    };
    [("capture", "mac.tar.gz"), ("capture", "mac"), ("report", "mac.html")].map(make).into()
}

const SUDO: [(&str, &str); 2] = [("SUDO_UID", "1234"), ("SUDO_GID", "1234")];

#[test]
fn the_user_who_called_sudo_gets_what_was_made_in_a_folder_of_that_user() {
    if !is_root() {
        return;
    }
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let root = mac.mac.root().to_str().unwrap();
    let (whole, _) = mac.capture(mac.mac.root(), "recorded", &[]);
    let whole = whole.to_str().unwrap();
    let theirs = vec![(OTHER, OTHER, 0o600), (OTHER, OTHER, 0o700)];
    let roots = vec![(0, 0, 0o600), (0, 0, 0o700)];
    let live: &[&str] = &["--root", root];
    let cases = [
        ("as sudo calls it", &SUDO[..], live, true),
        ("not through sudo", &[], live, false),
        ("root called sudo", &[("SUDO_UID", "0"), ("SUDO_GID", "0")], live, false),
        ("no group", &[("SUDO_UID", "1234")], live, false),
        ("no number", &[("SUDO_UID", "1234x"), ("SUDO_GID", "1234")], live, false),
        ("minus one", &[("SUDO_UID", "4294967295"), ("SUDO_GID", "1234")], live, false),
        ("too large", &[("SUDO_UID", "1234"), ("SUDO_GID", "4294967296")], live, false),
        // Root reads any file as a source.
        ("a recorded source", &SUDO, &["--source", whole], false),
    ];
    for (case, sudo, arguments, is_given) in cases {
        let folder = folder_of_other();
        for output in make_all(&mac, folder.path(), sudo, arguments) {
            assert_eq!(output.status.code(), Some(0), "{case}: {}", stderr(&output));
        }
        let expected = if is_given { &theirs } else { &roots };
        assert_eq!(owners(&folder.path().join("mac")), *expected, "{case}");
        for file in ["mac.tar.gz", "mac.html"] {
            assert_eq!(owners(&folder.path().join(file)), expected[..1], "{case}: {file}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "{case}");
    }
}

#[test]
fn nobody_gets_a_file_in_a_folder_where_they_could_not_have_made_it() {
    if !is_root() {
        return;
    }
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    for (mode, owner, is_given) in [(0o755, 0, false), (0o1777, 0, true), (0o555, OTHER, false), (0o775, 5678, false)] {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        lchown(folder.path(), Some(owner), None).unwrap();
        for output in make_all(&mac, folder.path(), &SUDO, &["--root", mac.mac.root().to_str().unwrap()]) {
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        }
        let owner = if is_given { OTHER } else { 0 };
        for name in ["mac.tar.gz", "mac", "mac.html"] {
            let owners = owners(&folder.path().join(name));
            assert!(owners.iter().all(|found| found.0 == owner), "{mode:o}, {name}: {owners:?}");
        }
    }
}

/// Whoever owns the folder renames what appears in it, and puts a link to somewhere else in its place.
const SWAP: &str = r#"cd "$1"; while :; do for one in .mdm-health* mac mac.tar.gz mac.html*; do
    [ -e "$one" ] && [ ! -L "$one" ] && mv "$one" stolen.$$.$(( n += 1 )) && ln -s "$2" "$one"
done; done 2>/dev/null"#;

#[allow(clippy::disallowed_methods, reason = "the tests start an attacker")]
fn attacker(folder: &Path, aim: &Path) -> Child {
    let mut attacker = Command::new("setpriv");
    let user = OTHER.to_string();
    attacker.args(["--reuid", &user, "--regid", &user, "--clear-groups", "sh", "-c", SWAP, "sh"]);
    attacker.args([folder, aim]).spawn().unwrap()
}

#[test]
fn what_is_swapped_for_a_link_is_neither_followed_nor_given_away() {
    if !is_root() {
        return;
    }
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let aim = tempfile::tempdir().unwrap();
    for name in ["capture", "redacted", "commands", "root"] {
        fs::create_dir(aim.path().join(name)).unwrap();
    }
    for name in ["capture.json", "log.ndjson", "capture.tar.gz"] {
        fs::write(aim.path().join(name), "somebody's").unwrap();
    }
    let (folder, before) = (folder_of_other(), listing(aim.path()));
    let mut attacker = attacker(folder.path(), aim.path());
    let mut refused = 0;
    for _ in 0..8 {
        let arguments = ["--root", mac.mac.root().to_str().unwrap()];
        for output in make_all(&mac, folder.path(), &SUDO, &arguments) {
            refused += i32::from(output.status.code() != Some(0));
        }
    }
    attacker.kill().unwrap();
    attacker.wait().unwrap();
    assert_eq!(listing(aim.path()), before);
    // Whatever was stolen is either root's and closed, or what the user was to get.
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let owners = owners(&path);
        let is_link = fs::symlink_metadata(&path).unwrap().is_symlink();
        assert!(is_link || owners.iter().all(|(.., mode)| mode & 0o077 == 0), "{path:?}: {owners:?}");
    }
    eprintln!("{refused} of 24 were refused");
}

/// Everything below a folder, with its owner and size.
fn listing(folder: &Path) -> Vec<(String, u32, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let (path, found) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        let size = if found.is_dir() { 0 } else { found.len() };
        all.push((path.display().to_string(), found.uid(), size));
        if found.is_dir() {
            all.extend(listing(&path));
        }
    }
    all.sort();
    all
}

/// The admin types a path in the user's home; the user made one of its folders a link to a folder of root's.
#[test]
fn a_link_of_the_user_leads_root_to_no_folder_where_the_user_may_not_write() {
    if !is_root() {
        return;
    }
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let (home, aim) = (folder_of_other(), tempfile::tempdir().unwrap());
    fs::write(aim.path().join("mac.html"), "somebody's").unwrap();
    let before = listing(aim.path());
    let (link, twice) = (home.path().join("reports"), home.path().join("twice"));
    for (link, target) in [(&link, aim.path()), (&twice, Path::new("./reports/."))] {
        std::os::unix::fs::symlink(target, link).unwrap();
        lchown(link, Some(OTHER), Some(OTHER)).unwrap();
    }
    let root = mac.mac.root().to_str().unwrap();
    for folder in [&link, &twice] {
        for arguments in [&["--root", root][..], &["--root", root, "--force"]] {
            let outputs = make_all(&mac, folder, &SUDO, arguments);
            let refused = outputs.iter().filter(|output| !output.status.success()).count();
            assert_eq!(refused, 3, "{folder:?} {arguments:?}");
            let said = stderr(&outputs[0]);
            assert!(arguments.len() > 2 || said.contains("symbolic link that belongs to somebody else"), "{said}");
        }
    }
    assert_eq!(listing(aim.path()), before);
    // A link of root's is as good as any folder, and so is one of the user's own to where the user may write.
    let (other, place) = (folder_of_other(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(other.path(), place.path().join("roots")).unwrap();
    std::os::unix::fs::symlink(other.path(), home.path().join("own")).unwrap();
    lchown(home.path().join("own"), Some(OTHER), Some(OTHER)).unwrap();
    for (at, folder) in [place.path().join("roots/"), home.path().join("own")].iter().enumerate() {
        let name = folder.join(format!("mac{at}.html"));
        let output =
            program(&["report", name.to_str().unwrap(), "--root", root, "--now", &mac.now]).envs(SUDO).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(owners(&name), [(OTHER, OTHER, 0o600)]);
    }
}
