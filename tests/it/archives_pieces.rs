//! Archives as files: every way of packing says the same, any place can be read, and limits end what has none.

use crate::support::{self, Mac, three_commands};
use flate2::Compression;
use flate2::write::GzEncoder;
use mdm_health::host::Recorded;
use mdm_health::host::pieces::{Pieces, Shape, ShapeError};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tar::{EntryType, Header};

/// A tar archive in memory.
#[derive(Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// Adds an entry whose header names it in 100 bytes at most.
    pub fn add(mut self, path: &str, kind: EntryType, content: &[u8]) -> Self {
        self.header(path, kind, content.len() as u64);
        self.content(content)
    }

    /// Adds a file.
    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.add(path, EntryType::Regular, content)
    }

    /// Adds a file as pax does: its whole path and size in records before a header with others.
    pub fn pax(mut self, path: &str, content: &[u8]) -> Self {
        let records: String =
            [("path", path.to_owned()), ("size", content.len().to_string()), ("mtime", "1.5".to_owned())]
                .iter()
                .map(|(key, value)| {
                    let rest = format!(" {key}={value}\n");
                    let length = (1..).find(|length: &usize| *length == rest.len() + length.to_string().len()).unwrap();
                    format!("{length}{rest}")
                })
                .collect();
        self = self.add("PaxHeader/x", EntryType::XHeader, records.as_bytes());
        self.header("shortened", EntryType::Regular, 0);
        self.content(content)
    }

    /// Adds a file as GNU tar does when its path is long.
    pub fn gnu(self, path: &str, content: &[u8]) -> Self {
        self.add("././@LongLink", EntryType::GNULongName, &[path.as_bytes(), b"\0"].concat()).file("shortened", content)
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    fn header(&mut self, path: &str, kind: EntryType, size: u64) {
        let mut header = Header::new_ustar();
        header.set_path(path).unwrap();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
    }

    fn content(mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// The files of a folder by their paths within it.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let name = |path: &PathBuf| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    mdm_health::host::pieces::files(folder).unwrap().iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

fn opened(bytes: &[u8]) -> (tempfile::TempDir, std::io::Result<Option<Pieces>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    fs::write(&path, bytes).unwrap();
    let pieces = Pieces::open(&path, &());
    (folder, pieces)
}

#[test]
fn a_capture_says_the_same_whichever_way_it_is_packed() {
    let folder = three_commands();
    let files = files(folder.path());
    let pack = |name: &dyn Fn(&str) -> String, add: fn(Tar, &str, &[u8]) -> Tar| {
        files.iter().fold(Tar::default(), |tar, (path, content)| add(tar, &name(path), content)).end()
    };
    let long = "a-mac-on-the-second-floor-".repeat(8);
    let plain = |path: &str| path.to_owned();
    let archives = [
        pack(&plain, Tar::file),
        pack(&|path| format!("./{path}"), Tar::file),
        pack(&|path| format!("capture/{path}"), Tar::file),
        pack(&|path| format!("{long}/{path}"), Tar::pax),
        pack(&|path| format!("{long}/{path}"), Tar::gnu),
        // What a Mac adds of its own, and a header for the whole archive.
        pack(&plain, |tar, path, content| {
            let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
            tar.add("pax_global_header", EntryType::XGlobalHeader, b"10 path=x\n")
                .pax(&format!("{folder}/._{name}"), b"resource fork")
                .pax(path, content)
        }),
    ];
    let rows = |source: &Path| {
        let findings = support::findings(source);
        ["mdm_watchdog", "mdm_commands_recent", "mdm_exchanges"].map(|table| support::rows(&findings, table))
    };
    let expected = rows(folder.path());
    assert_eq!(expected[1].len(), 3);
    for (number, archive) in archives.iter().enumerate() {
        for bytes in [archive.clone(), gzip(archive)] {
            let path = folder.path().join("packed");
            fs::write(&path, bytes).unwrap();
            assert_eq!(rows(&path), expected, "archive {number}");
        }
    }
}

#[test]
fn any_place_of_any_piece_is_read_from_any_other() {
    let mut seed = 7_u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    // Half random, half repeated, so that all kinds of deflate blocks occur.
    let content = |length: usize, random: &mut dyn FnMut() -> u32| -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let one = random().to_le_bytes();
            if random().is_multiple_of(2) { bytes.extend_from_slice(&one) } else { bytes.extend([one[0]; 40]) }
        }
        bytes.truncate(length);
        bytes
    };
    let contents: Vec<Vec<u8>> =
        [9 << 20, 100, 0, 7 << 20, 513].iter().map(|length| content(*length, &mut random)).collect();
    let tar = contents.iter().enumerate().fold(Tar::default(), |tar, (at, one)| tar.pax(&format!("p/{at}"), one)).end();
    // In one member, and in two that are read as one.
    let (first, second) = tar.split_at(tar.len() / 3);
    for archive in [tar.clone(), gzip(&tar), [gzip(first), gzip(second)].concat()] {
        let (_folder, pieces) = opened(&archive);
        let pieces = pieces.unwrap().unwrap();
        assert!(pieces.broken().is_none());
        assert_eq!(pieces.list("p").unwrap().len(), 5);
        for at in [4, 0, 3, 2, 1] {
            let expected = &contents[at];
            let mut piece = pieces.piece(&format!("p/{at}")).unwrap();
            let mut whole = Vec::new();
            piece.read_to_end(&mut whole).unwrap();
            assert!(&whole == expected, "piece {at}");
            for _ in 0..20 {
                let from = random() as usize % (expected.len() + 1);
                piece.seek(SeekFrom::Start(from as u64)).unwrap();
                let mut some = Vec::new();
                piece.by_ref().take(1000).read_to_end(&mut some).unwrap();
                assert!(some == expected[from..(from + 1000).min(expected.len())], "piece {at} from {from}");
            }
        }
    }
}

