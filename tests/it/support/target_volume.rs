//! A volume on which the package is installed: folders below a temporary root, and scripts in place of the commands that
//! only a Mac has or only root may use.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Commands that do not exist, or must not be run, where the tests run.
const COMMANDS: [&str; 5] = ["launchctl", "chown", "pkgutil", "sleep", "id"];

/// The beginning of a universal binary, which is all that the scripts look at.
pub const UNIVERSAL: &[u8] = b"\xca\xfe\xba\xbe\x00\x00\x00\x02 a universal binary";

/// Which volume the scripts are told to work on.
#[derive(Clone, Copy, PartialEq)]
pub enum Target {
    /// The startup volume, `/`.
    Startup,
    /// Another volume.
    Other,
}

/// The volume, deleted on drop.
pub struct Volume {
    folder: TempDir,
}

impl Volume {
    /// A volume with this macOS, on which nothing is installed.
    pub fn with_macos(version: &str) -> Self {
        let volume = Self { folder: TempDir::new().unwrap() };
        let plist =
            format!("<plist version=\"1.0\">\n<dict>\n\t<key>ProductVersion</key>\n\t<string>{version}</string>\n");
        volume.write("System/Library/CoreServices/SystemVersion.plist", &format!("{plist}</dict>\n</plist>\n"));
        for folder in ["usr/local", "Library/LaunchDaemons"] {
            fs::create_dir_all(volume.path(folder)).unwrap();
            volume.set_mode(folder, 0o755);
        }
        let commands = volume.folder.path().join("bin");
        fs::create_dir(&commands).unwrap();
        for command in COMMANDS {
            symlink(stand_in("command"), commands.join(command)).unwrap();
        }
        volume.note("running", "");
        volume.note("calls", "");
        volume
    }

    /// A volume on which the Installer has copied the payload and not yet run postinstall.
    pub fn with_payload() -> Self {
        let volume = Self::with_macos("26.1");
        let laid_out = lay_out(volume.folder.path());
        assert!(laid_out.status.success(), "{}", text(&laid_out.stderr));
        let (from, to) = (volume.folder.path().join("root/."), volume.path(""));
        let copied = command("cp").args(["-R".as_ref(), from.as_os_str(), to.as_os_str()]).status().unwrap();
        assert!(copied.success());
        volume
    }

    /// The path of a file on the volume.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("volume").join(path)
    }

    pub fn write(&self, path: &str, contents: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), Permissions::from_mode(mode)).unwrap();
    }

    pub fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().mode() & 0o7777
    }

    /// Writes a file that the commands read.
    pub fn note(&self, name: &str, contents: &str) {
        fs::write(self.folder.path().join(name), contents).unwrap();
    }

    /// The calls so far, without chown.
    pub fn calls(&self) -> Vec<String> {
        self.all_calls().into_iter().filter(|call| !call.starts_with("chown ")).collect()
    }

    /// The calls so far, without the path of the volume.
    pub fn all_calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.folder.path().join("calls")).unwrap();
        let root = self.path("");
        calls.lines().map(|call| call.replace(root.to_str().unwrap().trim_end_matches('/'), "")).collect()
    }

    /// Runs `preinstall` or `postinstall` as the Installer does.
    pub fn run(&self, script: &str, target: Target) -> Output {
        self.run_file(&packaging(&format!("scripts/{script}")), target)
    }

    /// Runs a `preinstall` or `postinstall` that lies elsewhere.
    pub fn run_file(&self, script: &Path, target: Target) -> Output {
        let told = if target == Target::Startup { PathBuf::from("/") } else { self.path("") };
        let arguments = ["/tmp/mdm-health.pkg".as_ref(), told.as_path(), told.as_path(), Path::new("/")];
        self.copy_of(script, target).args(arguments).output().unwrap()
    }

    /// Runs `uninstall.sh` for the startup volume.
    pub fn uninstall(&self, arguments: &[&str]) -> Output {
        self.copy_of(&packaging("uninstall.sh"), Target::Startup).args(arguments).output().unwrap()
    }

    /// A copy of a script with three lines changed: the PATH begins with our commands, the root is this volume, and root
    /// is who runs the tests.
    fn copy_of(&self, script: &Path, target: Target) -> Command {
        let mut lines = fs::read_to_string(script).unwrap();
        let mut replace = |line: &str, by: String| {
            let line = format!("\n{line}\n");
            assert_eq!(lines.matches(&line).count(), 1, "{}: {line}", script.display());
            lines = lines.replace(&line, &format!("\n{by}\n"));
        };
        let usual = "/usr/bin:/bin:/usr/sbin:/sbin";
        replace(&format!("PATH={usual}"), format!("PATH='{}':{usual}", self.folder.path().join("bin").display()));
        if script.ends_with("uninstall.sh") {
            replace("owner=0", format!("owner={}", fs::metadata(self.folder.path()).unwrap().uid()));
        }
        if target == Target::Startup {
            replace(
                "root=${target%/}",
                format!("root='{}'", self.path("").display().to_string().trim_end_matches('/')),
            );
        }
        let copy = self.folder.path().join("script");
        fs::write(&copy, lines).unwrap();
        let mut shell = command("/bin/sh");
        shell.arg(copy);
        shell
    }
}

/// Lays out the package in a folder, with a file in place of the binary.
pub fn lay_out(folder: &Path) -> Output {
    fs::write(folder.join("binary"), UNIVERSAL).unwrap();
    fs::write(folder.join("notices"), "licences of others").unwrap();
    command(packaging("build-pkg.sh"))
        .args(["--layout-only".as_ref(), folder, "1.2.3".as_ref()])
        .args([folder.join("binary"), folder.join("notices")])
        .output()
        .unwrap()
}

/// A script that replaces the commands whose names link to it.
pub fn stand_in(name: &str) -> PathBuf {
    repository().join("tests/package_mac").join(name)
}

/// The path of a file of `packaging`.
pub fn packaging(name: &str) -> PathBuf {
    repository().join("packaging").join(name)
}

/// The project's folder: this file is part of the tests of packaging/tool too.
fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|folder| folder.join("packaging/build-pkg.sh").exists()).unwrap()
}

#[allow(clippy::disallowed_methods, reason = "the tests start the scripts themselves")]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Everything below a folder, by its path from there.
pub fn below(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// The error of a script that refused.
pub fn refusal(output: &Output) -> &str {
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    text(&output.stderr)
}
