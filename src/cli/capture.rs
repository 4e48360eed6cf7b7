//! `capture`: saves what the program reads on a Mac, for somebody else to look at with `--source`.
//!
//! Everything is written into a work folder that only its owner can enter, and put in place when it is complete.

use super::signals::end_on_signals;
use super::{layout, progress};
use crate::collect;
use crate::collect::source::{SourceError, SourceOptions};
use crate::event::HttpMessage;
use crate::facts::record;
use crate::health::{Evidence, Findings, enrollment};
use crate::host::capture::{Description, MacDescription};
use crate::host::destination::{Destination, work_folder};
use crate::host::recording::{Recording, RecordingError, create, making};
use crate::host::{Host, HostError, Recorded, pieces};
use crate::redact::{self, RedactError, Seeds};
use crate::vocabulary::codes::{SourceName, SourceState};
use crate::vocabulary::{printable, rfc3339};
use chrono::TimeDelta;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The piece that says what a capture lacks.
const MANIFEST: &str = "MANIFEST.txt";

/// The whole log, where it is kept too.
const ARCHIVE: &str = "system_logs.logarchive";

/// What a capture is, for `--help`.
pub const HELP: &str = "\
A capture contains what mdm-health reads and nothing else: log.ndjson (the records that it asks
the unified log for: those of mdmclient, remotemanagementd, softwareupdated and its helpers, apsd
and powerd), the outputs of the commands that mdm-health runs (one of them says which Mac it is),
install.log, the hosts file, a few property lists, and mdm-health's own record of restarts.
MANIFEST.txt lists what could not be read. No private key, no password and no recovery key is
read. Only the owner of the capture can read it. Existing files are never overwritten.

With --redact, what names this Mac and its people is replaced by placeholders; the same value always
gets the same placeholder. Look through a capture before you publish it, because --redact cannot
find:
  - a name, password or number in a sentence, unless this Mac is called so, it is the name of an
    account here, or it also stands where its kind shows
  - names of fewer than four letters, and numbers of fewer than six digits, in a sentence
  - names in a language or form that nobody thought of
Times, versions, command identifiers, the UUIDs of the MDM's profile, the serial numbers of
certificates, and words that name nobody, such as MDM, are kept.

It replaces, wherever they stand: this Mac's serial number, hardware UUID and names, the names of
its accounts and home folders, and the Wi-Fi networks it knows (a capture of a capture does not
know them).

It replaces by their form: e-mail addresses in any script, and Kerberos names; hosts, logins, paths
and values in URLs; paths on servers such as \\\\server\\share; host names; IP and hardware addresses;
serial numbers; UDIDs and other UUIDs; IMEI, ICCID, EID, card and telephone numbers; home folders,
mounted disks and temporary folders; DOMAIN\\user; LDAP names; names of computers such as Grace's
MacBook Pro; push topics; recovery keys; JWTs, API keys, private keys, and long random tokens; data;
what of these is in base64.

It replaces under a label or key that says so: names of users, persons, organizations, departments,
places, hosts and Wi-Fi networks; passwords, tokens, cookies, secrets and keys; account, asset,
phone and device numbers (UserName, DisplayName, LastName, user=, SSID, PushMagic, Cookie and the
like). Certificates are replaced by new ones with placeholders in them. Of profiles, only what
mdm-health reads is kept.

  sudo mdm-health capture mac.tar.gz
  mdm-health query \"SELECT * FROM mdm_watchdog\" --source mac.tar.gz";

/// What to write down, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct CaptureOptions {
    /// The folder to create, or the file to create if the name ends with .tar.gz
    #[arg(value_name = "DIR|FILE.tar.gz")]
    to: PathBuf,
    /// How many hours of the log to ask for
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=720))]
    hours: u16,
    /// Replace serial numbers, identifiers, names, addresses and secrets by placeholders
    #[arg(long)]
    redact: bool,
    /// Also run `log collect` for these hours and keep what it writes: the whole log, for Console and `log show --archive`. A day of it takes some hundred megabytes
    #[arg(long, conflicts_with = "redact")]
    archive: bool,
}

/// Why there is no capture.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// There is nothing to write down.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The place is taken.
    #[error("{path} exists already and is not overwritten: pass another name")]
    Taken { path: PathBuf },
    /// It cannot be written.
    #[error("{path} cannot be created: {why}")]
    Unwritable { path: PathBuf, why: io::Error },
    /// A piece of it cannot be written.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// It cannot be redacted.
    #[error(transparent)]
    Redact(#[from] RedactError),
    /// Reading it back fails.
    #[error(transparent)]
    Host(#[from] HostError),
    /// An archive is read as it is.
    #[error("{path} is an archive that --source reads as it is: a capture is made of a live Mac or of another capture")]
    AnArchive { path: String },
    /// A placeholder stands where it should not.
    #[error(
        "redacting would change {what}, because a name used on this Mac is also an Apple keyword. Nothing was written; capture it without --redact"
    )]
    Changed {
        /// The source or table.
        what: &'static str,
    },
}

