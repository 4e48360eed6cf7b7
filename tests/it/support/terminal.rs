//! The program on a terminal of its own, as a person sees it.

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Terminal {
    pub child: Child,
    keyboard: File,
    seen: Arc<Mutex<Vec<u8>>>,
    /// How much of it was waited for.
    read: usize,
}

impl Terminal {
    /// Starts the program on a terminal with so many columns, with that folder as its home.
    #[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
    pub fn start(arguments: &[&str], columns: u16, home: &Path) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        tcsetwinsize(&keyboard, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
        program.args(arguments).env_remove("MDM_HEALTH_SOURCE").env("TERM", "xterm").env("HOME", home);
        let child = program.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        // It holds the other side open, which would otherwise never end.
        drop(program);
        let keyboard = File::from(keyboard);
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (mut screen, kept) = (keyboard.try_clone().unwrap(), seen.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // On Linux the end is an error.
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self { child, keyboard, seen, read: 0 }
    }

    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// All that was shown.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// Waits until this is shown, behind what was waited for before, and gives what was shown up to there.
    #[track_caller]
    pub fn waits_for(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let shown = self.shown();
            let new = shown.get(self.read..).unwrap_or_default();
            if let Some(at) = new.find(text) {
                let new = new[..at + text.len()].to_owned();
                self.read += new.len();
                return new;
            }
            assert!(start.elapsed() < PATIENCE, "{text:?} is not shown: {new:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The exit code, and all that was shown.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        let mut before = usize::MAX;
        // What was written last may still be on its way.
        while std::mem::replace(&mut before, self.seen.lock().unwrap().len()) != before {
            thread::sleep(Duration::from_millis(50));
        }
        (code, self.shown())
    }
}
