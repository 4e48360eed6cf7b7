//! The package that is made on Linux, opened again by other programs: its files, owners, modes and contents are those of the
//! layout, and its scripts install it on a volume that stands for a Mac's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

#[allow(dead_code, reason = "the tests of the program use the rest")]
#[path = "../../../tests/it/support/target_volume.rs"]
mod target_volume;

use apple_bom::ParsedBom;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use target_volume::{Target, Volume, below, command, lay_out, packaging, text};
use tempfile::TempDir;

/// A package, its layout, and what bsdtar takes out of it.
struct Package {
    folder: TempDir,
}

fn make(layout: &Path, out: &Path) -> Output {
    let mut tool = command(env!("CARGO_BIN_EXE_packaging-tool"));
    tool.args(["package".as_ref(), layout, "org.mdm-health.pkg".as_ref(), "1.2.3".as_ref(), out]).output().unwrap()
}

/// Runs a program within a folder and gives what it printed.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = command(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|why| panic!("{program}: {why} (Debian: libarchive-tools, cpio)"));
    assert!(output.status.success(), "{program}: {}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

impl Package {
    fn new() -> Self {
        let package = Self { folder: TempDir::new().unwrap() };
        let laid_out = lay_out(package.folder.path());
        assert!(laid_out.status.success(), "{}", text(&laid_out.stderr));
        let made = make(package.folder.path(), &package.path("out.pkg"));
        assert!(made.status.success(), "{}", text(&made.stderr));
        fs::create_dir(package.path("open")).unwrap();
        run(&package.path("open"), "bsdtar", &["-xf", "../out.pkg"]);
        package
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A part of the package within the product.
    fn part(&self, name: &str) -> PathBuf {
        self.path("open/mdm-health.pkg").join(name)
    }

    /// What bsdtar lists in an archive: mode, numbers of owner and group, and size of each path.
    fn listed(&self, part: &str) -> BTreeMap<String, (String, String, String)> {
        let list = run(&self.path("open"), "bsdtar", &["-tvf", self.part(part).to_str().unwrap(), "--numeric-owner"]);
        let entry = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let owner = format!("{}:{}", fields[2], fields[3]);
            (fields[8].trim_end_matches('/').to_owned(), (fields[0].to_owned(), owner, fields[4].to_owned()))
        };
        list.lines().map(entry).collect()
    }
}

/// How `ls` writes a mode.
fn letters(mode: u32, folder: bool) -> String {
    let bits = ["---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx"];
    let three = |shift: u32| bits[(mode >> shift & 7) as usize];
    format!("{}{}{}{}", if folder { "d" } else { "-" }, three(6), three(3), three(0))
}

#[test]
fn the_payload_is_the_layout_and_all_of_it_is_roots() {
    let package = Package::new();
    let root = package.path("root");
    let listed = package.listed("Payload");
    let expected = below(&root).into_iter().map(|path| {
        let found = fs::metadata(root.join(&path)).unwrap();
        let size = if found.is_dir() { "0".to_owned() } else { found.len().to_string() };
        let mode = letters(found.permissions().mode(), found.is_dir());
        (format!("./{path}"), (mode, "0:0".to_owned(), size))
    });
    let mut expected: BTreeMap<_, _> = expected.collect();
    expected.insert(".".to_owned(), ("drwxr-xr-x".to_owned(), "0:0".to_owned(), "0".to_owned()));
    assert_eq!(listed, expected);
}

#[test]
fn the_bill_of_materials_lists_the_same() {
    let package = Package::new();
    let root = package.path("root");
    let bom = fs::read(package.part("Bom")).unwrap();
    let bom = ParsedBom::parse(&bom).unwrap();
    let mut listed = BTreeMap::new();
    for path in bom.paths().unwrap() {
        let mode = u32::from(path.file_mode()) & 0o7777;
        listed.insert(path.path().to_owned(), (mode, path.user_id(), path.group_id()));
    }
    let mut expected: BTreeMap<_, _> = below(&root)
        .into_iter()
        .map(|path| {
            let mode = fs::metadata(root.join(&path)).unwrap().mode() & 0o7777;
            (format!("./{path}"), (mode, 0, 0))
        })
        .collect();
    expected.insert(".".to_owned(), (0o755, 0, 0));
    assert_eq!(listed, expected);
}

#[test]
fn the_package_says_what_it_is_and_which_macos_it_needs() {
    let package = Package::new();
    let info = fs::read_to_string(package.part("PackageInfo")).unwrap();
    for part in ["identifier=\"org.mdm-health.pkg\"", "version=\"1.2.3\"", "install-location=\"/\"", "auth=\"root\""] {
        assert!(info.contains(part), "{part}: {info}");
    }
    assert!(info.contains(&format!("numberOfFiles=\"{}\"", below(&package.path("root")).len() + 1)), "{info}");
    for script in ["preinstall", "postinstall"] {
        assert!(info.contains(&format!("<{script} file=\"./{script}\"")), "{info}");
    }
    let distribution = fs::read_to_string(package.path("open/Distribution")).unwrap();
    assert!(distribution.contains("<os-version min=\"12.0\"/>"), "{distribution}");
    assert!(distribution.contains("hostArchitectures=\"arm64,x86_64\""), "{distribution}");
    assert!(distribution.contains(">#mdm-health.pkg</pkg-ref>"), "{distribution}");
}

#[test]
fn its_payload_and_scripts_install_it_on_a_volume() {
    let package = Package::new();
    let volume = Volume::with_macos("26.1");
    let unpack = |part: &str, to: &Path| {
        fs::create_dir_all(to).unwrap();
        let script = format!("gzip -dc '{}' | cpio -id --quiet --no-preserve-owner", package.part(part).display());
        run(to, "/bin/sh", &["-c", &script]);
    };
    let scripts = package.path("scripts-unpacked");
    unpack("Scripts", &scripts);
    for script in ["preinstall", "postinstall"] {
        assert_eq!(fs::read(scripts.join(script)).unwrap(), fs::read(packaging("scripts").join(script)).unwrap());
        assert_eq!(fs::metadata(scripts.join(script)).unwrap().mode() & 0o777, 0o755);
    }
    let before = volume.run_file(&scripts.join("preinstall"), Target::Other);
    assert!(before.status.success(), "{}", text(&before.stderr));
    unpack("Payload", &volume.path(""));
    let after = volume.run_file(&scripts.join("postinstall"), Target::Other);
    assert!(after.status.success(), "{}", text(&after.stderr));
    let root = package.path("root");
    for path in below(&root).iter().filter(|path| root.join(path).is_file()) {
        assert_eq!(fs::read(volume.path(path)).unwrap(), fs::read(root.join(path)).unwrap(), "{path}");
        assert_eq!(volume.mode(path), fs::metadata(root.join(path)).unwrap().mode() & 0o7777, "{path}");
    }
    assert_eq!(volume.read("private/var/osquery/extensions.load"), "/usr/local/mdm-health/mdm_health.ext\n");
}

#[test]
fn the_same_layout_gives_the_same_package() {
    let [first, second] = [Package::new(), Package::new()].map(|package| fs::read(package.path("out.pkg")).unwrap());
    assert!(first == second);
}

#[test]
fn what_cannot_be_installed_as_it_is_makes_no_package() {
    let package = Package::new();
    let refused = |why: &str| {
        let output = make(package.folder.path(), &package.path("second.pkg"));
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    };
    let link = package.path("root/usr/local/link");
    symlink("/etc/passwd", &link).unwrap();
    refused("link is neither a plain file nor a folder");
    fs::remove_file(link).unwrap();
    let program = package.path("root/usr/local/mdm-health/mdm-health");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    refused("must be permission bits only");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(package.path("distribution.xml"), "<installer-gui-script/>").unwrap();
    refused("must name the package once");
}
