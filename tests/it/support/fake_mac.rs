//! A folder that looks like a Mac: its commands are links to one script, and files beside them say how each behaves.
//!
//! Links, because a script that is being written while another thread forks cannot be run (ETXTBSY).

use super::folder;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What `ioreg -rd1 -c IOPlatformExpertDevice` prints, in part.
pub const PLATFORM: &str = r#"+-o J314sAP  <class IOPlatformExpertDevice, id 0x100000227, registered, matched, active, busy 0 (9203 ms), retain 40>
    {
      "manufacturer" = <"Apple Inc.">
      "IOPlatformSerialNumber" = "C02XXXXXXXXX"
      "serial-number" = <433032585858585858585858>
      "model" = <"MacBookPro18,3">
      "IOPlatformUUID" = "7D1F0A52-0C6B-4E55-8F0B-3A4C5D6E7F80"
    }
"#;
pub const SYSTEM_VERSION: &str = "/System/Library/CoreServices/SystemVersion.plist";
pub const DISK_SPACE: &str = "Filesystem   1024-blocks      Used Available Capacity  Mounted on
/dev/disk3s5   482797652 201326592 268435456    43%    /System/Volumes/Data
";
const BOOTSTRAP_TOKEN: &str =
    "profiles: Bootstrap Token supported on server: YES\nprofiles: Bootstrap Token escrowed to server: YES\n";

pub struct FakeMac {
    folder: TempDir,
}

impl FakeMac {
    /// A Mac without commands.
    pub fn new() -> Self {
        let mac = Self { folder: folder() };
        mac.file(SYSTEM_VERSION, "").file("/usr/bin/profiles.bootstraptoken.out", BOOTSTRAP_TOKEN);
        mac
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root().join(absolute.trim_start_matches('/'))
    }

    /// Writes a file at a path of the Mac. What a command prints is written as a line of shell, so that its script need not
    /// start another program to print it.
    pub fn file(&self, absolute: &str, text: &str) -> &Self {
        let path = self.path(absolute);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if absolute.ends_with(".out") {
            fs::write(path, format!("printf %s '{}'\n", text.replace('\'', r"'\''"))).unwrap();
        } else {
            fs::write(path, text).unwrap();
        }
        if absolute == SYSTEM_VERSION {
            self.kernel_says_the_same(text);
        }
        self
    }

    /// `sysctl -n kern.osproductversion kern.osversion` prints what the file names.
    fn kernel_says_the_same(&self, text: &str) {
        let value = |key: &str| Some(text.split_once(key)?.1.split_once("<string>")?.1.split_once('<')?.0.to_owned());
        if let Some((version, build)) = value("ProductVersion").zip(value("ProductBuildVersion")) {
            self.file("/usr/sbin/sysctl.kern.osversion.out", &format!("{version}\n{build}\n"));
        }
    }

    /// A command that prints `output` and succeeds.
    pub fn command(&self, absolute: &str, output: &str) -> &Self {
        self.file(&format!("{absolute}.out"), output).link(absolute, "command.sh")
    }

    /// A command that prints `output` when its first argument is `first`.
    pub fn answers(&self, absolute: &str, first: &str, output: &str) -> &Self {
        self.file(&format!("{absolute}.{first}.out"), output).link(absolute, "command.sh")
    }

    /// What the Mac is and is called.
    pub fn platform(&self) -> &Self {
        self.command("/usr/sbin/ioreg", PLATFORM)
            .answers("/usr/sbin/scutil", "--get", "Mac 42\n")
            .command("/bin/df", DISK_SPACE)
            .command("/usr/bin/pmset", "Now drawing from 'AC Power'\n")
    }

    /// A `log` that shows the records in the requested span.
    pub fn log(&self, records: &str) -> &Self {
        self.file("/usr/bin/log.records", records).link("/usr/bin/log", "log.sh")
    }

    /// Appends records to its log.
    pub fn log_more(&self, records: &str) -> &Self {
        let path = self.path("/usr/bin/log.records");
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(records.as_bytes()).unwrap();
        self
    }

    fn link(&self, absolute: &str, script: &str) -> &Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_mac").join(script);
        let link = self.path(absolute);
        if fs::symlink_metadata(&link).is_err() {
            symlink(script, link).unwrap();
        }
        self
    }

    /// Sets how a command behaves: see `tests/fake_mac/command.sh`.
    pub fn behaves(&self, absolute: &str, behaviour: &str) -> &Self {
        self.file(&format!("{absolute}.do"), &format!("{behaviour}\n"))
    }

    pub fn fails(&self, absolute: &str, code: i32, stderr: &str) -> &Self {
        self.file(&format!("{absolute}.code"), &format!("{code}\n")).file(&format!("{absolute}.err"), stderr)
    }

    /// The arguments of each call of a command.
    pub fn calls(&self, absolute: &str) -> Vec<String> {
        let calls = fs::read_to_string(self.path(&format!("{absolute}.calls"))).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// Makes a command record its environment.
    pub fn notes_environment(&self, absolute: &str) -> &Self {
        self.file(&format!("{absolute}.env"), "")
    }

    /// The environment that it recorded.
    pub fn environment(&self, absolute: &str) -> String {
        fs::read_to_string(self.path(&format!("{absolute}.env"))).unwrap()
    }
}
