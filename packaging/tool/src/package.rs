//! The installer package: what `build-pkg.sh --layout-only` laid out (`root/`, `scripts/` and `distribution.xml`) as a product
//! archive, as `pkgbuild` and `productbuild` make it. All of it is root's. The same layout gives the same bytes.

use apple_xar::reader::XarReader;
use embala_pkg::{DirSpec, FileSpec, PkgSpec, XarEntry, XarEntryKind, write_xar};
use std::fs;
use std::io::{self, Cursor};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The package within the product, as `distribution.xml` names it.
const COMPONENT: &str = "mdm-health";

/// Why no package was made.
#[derive(Debug, Error)]
pub enum PackageError {
    #[error("{path} cannot be used: {why}")]
    File { path: PathBuf, why: io::Error },
    #[error("{0} is neither a plain file nor a folder, and only those can be installed")]
    Kind(PathBuf),
    #[error("the package cannot be made: {0}")]
    Package(#[from] embala_pkg::Error),
    #[error("the package that was made cannot be read again: {0}")]
    Unreadable(#[from] apple_xar::Error),
    #[error("the package that was made has no {0}")]
    Missing(String),
    #[error("{path} must name the package once, as {reference}")]
    Distribution { path: PathBuf, reference: String },
}

/// Makes the package of that identifier and version from a layout.
pub fn make(layout: &Path, identifier: &str, version: &str, out: &Path) -> Result<(), PackageError> {
    let mut spec = PkgSpec {
        name: COMPONENT.to_owned(),
        display_name: COMPONENT.to_owned(),
        identifier: identifier.to_owned(),
        version: version.to_owned(),
        install_location: "/".to_owned(),
        enable_user_home: false,
        files: Vec::new(),
        directories: Vec::new(),
        scripts: Some(layout.join("scripts")),
    };
    collect(&layout.join("root"), "", &mut spec)?;
    embala_pkg::build(&spec, out)?;
    with_our_distribution(&layout.join("distribution.xml"), identifier, version, out)
}

/// Adds what lies in a folder to the package.
fn collect(folder: &Path, prefix: &str, spec: &mut PkgSpec) -> Result<(), PackageError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |why| PackageError::File { path, why }
    };
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let found = fs::symlink_metadata(&path).map_err(failed(&path))?;
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| PackageError::Kind(path.clone()))?;
        let (dest, mode) = (format!("{prefix}{name}"), Some(found.permissions().mode() & 0o7777));
        if found.is_dir() {
            collect(&path, &format!("{dest}/"), spec)?;
            spec.directories.push(DirSpec { dest, mode });
        } else if found.is_file() {
            spec.files.push(FileSpec { src: path, dest, mode });
        } else {
            return Err(PackageError::Kind(path));
        }
    }
    Ok(())
}

/// Replaces the package's distribution by ours, which says which macOS it needs and is otherwise not known to the crate.
fn with_our_distribution(path: &Path, identifier: &str, version: &str, out: &Path) -> Result<(), PackageError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |why| PackageError::File { path, why }
    };
    let mut made = XarReader::new(Cursor::new(fs::read(out).map_err(failed(out))?))?;
    let mut part =
        |name: &str| made.get_file_data_from_path(name)?.ok_or_else(|| PackageError::Missing(name.to_owned()));
    let [bom, payload, scripts, info] = [
        part(&format!("{COMPONENT}.pkg/Bom"))?,
        part(&format!("{COMPONENT}.pkg/Payload"))?,
        part(&format!("{COMPONENT}.pkg/Scripts"))?,
        part(&format!("{COMPONENT}.pkg/PackageInfo"))?,
    ];
    let theirs = part("Distribution")?;
    let theirs = String::from_utf8_lossy(&theirs);
    // The reference with the package's place and size, as productbuild fills it in.
    let filled = theirs.lines().map(str::trim).find(|line| line.ends_with(".pkg</pkg-ref>"));
    let filled = filled.ok_or_else(|| PackageError::Missing("reference to the package".to_owned()))?;
    let reference =
        format!("<pkg-ref id=\"{identifier}\" version=\"{version}\" auth=\"root\">{COMPONENT}.pkg</pkg-ref>");
    let ours = fs::read_to_string(path).map_err(failed(path))?;
    if ours.matches(&reference).count() != 1 {
        return Err(PackageError::Distribution { path: path.to_owned(), reference });
    }
    let ours = ours.replace(&reference, filled);

    let file = |name, data, store| XarEntry { name, kind: XarEntryKind::File { data, mode: 0o644, store } };
    let children = vec![
        file("Bom", &bom, false),
        // Packed already.
        file("Payload", &payload, true),
        file("Scripts", &scripts, true),
        file("PackageInfo", &info, false),
    ];
    let component = format!("{COMPONENT}.pkg");
    let folder = XarEntry { name: &component, kind: XarEntryKind::Directory { mode: 0o700, children } };
    let mut product = Vec::new();
    write_xar(&[folder, file("Distribution", ours.as_bytes(), false)], &mut product)?;
    fs::write(out, product).map_err(failed(out))
}