#[test]
fn sixteen_gibibytes_of_nothing_in_sixteen_megabytes_end_at_a_limit() {
    let mut bomb = Tar::default();
    bomb.header("bomb", EntryType::Regular, 8 << 30);
    // A gzip file may have any number of members, so that one that is made quickly does for all.
    let zeros = gzip(&vec![0; 64 << 20]);
    let bomb = [gzip(&bomb.0), zeros.repeat(256)].concat();
    let (folder, pieces) = opened(&bomb);
    let error = pieces.unwrap_err();
    assert!(error.to_string().contains("unpacks to more than"), "{error}");
    let error = Recorded::open(&folder.path().join("archive"), None).unwrap_err();
    assert!(error.to_string().contains("unpacks to more than"), "{error}");
}

#[test]
fn an_archive_may_hold_a_hundred_thousand_files_and_no_more() {
    let mut tar = Tar::default();
    for number in 0..=100_000 {
        tar.header(&format!("f/{number}"), EntryType::Regular, 0);
        if number == 20_000 {
            let (_folder, pieces) = opened(&tar.0);
            assert_eq!(pieces.unwrap().unwrap().list("f").unwrap().len(), 20_001);
        }
    }
    let (_folder, pieces) = opened(&tar.end());
    assert!(pieces.unwrap_err().to_string().contains("more than 100000 files"));
}

#[test]
fn an_archive_that_is_cut_off_gives_what_lies_before() {
    let tar = Tar::default().file("first", &[1; 4000]).file("second", &[2; 400_000]).end();
    for (bytes, cut) in [(tar.clone(), tar.len() - 100_000), (gzip(&tar), 600)] {
        let (_folder, pieces) = opened(&bytes[..cut]);
        let pieces = pieces.unwrap().unwrap();
        assert!(pieces.broken().is_some());
        let mut first = Vec::new();
        pieces.piece("first").unwrap().read_to_end(&mut first).unwrap();
        assert_eq!(first, [1; 4000]);
    }
    let packed = gzip(&tar);
    let mut damaged = packed.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    let (_folder, pieces) = opened(&damaged);
    assert!(pieces.unwrap().unwrap().broken().unwrap().to_string().contains("checksum"));
}

