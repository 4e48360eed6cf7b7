//! What the checker accepts and what it refuses, on small binaries that are written here.

use super::*;
use crate::macho;
use sha2::{Digest, Sha256};

const SYSTEM: &str = "/usr/lib/libSystem.B.dylib";
const PAGE: usize = 4096;

/// A program for one architecture: its load commands, its imports, some text and a signature.
#[derive(Clone)]
struct Program {
    cpu: u32,
    kind: u32,
    platform: u32,
    minimum: u32,
    sdk: u32,
    libraries: Vec<&'static str>,
    run_path: Option<&'static str>,
    imports: Vec<&'static str>,
    text: &'static str,
    signed: bool,
}

impl Program {
    fn new(cpu: u32) -> Self {
        Self {
            cpu,
            kind: 2,
            platform: 1,
            minimum: 12 << 16,
            sdk: 27 << 16,
            libraries: vec![SYSTEM],
            run_path: None,
            imports: vec!["_open", "_read"],
            text: "",
            signed: true,
        }
    }

    fn arm64() -> Self {
        Self::new(0x0100_000c)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut commands = vec![words(&[0x32, 24, self.platform, self.minimum, self.sdk, 0])];
        commands.extend(self.libraries.iter().map(|library| named(0xc, &[24, 2, 0, 0], library)));
        commands.extend(self.run_path.map(|path| named(0x8000_001c, &[12], path)));
        let (mut names, mut symbols) = (vec![0], Vec::new());
        for import in &self.imports {
            symbols.extend(words(&[u32::try_from(names.len()).unwrap()]));
            // Undefined and external, from the first library.
            symbols.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
            names.extend(import.bytes().chain([0]));
        }
        let size = commands.iter().map(Vec::len).sum::<usize>() + 24 + 16;
        let [at_symbols, at_names] = [32 + size, 32 + size + symbols.len()];
        let at_signature = (at_names + names.len() + self.text.len()).next_multiple_of(16) + 2 * PAGE;
        let number = |number: usize| u32::try_from(number).unwrap();
        let count = number(self.imports.len());
        commands.push(words(&[0x2, 24, number(at_symbols), count, number(at_names), number(names.len())]));
        let pages = at_signature.div_ceil(PAGE);
        let signature_size = 20 + 44 + 4 + 32 * pages;
        if self.signed {
            commands.push(words(&[0x1d, 16, number(at_signature), number(signature_size)]));
        } else {
            // LC_DATA_IN_CODE, empty.
            commands.push(words(&[0x29, 16, 0, 0]));
        }
        let count = number(commands.len());
        let mut bytes = words(&[0xfeed_facf, self.cpu, 0, self.kind, count, number(size), 0x0020_0085, 0]);
        bytes.extend(commands.concat());
        bytes.extend([symbols, names, self.text.into()].concat());
        bytes.resize(at_signature, 0);
        if self.signed {
            let hashes: Vec<u8> = bytes.chunks(PAGE).flat_map(|page| Sha256::digest(page).to_vec()).collect();
            let directory = [
                big(&[0xfade_0c02, number(signature_size - 20), 0x20400, 2, 48, 44, 0, number(pages)]),
                big(&[number(at_signature)]),
                vec![32, 2, 0, 12],
                big(&[0]),
                b"abc\0".to_vec(),
                hashes,
            ];
            bytes.extend(big(&[0xfade_0cc0, number(signature_size), 1, 0, 20]));
            bytes.extend(directory.concat());
        }
        bytes
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn big(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A load command with a path behind its fields.
fn named(command: u32, fields: &[u32], path: &str) -> Vec<u8> {
    let size = (8 + 4 * fields.len() + path.len() + 1).next_multiple_of(8);
    let mut bytes = words(&[&[command, u32::try_from(size).unwrap()], fields].concat());
    bytes.extend(path.bytes());
    bytes.resize(size, 0);
    bytes
}

/// A universal binary of these programs.
fn universal(programs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = big(&[0xcafe_babe, u32::try_from(programs.len()).unwrap()]);
    let mut at = 0x4000;
    for program in programs {
        let cpu = u32::from_le_bytes(program[4..8].try_into().unwrap());
        bytes.extend(big(&[cpu, 0, at, u32::try_from(program.len()).unwrap(), 14]));
        at = (at + u32::try_from(program.len()).unwrap()).next_multiple_of(0x4000);
    }
    for program in programs {
        bytes.resize(bytes.len().next_multiple_of(0x4000), 0);
        bytes.extend(program);
    }
    bytes
}

fn stubs() -> Stubs {
    let mut stubs = Stubs::default();
    let text = "--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\n\
                install-name: '/usr/lib/libSystem.B.dylib'\nexports:\n  - targets: [ x86_64-macos, arm64-macos ]\n    symbols: [ _open ]\n\
                --- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\n\
                install-name: '/usr/lib/system/libsystem_kernel.dylib'\nexports:\n  - targets: [ x86_64-macos, arm64-macos ]\n    \
                symbols: [ _read ]\n  - targets: [ x86_64-macos ]\n    symbols: [ '_open$NOCANCEL' ]\n...\n";
    stubs.add(text).unwrap();
    stubs
}

/// What is wrong with the Intel slice beside a sound one for Apple silicon, or the other way round.
fn faults_beside(program: &Program) -> Vec<String> {
    let other = if program.cpu == Program::arm64().cpu { 0x0100_0007 } else { Program::arm64().cpu };
    let slices = macho::read(&universal(&[program.bytes(), Program::new(other).bytes()])).unwrap();
    faults(&slices, &stubs(), &["/home/builder"])
}

#[test]
fn a_universal_program_for_macos_12_is_accepted_and_described() {
    let slices = macho::read(&universal(&[Program::arm64().bytes(), Program::new(0x0100_0007).bytes()])).unwrap();
    assert_eq!(faults(&slices, &stubs(), &["/home/builder"]), Vec::<String>::new());
    let table = table(&slices);
    let row = |title: &str| {
        let line = table.lines().find(|line| line.starts_with(title)).unwrap();
        line[title.len()..]
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(row("                    "), ["arm64", "x86_64"]);
    assert_eq!(row("least version"), ["12.0", "12.0"]);
    assert_eq!(row("libraries"), ["libSystem.B.dylib", "libSystem.B.dylib"]);
    assert_eq!(row("signature"), ["ad hoc, 3 pages", "ad hoc, 3 pages"]);
}

#[test]
fn each_fault_is_named() {
    let with = |change: fn(&mut Program)| {
        let mut program = Program::arm64();
        change(&mut program);
        program
    };
    for (program, fault) in [
        (with(|program| program.kind = 6), "it is not a program for macOS"),
        (with(|program| program.platform = 2), "it is not a program for macOS"),
        (with(|program| program.minimum = 11 << 16), "it runs from macOS 11.0 on"),
        (with(|program| program.minimum = 13 << 16), "it runs from macOS 13.0 on"),
        (with(|program| program.sdk = (15 << 16) | (5 << 8)), "its SDK is 15.5"),
        (
            with(|program| program.libraries.push("/opt/homebrew/lib/libz.dylib")),
            "it needs /opt/homebrew/lib/libz.dylib",
        ),
        (with(|program| program.libraries.push("@rpath/libz.dylib")), "it needs @rpath/libz.dylib"),
        (with(|program| program.run_path = Some("/home/builder")), "it looks for libraries in /home/builder"),
        (
            with(|program| program.imports.push("_added_in_macos_13")),
            "it needs _added_in_macos_13 of /usr/lib/libSystem",
        ),
        (with(|program| program.imports.push("_open$NOCANCEL")), "it needs _open$NOCANCEL"),
        (with(|program| program.text = "panicked at /home/builder/src"), "it holds the text"),
        (with(|program| program.signed = false), "it is not signed"),
    ] {
        let faults = faults_beside(&program);
        assert!(faults.iter().any(|found| found.starts_with(&format!("arm64: {fault}"))), "{fault}: {faults:?}");
    }
    let unsigned = Program { signed: false, ..Program::new(0x0100_0007) };
    assert_eq!(faults_beside(&unsigned), Vec::<String>::new(), "an Intel Mac runs it");
}

#[test]
fn one_changed_byte_on_any_page_breaks_the_signature() {
    let sound = Program::arm64().bytes();
    let signature = macho::read(&sound).unwrap()[0].signature.clone().unwrap().unwrap();
    assert_eq!((signature.pages, signature.identifier.as_str()), (3, "abc"));
    for page in 0..signature.pages {
        let mut changed = sound.clone();
        // Behind the load commands, and before the signature.
        let at = (page * PAGE + 2048).min(changed.len() - 500);
        changed[at] ^= 1;
        let slices = macho::read(&changed).unwrap();
        assert_eq!(slices[0].signature, Some(Err("1 of 3 pages have another hash than the signature says".to_owned())));
    }
    let mut longer = sound.clone();
    let end = longer.len() - 1;
    longer[end] ^= 1;
    assert!(matches!(&macho::read(&longer).unwrap()[0].signature, Some(Err(_))), "the last hash was changed");
}

#[test]
fn a_program_for_one_kind_of_mac_or_for_another_system_is_refused() {
    let slices = macho::read(&Program::arm64().bytes()).unwrap();
    assert_eq!(faults(&slices, &stubs(), &[]), ["it is for arm64, not for both kinds of Mac"]);
    let linux = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 57]].concat();
    assert!(macho::read(&linux).is_err());
}

#[test]
fn what_is_cut_off_anywhere_is_refused() {
    let whole = universal(&[Program::arm64().bytes(), Program::new(0x0100_0007).bytes()]);
    for end in (0..whole.len()).step_by(61) {
        let accepted = macho::read(&whole[..end]).is_ok_and(|slices| faults(&slices, &stubs(), &[]).is_empty());
        assert!(!accepted, "{end} of {} bytes", whole.len());
    }
}
