//! What is said of OS updates, whoever says it and in whichever log.
//!
//! All of it has a total order, so that events of the same instant always come in the same order. The variants are
//! listed in the order in which things happen.

use super::status_report::StatusReport;
use crate::vocabulary::Time;
use crate::vocabulary::codes::SourceName;
use serde::{Deserialize, Serialize};

/// Something said of OS updates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UpdateEvent {
    /// What was said.
    pub message: UpdateMessage,
    /// The log it stands in.
    pub log: UpdateLog,
    /// The name of the process that said it: checked in the unified log, as given in install.log.
    pub process: Box<str>,
}

/// The logs that speak of OS updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum UpdateLog {
    /// The unified log.
    Unified,
    /// `/var/log/install.log`.
    Install,
}

impl UpdateLog {
    pub fn source(self) -> SourceName {
        match self {
            Self::Unified => SourceName::UnifiedLog,
            Self::Install => SourceName::InstallLog,
        }
    }
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum UpdateMessage {
    /// mdmclient begins to list an update; the fields that follow on the same thread are the update's.
    ItemBegan,
    /// One field of the update in hand.
    ItemField(ItemField),
    /// mdmclient has listed an update.
    ItemEnded,
    /// mdmclient asks softwareupdated to install.
    InstallRequested {
        /// The product keys that the request names.
        product_keys: Vec<Box<str>>,
        /// `Default`, `DownloadOnly`, `InstallASAP`, `InstallLater`, …
        action: Box<str>,
    },
    /// mdmclient could not hand an update on.
    NotQueued {
        /// The product key, where it is named.
        product_key: Option<Box<str>>,
        /// The version asked for, where it is named.
        version: Option<Box<str>>,
        /// Why.
        error: Box<str>,
    },
    /// A scan for updates began.
    ScanStarted {
        /// The version that the scan was for, where it is named.
        version: Option<Box<str>>,
        /// Its options, in the log's words.
        detail: Box<str>,
    },
    /// A scan for updates ended well.
    ScanEnded {
        /// In the log's words.
        detail: Box<str>,
    },
    /// A scan for updates failed.
    ScanFailed(UpdateError),
    /// softwareupdated lists all OS updates that a scan found.
    Found {
        /// Their product keys.
        product_keys: Vec<Box<str>>,
    },
    /// Updates are offered that were not before; others may be on offer too.
    Offered {
        /// Their product keys.
        product_keys: Vec<Box<str>>,
    },
    /// An update is held back.
    HeldBack {
        product_key: Box<str>,
        /// Until when, in the log's words.
        until: Box<str>,
    },
    /// softwareupdated compares what it has with what is offered.
    Descriptor {
        /// In the log's words.
        detail: Box<str>,
    },
    /// A state machine of softwareupdated went from one state to the next.
    Transition(Transition),
    /// softwareupdated asks for the recovery system that goes with an update, or has the answer.
    RecoveryQuery {
        /// In the log's words.
        detail: Box<str>,
    },
    /// softwareupdated asks for the update brain, the program that prepares an update.
    BrainQuery {
        /// In the log's words.
        detail: Box<str>,
    },
    /// softwareupdated reports how far an operation is.
    Progress(Progress),
    /// The operation that prepares an update goes on.
    PrepareContinues,
    /// The update brain says how far one of its steps is.
    BrainProgress {
        /// The step, such as `Cryptex patch`.
        step: Box<str>,
        /// From 0 to 100.
        percent: u8,
    },
    /// The update is prepared already.
    AlreadyPrepared { product_key: Box<str>, title: Option<Box<str>> },
    /// The update was applied; the restart into it is still to come.
    Applied,
    /// softwareupdated, or an installation, names the system that runs now.
    RunsBuild {
        /// The version, such as `13.5`.
        version: Box<str>,
        /// The build, such as `22G74`.
        build: Box<str>,
        /// The build that ran before, where the line names it.
        #[serde(default)]
        previous: Option<Box<str>>,
    },
    /// softwareupdated enforces an update whose deadline has passed.
    Enforcing {
        /// In the log's words.
        detail: Box<str>,
    },
    /// A DDM declaration of an enforced update was named.
    Declared {
        /// In which role.
        standing: Standing,
        /// What it says.
        declaration: Box<EnforcedDeclaration>,
    },
    /// A DDM declaration was refused as invalid.
    Rejected {
        /// What it says, as far as the line shows it.
        declaration: Box<EnforcedDeclaration>,
        /// In the log's words.
        detail: Box<str>,
    },
    /// The deadline was passed, and a later one was set.
    PaddedDeadline {
        /// The later one.
        at: Time,
    },
    /// The Mac told its server how the updates stand.
    StatusReported(Box<StatusReport>),
    /// Apple offers no update that fits the enforcement.
    NoMatch {
        /// The version asked for, where it is named.
        version: Option<Box<str>>,
        /// Whether the words are only used of an enforcement; others are also used when any other scan finds nothing.
        enforced: bool,
        /// In the log's words.
        detail: Box<str>,
    },
}

/// A field of an update as mdmclient lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ItemField {
    /// `Product Key:`
    ProductKey(Box<str>),
    /// `Title:`
    Title(Box<str>),
    /// `Version:`
    Version {
        /// The version, such as `13.5`.
        version: Option<Box<str>>,
        /// The build, such as `22G74`.
        build: Option<Box<str>>,
    },
    /// `Deferred:`
    Deferred {
        /// Whether the update is held back.
        deferred: bool,
        /// Until when, in the log's words.
        until: Option<Box<str>>,
    },
    /// `MacOSUpdate:`
    MacOs(bool),
    /// `MSU:`, whether it is a major one; `None` if it is no update of the system.
    Major(Option<bool>),
    /// `Splat:`, Apple's word for a rapid security response.
    RapidResponse(bool),
    /// `Download size:`, in bytes.
    DownloadSize(u64),
    /// `ConfigData:`
    ConfigData(bool),
    /// `FirmwareUpdate:`
    Firmware(bool),
    /// `Allows InstallLater:`
    AllowsInstallLater(bool),
    /// `Critical:`
    Critical(bool),
    /// `Post install:`, whether it is a restart.
    RestartRequired(bool),
}