#[test]
fn names_in_a_folder_are_listed_whatever_characters_follow_them() {
    let tar = ["a", "a-b", "a/x", "a/y/z", "a0", "a0/x", "b/._hidden"]
        .iter()
        .fold(Tar::default(), |tar, name| tar.file(name, b""))
        .end();
    let (_folder, pieces) = opened(&tar);
    let pieces = pieces.unwrap().unwrap();
    let entries = |folder: &str| pieces.entries(folder).unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(entries(""), ["a", "a-b", "a0"]);
    assert_eq!(entries("a"), ["x", "y"]);
    assert_eq!(pieces.list("a").unwrap(), ["a/x", "a/y/z"]);
}

/// Lays files out in a folder, a tar and a tar.gz, and says what each is.
fn shapes(top: &str, names: &[&str]) -> [Result<Shape, ShapeError>; 3] {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join(if top.is_empty() { "root" } else { top });
    for name in names {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    let within = |name: &str| if top.is_empty() { name.to_owned() } else { format!("{top}/{name}") };
    let tar = names.iter().fold(Tar::default(), |tar, name| tar.file(&within(name), b"")).end();
    let of = |path: &Path| Shape::of(&Pieces::open(path, &()).unwrap().unwrap());
    let (plain, packed) = (folder.path().join("x.tar"), folder.path().join("x.tar.gz"));
    fs::write(&plain, &tar).unwrap();
    fs::write(&packed, gzip(&tar)).unwrap();
    [of(&root), of(&plain), of(&packed)]
}

#[test]
fn what_people_have_is_recognised_as_folder_tar_and_tar_gz() {
    let archive = ["Info.plist", "Persist/0000000000000001.tracev3", "timesync/0000000000000001.timesync"];
    let diagnostics = "system_logs.logarchive/Persist/0000000000000001.tracev3";
    for (top, names, expected) in [
        ("capture", &["capture.json", "log.ndjson"][..], "Capture"),
        ("", &["capture.json", "log.ndjson"], "Capture"),
        ("x.logarchive", &archive, "Log"),
        ("", &archive, "Log"),
        ("sysdiagnose_2026.11.23_18-00-00+0100_macOS_Mac14-2_24G90", &["sw_vers.txt", diagnostics], "Sysdiagnose"),
        ("", &["sw_vers.txt", diagnostics], "Sysdiagnose"),
        ("no-log", &["sw_vers.txt", "logs/install.log"], "Sysdiagnose"),
        ("", &["diagnostics/Persist/0000000000000001.tracev3", "uuidtext/AB/414C1EC0233A05AF22029CC5E160EA"], "Log"),
        ("folder", &["my.logarchive/Persist/0000000000000001.tracev3"], "Log"),
    ] {
        for shape in shapes(top, names) {
            assert!(format!("{shape:?}").starts_with(&format!("Ok({expected}(")), "{top} {names:?}: {shape:?}");
        }
    }
    for shape in shapes("photos", &["a.jpg", "b/c.jpg"]) {
        assert!(matches!(shape, Err(ShapeError::Unknown)), "{shape:?}");
    }
}

#[test]
fn the_sysdiagnose_of_an_iphone_is_refused_by_name() {
    let names = ["logs/SystemVersion/SystemVersion.plist", "system_logs.logarchive/Persist/0000000000000001.tracev3"];
    for shape in shapes("sysdiagnose_2026.11.23_18-00-00+0100_iPhone-OS_iPhone_23A341", &names) {
        let error = shape.unwrap_err().to_string();
        assert!(error.contains("iPhone") && error.contains("not a Mac's"), "{error}");
    }
}

#[test]
fn a_folder_whose_files_are_links_or_pipes_is_not_followed() {
    let folder = Mac::at("2026-11-23T18:00:00Z").folder();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("commands/link.out")).unwrap();
    let pieces = Pieces::open(folder.path(), &()).unwrap().unwrap();
    assert!(!pieces.list("").unwrap().iter().any(|name| name.ends_with("link.out")));
}
