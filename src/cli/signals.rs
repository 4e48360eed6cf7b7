//! Ctrl-C and SIGTERM, for whoever has waited long enough: nothing that was started goes on, and nothing half stays.

use crate::host;
use crate::host::recording::making;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::PathBuf;
use std::{fs, io, process, thread};

/// On these signals: kill child processes such as a long `log show`, remove the work folder, exit.
pub fn end_on_signals(work: Option<PathBuf>) -> io::Result<()> {
    end_with(work, |signal| 128 + signal)
}

/// The same for what goes on until somebody ends it.
pub fn end_well_on_signals() -> io::Result<()> {
    end_with(None, |_| 0)
}

fn end_with(work: Option<PathBuf>, code: fn(i32) -> i32) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // Without its `log show` a capture would go on, and put files behind the one that removes them.
            let _made = making();
            host::kill_all();
            if let Some(work) = work {
                let _ = fs::remove_dir_all(work);
            }
            process::exit(code(signal));
        }
    })?;
    Ok(())
}
