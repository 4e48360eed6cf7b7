//! What the update brain, the program that prepares an update, says.

use super::update::{UpdateMessage, squeezed};
use super::{Image, Program, Users, Wanted};
use super::{bounded, update_event};

/// Each update brings a brain of its own, so its path differs from Mac to Mac.
pub static PROGRAM: Program = brain("com.apple.MobileSoftwareUpdate.UpdateBrainService", |path| {
    is_brain(path, "com.apple.MobileSoftwareUpdate.UpdateBrainService")
});

/// The brain that updates the recovery system.
pub static RECOVERY_PROGRAM: Program =
    brain("com.apple.NRD.UpdateBrainService", |path| is_brain(path, "com.apple.NRD.UpdateBrainService"));

const fn brain(name: &'static str, is_image: fn(&str) -> bool) -> Program {
    Program {
        name,
        image: Image::Where(is_image),
        users: Users::System,
        wanted: Wanted { messages: &[" progress: "], ..Wanted::ALL },
        recognise: |record| {
            let name = if PROGRAM.wrote(record) { PROGRAM.name } else { RECOVERY_PROGRAM.name };
            Some(update_event(record, progress(&record.message)?, name))
        },
    }
}

/// Whether that is the path of a brain: in the staging folder, from which launchd starts it, or below /System/Library.
/// Only root can write to either. A brain in /tmp could be anybody's.
fn is_brain(path: &str, name: &str) -> bool {
    const STAGING: &str = "/private/var/db/com.apple.xpc.roleaccountd.staging/exec/";
    let staged = || {
        let (bundle, program) = path.strip_prefix(STAGING)?.split_once('/')?;
        Some(bundle.ends_with(".xpc") && program.strip_prefix("Contents/MacOS/")? == name)
    };
    let installed = || {
        let mut parts = path.strip_prefix("/System/Library/")?.split('/');
        Some(parts.next_back() == Some(name) && parts.all(|part| part != ".."))
    };
    staged().or_else(installed).unwrap_or(false)
}

/// `6d41b000 : Cryptex patch progress: 17%` (13.4, Info level).
fn progress(message: &str) -> Option<UpdateMessage> {
    let message = squeezed(message);
    let (_, said) = message.split_once(" : ")?;
    let (step, percent) = said.split_once(" progress: ")?;
    let percent = percent.strip_suffix('%')?.parse().ok().filter(|percent| *percent <= 100)?;
    Some(UpdateMessage::BrainProgress { step: bounded(step), percent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brain_counts_where_only_root_can_have_put_it() {
        const NAME: &str = "com.apple.NRD.UpdateBrainService";
        let staging = "/private/var/db/com.apple.xpc.roleaccountd.staging/exec";
        for (path, counts) in [
            (format!("{staging}/16777229.34120.xpc/Contents/MacOS/{NAME}"), true),
            (format!("/System/Library/AssetsV2/x.asset/AssetData/{NAME}.xpc/Contents/MacOS/{NAME}"), true),
            (format!("{staging}/16777229.34120.xpc/Contents/MacOS/other"), false),
            (format!("{staging}/1.app/Contents/MacOS/{NAME}"), false),
            (format!("{staging}/1.xpc/Contents/MacOS/../MacOS/{NAME}"), false),
            (format!("{staging}/{NAME}"), false),
            (format!("/System/Library/../../tmp/{NAME}"), false),
            (format!("/tmp/UpdateBrain-1/AssetData/{NAME}.xpc/Contents/MacOS/{NAME}"), false),
            (NAME.to_owned(), false),
        ] {
            assert_eq!(is_brain(&path, NAME), counts, "{path}");
        }
    }
}