/// Writes a capture and gives the sentences to print.
pub fn capture(source: &SourceOptions, options: &CaptureOptions) -> Result<String, CaptureError> {
    let host = source.open_for_capture()?;
    if host.log_archive().is_some() {
        return Err(CaptureError::AnArchive { path: source.name().to_owned() });
    }
    let to = &options.to;
    let unwritable = |why| CaptureError::Unwritable { path: to.clone(), why };
    // Of a recorded Mac root may read what the user who called sudo may not; it stays root's.
    let destination = Destination::open(to, host.is_live()).map_err(unwritable)?;
    if destination.kind().map_err(unwritable)?.is_some() {
        return Err(CaptureError::Taken { path: to.clone() });
    }
    let work = work_folder(to).map_err(unwritable)?;
    end_on_signals(Some(work.path().to_owned())).map_err(unwritable)?;
    let folder = work.path().join("capture");
    make_folder(&folder).map_err(unwritable)?;

    let archive = options.archive.then(|| collect_log(host.as_ref(), &work.path().join(ARCHIVE), options.hours));
    let mut seeds = if options.redact && host.is_live() { Seeds::ask(host.as_ref()) } else { Seeds::default() };
    let span = TimeDelta::hours(options.hours.into());
    let recording = Recording::new(progress::watched(host), folder.clone(), span);
    let evidence = collect::evidence(&recording, &source.read_options(), &source.state_dir());
    let restarts = record::record(&recording, &source.state_dir()).ok();
    let restarts = restarts.and_then(|record| serde_json::to_vec_pretty(&record).ok());
    let awake = collect::awake_to_record(&recording, &evidence, &source.state_dir());
    let system = evidence.system_version.known();
    let description = recording.finish(
        restarts.as_deref(),
        Description {
            captured_at: evidence.now,
            mac: which_mac(&evidence),
            macos: system.map(|system| system.version.clone()),
            build: system.and_then(|system| system.build.clone()),
            utc_offset: source.utc_offset,
            awake,
            history: collect::history_to_record(&evidence),
            ..Description::default()
        },
    )?;

    let mut manifest = manifest(&description, &evidence);
    if let Some(collected) = archive {
        manifest += &match collected {
            Ok(bytes) => {
                fs::rename(work.path().join(ARCHIVE), folder.join(ARCHIVE)).map_err(unwritable)?;
                format!(
                    "{ARCHIVE} ({:.1} MB) is the whole log of the last {} h, with everything that other programs wrote. \
                     mdm-health reads log.ndjson.\n",
                    bytes as f64 / 1e6,
                    options.hours
                )
            }
            Err(error) => format!("- {ARCHIVE}: {}.\n", printable(&error.to_string())),
        };
    }
    let mut ready = folder;
    if options.redact {
        let redacted = work.path().join("redacted");
        make_folder(&redacted).map_err(unwritable)?;
        let waiting = progress::spinner("taking names and secrets out");
        let whole = findings(&ready, source)?;
        let request_types = whole.commands.iter().map(|command| command.request_type.as_ref()).collect();
        seeds.keep(identifiers(&whole), &request_types);
        let names = redact::redact(&ready, &redacted, &seeds)?;
        drop(waiting);
        same(&whole, &findings(&redacted, source)?)?;
        manifest = names.text(&manifest) + &format!("Redacted: {}.\n", names.summary());
        for missing in &seeds.missing {
            manifest += &format!("Redacted without what this Mac calls itself: {}.\n", names.text(&printable(missing)));
        }
        ready = redacted;
    }
    create(&ready.join(MANIFEST)).and_then(|mut file| file.write_all(manifest.as_bytes())).map_err(unwritable)?;
    let bytes = publish(&ready, to, &destination)?;
    Ok(format!("{}\n{manifest}", layout::written(&to.to_string_lossy(), bytes)))
}

/// Has the Mac collect its whole log, and gives how many bytes that came to.
fn collect_log(host: &dyn Host, to: &Path, hours: u16) -> Result<u64, HostError> {
    let _waiting = progress::spinner("collecting the whole log");
    host.collect_log(to, hours)?;
    let unreadable = |why| HostError::Unreadable { path: to.to_owned(), why };
    let files = pieces::files(to).map_err(unreadable)?;
    Ok(files.iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum())
}

fn findings(capture: &Path, source: &SourceOptions) -> Result<Findings, CaptureError> {
    let host = progress::watched(Box::new(Recorded::open(capture, source.now)?));
    Ok(Findings::new(collect::evidence(host.as_ref(), &source.read_options(), &source.state_dir())))
}

/// The identifiers that the tables show and that are nobody's: of commands and of the MDM's profile.
fn identifiers(findings: &Findings) -> Vec<String> {
    let commands = findings.commands.iter().filter_map(|command| command.token.as_deref());
    let exchanges = findings.exchanges.iter().filter_map(|exchange| match &exchange.message {
        Some(HttpMessage::Answer { token, .. }) => token.as_deref(),
        _ => None,
    });
    let mut all: Vec<String> = commands.chain(exchanges).map(str::to_owned).collect();
    if let Some(profile) = &findings.enrollment.profile {
        all.extend([profile.uuid.clone(), profile.identity_certificate_uuid.clone()].into_iter().flatten());
    }
    all
}

