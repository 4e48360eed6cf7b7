//! What the update brain, the program that prepares an update, says.

use super::bounded;
use super::update::{UpdateMessage, squeezed};
use crate::log::LogSender;

/// The program's name, all that public sources show of its path (13.4).
pub const NAME: &str = "com.apple.MobileSoftwareUpdate.UpdateBrainService";

/// Whether the brain speaks. Apple replaces it with each update, so where it lies changes; but a program of that name
/// below `/System/Library`, which only Apple's installer writes to, is it. Elsewhere the name proves nothing.
pub fn is_sender(sender: &LogSender<'_>) -> bool {
    match sender {
        LogSender::Image(path) => {
            path.starts_with("/System/Library/") && !path.contains("/../") && path.rsplit('/').next() == Some(NAME)
        }
        LogSender::Name(name) => name == NAME,
    }
}

/// `6d41b000 : Cryptex patch progress: 17%` (13.4, Info level).
pub fn recognise(message: &str) -> Option<UpdateMessage> {
    let message = squeezed(message);
    let (_, said) = message.split_once(" : ")?;
    let (step, percent) = said.split_once(" progress: ")?;
    let percent = percent.strip_suffix('%')?.parse().ok().filter(|percent| *percent <= 100)?;
    Some(UpdateMessage::BrainProgress { step: bounded(step), percent })
}
