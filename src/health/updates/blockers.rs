//! What keeps the Mac from installing an update that DDM enforces, as far as it can be seen on the Mac.

use super::Update;
use super::enforcement::Enforcement;
use super::failure_code::FailureCode;
use crate::event::EventKind;
use crate::health::{Evidence, Findings};
use crate::journal::EventClass;
use crate::vocabulary::Time;
use crate::vocabulary::codes::{ClientEventKind, UpdateBlocker, UpdatePhase};

/// The charge that macOS asks for on battery: "This update requires at least 50% battery or connection to a power
/// source" is its notice of a required update.
const CHARGE: u8 = 50;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blockers {
    pub found: Vec<UpdateBlocker>,
    /// The figures, a sentence each.
    pub detail: Vec<String>,
    /// Whether anything was found; `None` if nothing was, and not everything could be looked at.
    pub blocked: Option<bool>,
}

/// The result of one check: nothing is in the way, something is (with its figures), or it is unknown.
enum Look {
    Clear,
    Blocked(UpdateBlocker, Option<String>),
    Unknown,
}

impl Blockers {
    /// A declaration that is not in force has no blockers.
    pub fn of(enforcement: &Enforcement, findings: &Findings) -> Self {
        if !enforcement.in_force() {
            return Self::default();
        }
        let evidence = &findings.evidence;
        let update = findings
            .updates
            .iter()
            .find(|update| enforcement.leads_to(update.version.as_deref(), update.build.as_deref()));
        let mut blockers = Self { blocked: Some(false), ..Self::default() };
        for look in [boot_policy(evidence), battery(evidence), token(evidence), space(enforcement, update, evidence)] {
            match look {
                Look::Clear => {}
                Look::Unknown => blockers.blocked = blockers.blocked.filter(|blocked| *blocked),
                Look::Blocked(blocker, figures) => {
                    blockers.blocked = Some(true);
                    blockers.found.push(blocker);
                    blockers.detail.extend(figures);
                }
            }
        }
        blockers
    }
}

/// What keeps MDM from updating this Mac at all, and when that was last said.
pub fn of_the_mac(evidence: &Evidence) -> Option<(UpdateBlocker, Time)> {
    let events = evidence.journal.of(EventClass::Client).filter(|event| event.at <= evidence.now);
    let refused = events.filter(|event| match &event.kind {
        EventKind::Client(client) => client.kind == ClientEventKind::BootPolicyFailed,
        _ => false,
    });
    refused.map(|event| (UpdateBlocker::BootPolicy, event.at)).max_by_key(|(_, at)| *at)
}

/// Only the log shows this, so a log that was not read leaves it unknown.
fn boot_policy(evidence: &Evidence) -> Look {
    match of_the_mac(evidence) {
        Some((blocker, _)) => Look::Blocked(blocker, None),
        None if evidence.journal.covers.known().is_some() => Look::Clear,
        None => Look::Unknown,
    }
}

fn battery(evidence: &Evidence) -> Look {
    match evidence.power.known().map(|power| (power.on_battery, power.charge)) {
        Some((true, Some(charge))) if charge < CHARGE => {
            Look::Blocked(UpdateBlocker::Battery, Some(format!("The Mac runs on battery at {charge} %.")))
        }
        Some((false, _) | (true, Some(_))) => Look::Clear,
        Some((true, None)) | None => Look::Unknown,
    }
}

/// Only Apple silicon needs the token for an update.
fn token(evidence: &Evidence) -> Look {
    let model = evidence.platform.known().and_then(|platform| platform.model.as_deref());
    let token = evidence.bootstrap_token.known();
    match (model.and_then(is_apple_silicon), token.and_then(|token| token.supported.zip(token.escrowed))) {
        (Some(false), _) | (_, Some((_, true))) => Look::Clear,
        (Some(true), Some((true, false))) => Look::Blocked(UpdateBlocker::BootstrapToken, None),
        _ => Look::Unknown,
    }
}

/// Decides by the model identifier. `Mac14,2`, `MacBookPro17,1`, `MacBookAir10,1`, `Macmini9,1` and `iMac21,1` are the
/// first Apple silicon models with their names. Everything before them is Intel, and so are the Mac Pro and the iMac
/// Pro of those names.
fn is_apple_silicon(model: &str) -> Option<bool> {
    let split = model.find(|letter: char| letter.is_ascii_digit())?;
    let (family, numbers) = (model.get(..split)?, model.get(split..)?);
    let generation: u32 = numbers.split(',').next()?.parse().ok()?;
    let first = match family {
        "Mac" => 0,
        "MacBookPro" => 17,
        "MacBookAir" => 10,
        "Macmini" => 9,
        "iMac" => 21,
        "MacBook" | "MacPro" | "iMacPro" => return Some(false),
        _ => return None,
    };
    Some(generation >= first)
}

/// Compares what is still to be downloaded with the free space. How much space unpacking takes is not known.
fn space(enforcement: &Enforcement, update: Option<&Update>, evidence: &Evidence) -> Look {
    let failure = enforcement.failure.as_ref().and_then(|failure| failure.reason.as_deref());
    let failure = failure.or(update.and_then(|update| update.error.as_deref())).and_then(FailureCode::find);
    if failure.is_some_and(|failure| failure.disk_is_full) {
        let figures = evidence.disk_space.known().map(|space| format!("{} are free.", gigabytes(space.free)));
        return Look::Blocked(UpdateBlocker::FreeSpace, figures);
    }
    let left = update.filter(|update| update.stage < Some(UpdatePhase::Downloaded)).and_then(|update| {
        let all = update.total_bytes.or(update.download_size)?;
        Some(all.saturating_sub(update.downloaded_bytes.unwrap_or(0)))
    });
    match (evidence.disk_space.known(), left) {
        (Some(space), Some(left)) if space.free < left => {
            let figures =
                format!("{} are free, and {} are still to be downloaded.", gigabytes(space.free), gigabytes(left));
            Look::Blocked(UpdateBlocker::FreeSpace, Some(figures))
        }
        (Some(_), Some(_)) => Look::Clear,
        _ => Look::Unknown,
    }
}

/// In units of a thousand, as macOS shows it: `12.1 GB`.
fn gigabytes(bytes: u64) -> String {
    format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_says_whether_it_is_apple_silicon() {
        for model in
            ["Mac14,2", "MacBookPro17,1", "MacBookPro18,3", "MacBookAir10,1", "Macmini9,1", "iMac21,2", "Mac15,3"]
        {
            assert_eq!(is_apple_silicon(model), Some(true), "{model}");
        }
        for model in
            ["MacBookPro16,2", "MacBookAir9,1", "Macmini8,1", "iMac20,1", "iMacPro1,1", "MacPro7,1", "MacBook10,1"]
        {
            assert_eq!(is_apple_silicon(model), Some(false), "{model}");
        }
        for model in ["", "VirtualMac2,1", "Mac", "iMac,1"] {
            assert_eq!(is_apple_silicon(model), None, "{model}");
        }
    }
}