/// Makes sure that a redacted capture says what the whole one says.
fn same(whole: &Findings, redacted: &Findings) -> Result<(), CaptureError> {
    let verdict = |Findings { verdict, .. }: &Findings| {
        let flags = [verdict.enrolled, verdict.identity_error, verdict.client_stuck, verdict.software_updates_stuck];
        (verdict.state, verdict.reason, flags)
    };
    let (one, other) = (whole.evidence.sources(), redacted.evidence.sources());
    let differs = one
        .iter()
        .zip(other)
        .find(|(one, other)| (one.state, one.reason, one.counts) != (other.state, other.reason, other.counts));
    match differs.map(|(one, _)| one.source.word()).or((verdict(whole) != verdict(redacted)).then_some("mdm_watchdog"))
    {
        Some(what) => Err(CaptureError::Changed { what }),
        None => Ok(()),
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    let _making = making();
    DirBuilder::new().mode(0o700).create(path)
}

/// Puts a capture in its place, and overwrites nothing that came there meanwhile. Gives its size in bytes.
fn publish(folder: &Path, to: &Path, destination: &Destination) -> Result<usize, CaptureError> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let put = match name.strip_suffix(".tar.gz").filter(|name| !name.is_empty()) {
        None => destination.put_folder(folder).and_then(|()| size_of(folder)),
        Some(name) => {
            let packed = folder.with_extension("tar.gz");
            create(&packed)
                .and_then(|file| pieces::pack(folder, Path::new(name), file))
                .and_then(|()| File::open(&packed))
                .and_then(|mut packed| {
                    destination.put_file(false, |file| io::copy(&mut packed, file).map(drop))?;
                    packed.metadata().map(|packed| packed.len())
                })
        }
    };
    let put = put.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    put.map_err(|why| match why.kind() {
        io::ErrorKind::AlreadyExists => CaptureError::Taken { path: to.to_owned() },
        _ => CaptureError::Unwritable { path: to.to_owned(), why },
    })
}

/// Which Mac it is, as far as it says so.
fn which_mac(evidence: &Evidence) -> Option<MacDescription> {
    let platform = evidence.platform.known().cloned().unwrap_or_default();
    let mac = MacDescription {
        name: platform.computer_name,
        model: platform.model,
        serial_number: platform.serial_number,
        mdm_server: enrollment::decide(evidence).server_url,
    };
    Some(mac).filter(|mac| *mac != MacDescription::default())
}

/// The size of all files in a folder.
fn size_of(folder: &Path) -> io::Result<u64> {
    let sizes = fs::read_dir(folder)?.map(|entry| {
        let entry = entry?;
        if entry.file_type()?.is_dir() { size_of(&entry.path()) } else { entry.metadata().map(|found| found.len()) }
    });
    sizes.sum()
}

/// What a capture holds, and what could not be read, in sentences.
fn manifest(description: &Description, evidence: &Evidence) -> String {
    let mut text =
        format!("A capture of a Mac by mdm-health {}, of {}", crate::VERSION, rfc3339(description.captured_at));
    let span = description.log_from.zip(description.log_to);
    let _ = match span {
        Some((from, to)) => writeln!(text, ", with its log from {} to {}.", rfc3339(from), rfc3339(to)),
        None => writeln!(text, "."),
    };
    let mac = description.mac.clone().unwrap_or_default();
    let macos = description.macos.as_ref().map(|version| {
        let build = description.build.as_ref().map(|build| format!(" ({build})")).unwrap_or_default();
        format!("macOS {version}{build}")
    });
    let which = [
        mac.name,
        mac.model,
        mac.serial_number.map(|serial| format!("serial number {serial}")),
        macos,
        mac.mdm_server.map(|server| format!("enrolled in {server}")),
    ];
    let which: Vec<String> = which.into_iter().flatten().map(|part| printable(&part)).collect();
    if !which.is_empty() {
        let _ = writeln!(text, "The Mac: {}", which.join(", "));
    }
    // The policy may be read of a live Mac only, and the declarations of a sysdiagnose: none is a piece of a capture.
    let no_piece = [SourceName::HealPolicy, SourceName::Declarations];
    let failed = evidence
        .sources()
        .into_iter()
        .filter(|source| source.state != SourceState::Ok && !no_piece.contains(&source.source));
    let sentences: Vec<String> = failed
        .map(|source| {
            let detail = source.detail.as_deref().unwrap_or("No reason is known.");
            format!("- {} ({}): {}\n", source.source.word(), source.state.word(), printable(detail))
        })
        .collect();
    text += if sentences.is_empty() {
        "Everything that mdm-health reads could be read.\n"
    } else {
        "What could not be read, or not wholly:\n"
    };
    text + &sentences.concat()
}
