//! Which boot this is, as `sysctl -n kern.bootsessionuuid` says.

use crate::host::{Command, Host};

/// Such as `5A0C1F0E-6C1B-4B0A-9C1D-0F6A2B3C4D5E`; the kernel makes a new one at each boot. `None` if it cannot be read.
pub fn boot_session(host: &dyn Host) -> Option<String> {
    let output = host.run(Command::BootSession).ok().filter(|output| output.code == Some(0))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')).then_some(text)
}
