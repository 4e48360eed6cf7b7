//! What a Mach-O file, universal or for one architecture, says of itself.

use crate::signature::{self, Signature};
use object::macho::{self, MachHeader64, Platform};
use object::read::macho::{FatArch, LoadCommandVariant, MachHeader, MachOFatFile32, Nlist};
use object::{Architecture, LittleEndian};
use std::fmt::{self, Display};
use thiserror::Error;

/// Why a file cannot be read as a Mach-O.
#[derive(Debug, Error)]
pub enum MachoError {
    /// Its structure is broken, or it is another kind of file.
    #[error("{0}")]
    Malformed(#[from] object::Error),
    /// It has no version command, so macOS cannot know what it is for.
    #[error("it does not say for which system and version it was built")]
    NoVersion,
}

/// A version as Mach-O packs it: 16 bits, 8 bits, 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32);

impl Version {
    pub const fn new(major: u32, minor: u32) -> Self {
        Self((major << 16) | (minor << 8))
    }
}

impl Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0 >> 16, (self.0 >> 8) & 0xff)?;
        if self.0 & 0xff == 0 { Ok(()) } else { write!(formatter, ".{}", self.0 & 0xff) }
    }
}

/// A symbol that another library has to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub library: String,
    pub symbol: String,
    /// Whether the program starts without it.
    pub weak: bool,
}

/// The part of a universal binary for one architecture.
#[derive(Debug, Clone)]
pub struct Slice {
    pub architecture: Architecture,
    pub is_program: bool,
    pub platform: Platform,
    pub minimum: Version,
    pub sdk: Version,
    pub libraries: Vec<String>,
    /// Folders in which libraries are looked for.
    pub run_paths: Vec<String>,
    pub imports: Vec<Import>,
    /// What is wrong with the signature, or the signature; `None` if there is none.
    pub signature: Option<Result<Signature, String>>,
    pub bytes: Vec<u8>,
}

/// Reads a universal binary's slices, or the one of a plain binary.
pub fn read(data: &[u8]) -> Result<Vec<Slice>, MachoError> {
    if data.starts_with(&macho::FAT_MAGIC.to_be_bytes()) {
        let universal = MachOFatFile32::parse(data)?;
        return universal.arches().iter().map(|slice| slice_of(slice.data(data)?)).collect();
    }
    Ok(vec![slice_of(data)?])
}

fn slice_of(data: &[u8]) -> Result<Slice, MachoError> {
    let header = MachHeader64::<LittleEndian>::parse(data, 0)?;
    let endian = header.endian()?;
    let mut slice = Slice {
        architecture: match header.cputype(endian) {
            macho::CPU_TYPE_ARM64 => Architecture::Aarch64,
            macho::CPU_TYPE_X86_64 => Architecture::X86_64,
            _ => Architecture::Unknown,
        },
        is_program: header.filetype(endian) == macho::MH_EXECUTE,
        platform: Platform(0),
        minimum: Version(0),
        sdk: Version(0),
        libraries: Vec::new(),
        run_paths: Vec::new(),
        imports: Vec::new(),
        signature: None,
        bytes: data.to_vec(),
    };
    let (mut symbols, mut has_version) = (None, false);
    let mut commands = header.load_commands(endian, data, 0)?;
    while let Some(command) = commands.next()? {
        let text = |offset| command.string(endian, offset).map(|text| String::from_utf8_lossy(text).into_owned());
        match command.variant()? {
            LoadCommandVariant::BuildVersion(version, _) => {
                has_version = true;
                slice.platform = version.platform.get(endian);
                slice.minimum = Version(version.minos.get(endian).0);
                slice.sdk = Version(version.sdk.get(endian).0);
            }
            LoadCommandVariant::Dylib(library) => slice.libraries.push(text(library.dylib.name)?),
            LoadCommandVariant::Rpath(path) => slice.run_paths.push(text(path.path)?),
            LoadCommandVariant::Symtab(table) => symbols = Some(table),
            LoadCommandVariant::LinkeditData(part) if command.cmd() == macho::LC_CODE_SIGNATURE => {
                let place = (part.dataoff.get(endian), part.datasize.get(endian));
                slice.signature = Some(signature::read(data, place));
            }
            _ => {}
        }
    }
    if !has_version {
        return Err(MachoError::NoVersion);
    }
    if let Some(table) = symbols {
        let table = table.symbols::<MachHeader64<_>, _>(endian, data)?;
        for symbol in table.iter() {
            if symbol.is_stab() || !symbol.is_undefined() {
                continue;
            }
            let name = symbol.name(endian, table.strings())?;
            let ordinal = symbol.library_ordinal(endian).index().and_then(|ordinal| ordinal.checked_sub(1));
            let library = ordinal.and_then(|ordinal| slice.libraries.get(usize::from(ordinal)));
            slice.imports.push(Import {
                library: library.cloned().unwrap_or_default(),
                symbol: String::from_utf8_lossy(name).into_owned(),
                weak: symbol.n_desc(endian).contains(macho::N_WEAK_REF),
            });
        }
    }
    Ok(slice)
}
