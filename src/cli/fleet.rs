//! `report --fleet`: a page for a folder of captures, and one for each of them.

use super::{PATIENCE, USAGE, print, progress, signals};
use crate::collect::Collector;
use crate::collect::source::SourceOptions;
use crate::heal::Healer;
use crate::host::Recorded;
use crate::report::file::Target;
use crate::report::fleet::{self, Line, Summary};
use crate::vocabulary::codes::SourceState;
use crate::{report, tables};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The most captures on one page.
const MOST: usize = 20_000;

/// How many captures are read at a time at most: each may be a large archive.
const MOST_AT_A_TIME: usize = 4;

/// One capture, and what its page is to be called.
struct FolderEntry {
    path: PathBuf,
    name: String,
    page: String,
}

/// Reads every capture and writes the pages.
pub fn report(source: &SourceOptions, folder: &Path, target: &Target) -> Result<(), (u8, String)> {
    let refused = |error: report::file::FileError| (1, format!("{error}."));
    let entries = entries(folder).map_err(|why| (USAGE, why))?;
    let destination = target.open(false).map_err(refused)?;
    let pages = if destination.is_some() { Some(target.folder_beside().map_err(refused)?) } else { None };
    // Without it, what was started would only go on until it has something to print.
    let _ = signals::end_on_signals(None);

    let bar = progress::counter(entries.len());
    let (next, lines, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(None));
    let work = || {
        while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (line, page) = read(source, entry);
            let written = match (&pages, page) {
                (Some((beside, folder)), Some(page)) => target
                    .write_beside(folder, &entry.page, &page)
                    .map(|()| Line { page: Some(format!("{}/{}", address(beside), entry.page)), ..line }),
                _ => Ok(line),
            };
            match written {
                Ok(line) => lines.lock().unwrap_or_else(PoisonError::into_inner).push(line),
                Err(error) => {
                    // Nothing more can be written: the others need not be read.
                    next.store(entries.len(), Ordering::Relaxed);
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
            bar.inc(1);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(MOST_AT_A_TIME);
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    bar.finish_and_clear();
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(refused(error));
    }

    let lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
    let unreadable = lines.iter().filter(|line| line.summary.is_err()).count();
    let (all, page) = (lines.len(), fleet::page(&folder.to_string_lossy(), lines));
    match destination {
        None => return print(&page),
        Some(destination) => target.write(&destination, &page).map_err(refused)?,
    }
    let mut said = format!("{} was written: {all} Macs, {} kB", target.path().display(), page.len().div_ceil(1000));
    if let Some((beside, _)) = &pages {
        let _ = write!(said, "; their pages are in {beside}");
    }
    if unreadable > 0 {
        let _ = write!(said, "; {unreadable} could not be read, and their lines say why");
    }
    let _ = writeln!(io::stderr(), "mdm-health: {}.", crate::vocabulary::printable(&said));
    Ok(())
}

/// What lies in the folder, by name, without hidden files.
fn entries(folder: &Path) -> Result<Vec<FolderEntry>, String> {
    let unreadable =
        |why: io::Error| format!("{} cannot be read: {why}. Pass a folder that holds captures", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(format!("{} holds no capture. Pass a folder that holds captures", folder.display()));
    }
    if found.len() > MOST {
        return Err(format!(
            "{} holds {} files, and a page takes {MOST} at most: spread them over several folders",
            folder.display(),
            found.len()
        ));
    }
    let mut taken = BTreeSet::new();
    let entries = found.into_iter().map(|(name, path)| {
        let page = page_name(&name, &mut taken);
        FolderEntry { path, name, page }
    });
    Ok(entries.collect())
}

/// A file name that needs no escaping and is nobody else's, on a disk that knows no difference of case either.
fn page_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    const LONGEST: usize = 80;
    let stem: String = name
        .chars()
        .take(LONGEST)
        .map(|letter| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' })
        .collect();
    let mut page = format!("{stem}.html");
    let mut number = 2;
    while !taken.insert(page.to_ascii_lowercase()) {
        page = format!("{stem}-{number}.html");
        number += 1;
    }
    page
}

/// A folder's name as a part of an address.
fn address(name: &str) -> String {
    let mut address = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            address.push(char::from(byte));
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

/// The line of a capture, and its page if there is something to show.
fn read(source: &SourceOptions, entry: &FolderEntry) -> (Line, Option<String>) {
    let line = |summary| Line { name: entry.name.clone(), page: None, summary };
    let host = match Recorded::open(&entry.path, source.now) {
        Ok(host) => host,
        Err(error) => return (line(Err(format!("{error}."))), None),
    };
    let collector = Collector::new(Box::new(host), source.read_options(), source.state_dir(), None);
    let findings = collector.findings_of_a_day(PATIENCE);
    let sources = findings.evidence.sources();
    // A file that holds nothing at all that is understood is no capture.
    if sources.iter().all(|source| !matches!(source.state, SourceState::Ok | SourceState::Partial)) {
        let why = sources.into_iter().find_map(|source| source.detail.clone());
        return (line(Err(why.unwrap_or_else(|| "It holds nothing that can be read.".to_owned()))), None);
    }
    let tables = tables::all(Arc::new(Healer::new(collector.clone(), None, PATIENCE)));
    let summary = Summary::of(&findings, &tables);
    (line(Ok(summary)), Some(report::page(&entry.name, &findings, &tables)))
}