/// An error as Foundation prints it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UpdateError {
    /// The domain, such as `SUMacControllerError`.
    pub domain: Option<Box<str>>,
    /// The code, such as 7507.
    pub code: Option<i64>,
    /// The text; the whole line's where it has no other form.
    pub text: Box<str>,
}

/// A step of a state machine: `>S> state >E> event >N> next >A> action`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Transition {
    /// The machine, with the id of its instance where it has one.
    pub machine: Box<str>,
    /// The state it was in.
    pub from: Box<str>,
    /// What happened.
    pub event: Box<str>,
    /// The state it goes to; `None` where the line names none (seen on macOS 27).
    pub to: Option<Box<str>>,
    /// What it does.
    pub action: Option<Box<str>>,
}

/// How far an operation of softwareupdated is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Progress {
    /// The part done, in millionths; `None` if the line has no number between 0 and 1 there.
    pub portion: Option<u32>,
    /// Which of the three reports it is.
    pub report: ReportKind,
    /// The phase as Apple spells it.
    pub phase: Box<str>,
    /// Whether softwareupdated calls it stalled.
    pub stalled: Option<bool>,
    /// Bytes downloaded so far.
    #[serde(default)]
    pub written: Option<u64>,
    /// Bytes to download in all.
    #[serde(default)]
    pub expected: Option<u64>,
    /// Seconds left by softwareupdated's own estimate; `None` where it has none (`-1`).
    #[serde(default)]
    pub seconds_left: Option<u32>,
}

/// The three reports of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReportKind {
    /// It begins.
    Start,
    /// It goes on.
    Inter,
    /// It ends.
    End,
}

/// In which role a declaration was named, the strongest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// Named, no more.
    Mentioned,
    /// `Falling back to default applicable declaration`: logged for old declarations too.
    Fallback,
    /// `Adding SUCoreDDMDeclaration`
    Added,
    /// `Found DDM enforced install`
    Enforced,
    /// `Found currently applicable declaration`
    Applicable,
}

/// What a DDM declaration of an enforced update says.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EnforcedDeclaration {
    /// The key under which the Mac keeps it.
    pub key: Option<Box<str>>,
    /// The deadline as it stands, in the Mac's local time or with a Z.
    pub deadline: Option<Box<str>>,
    /// The version to go to.
    pub version: Option<Box<str>>,
    /// The build to go to.
    pub build: Option<Box<str>>,
    /// A page for the user.
    pub details_url: Option<Box<str>>,
}

/// Whitespace made into single blanks: Console exports are wrapped, and their columns collapsed.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The product keys in a text: `MSU_UPDATE_22G74_patch_13.5_minor` (13), `MSU_UPDATE_21C52_patch_12.1` (12),
/// `_MACOS_14.7.3` (13.7: a full installer, offered as an update), or digits such as `032-69593`.
pub fn product_keys(text: &str) -> Vec<Box<str>> {
    let mut keys: Vec<Box<str>> = text
        .split(|letter: char| !(letter.is_ascii_alphanumeric() || "_-.".contains(letter)))
        .filter(|word| is_product_key(word))
        .map(super::bounded)
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

fn is_product_key(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let version = |text: &str| text.split('.').all(digits);
    word.starts_with("MSU_UPDATE_")
        || word.strip_prefix("_MACOS_").is_some_and(version)
        || word.split_once('-').is_some_and(|(left, right)| left.len() == 3 && digits(left) && digits(right))
}
