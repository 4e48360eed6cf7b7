//! What a line about OS updates says, of each program and in both logs.

use super::{MDMCLIENT, time};
use mdm_health::event::install_log;
use mdm_health::event::update::UpdateMessage;
use mdm_health::event::{self, EventKind};
use mdm_health::log::install_log::InstallRecord;
use mdm_health::log::{LogRecord, LogSender};
use std::borrow::Cow;

const SOFTWAREUPDATED: &str = "/System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated";
pub const BRAIN: &str = "com.apple.MobileSoftwareUpdate.UpdateBrainService";

pub fn said_by(image: &str, message: &str) -> Option<UpdateMessage> {
    let record = LogRecord {
        at: time("2026-11-23T18:00:00Z"),
        sender: LogSender::Image(Cow::Borrowed(image)),
        uid: Some(0),
        level: None,
        pid: 7,
        thread: 8,
        subsystem: Cow::Borrowed(""),
        category: Cow::Borrowed(""),
        message: Cow::Borrowed(message),
        boot: Cow::Borrowed(""),
        mach_time: 0,
    };
    match event::recognise(&record)?.kind {
        EventKind::Update(update) => Some(update.message),
        other => panic!("{other:?}"),
    }
}

pub fn softwareupdated(message: &str) -> Option<UpdateMessage> {
    said_by(SOFTWAREUPDATED, message)
}

/// A message in mdmclient's category OSUpdate.
pub fn mdmclient(message: &str) -> Option<UpdateMessage> {
    said_by(MDMCLIENT, &format!("[0:MDMDaemon:OSUpdate:<0xbc25>] {message}"))
}

pub fn installed(process: &str, message: &str) -> Option<UpdateMessage> {
    let offset = chrono::FixedOffset::west_opt(5 * 3600).unwrap();
    let record = InstallRecord { at: time("2025-11-13T14:00:00Z"), offset, process, pid: 754, message };
    match install_log::recognise(&record)?.kind {
        EventKind::Update(update) => Some(update.message),
        other => panic!("{other:?}"),
    }
}
