//! Whether the MDM server takes the Mac's bootstrap token and holds it, as `profiles status -type bootstraptoken` says. On
//! Apple silicon an update that MDM enforces without the user needs it.

use super::{Source, from_command};
use crate::host::{Command, Host};
use crate::vocabulary::codes::{SourceName, SourceReason};
use crate::vocabulary::{Fact, Limits, Reading};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootstrapToken {
    pub supported: Option<bool>,
    pub escrowed: Option<bool>,
}

impl Source for BootstrapToken {
    const NAME: SourceName = SourceName::BootstrapToken;
    const LIMITS: Limits = Limits::HOURLY;

    fn read(host: &dyn Host) -> Reading<Self> {
        from_command(host, Command::BootstrapToken, read_bootstrap_token).into()
    }
}

/// Reads the output, on macOS 10.15 to 26
///
/// ```text
/// profiles: Bootstrap Token supported on server: YES
/// profiles: Bootstrap Token escrowed to server: YES
/// ```
///
/// or `NO`. Where the server does not support it, the second line may be missing.
pub fn read_bootstrap_token(output: &str) -> Fact<BootstrapToken> {
    let value = |label: &str| {
        let behind = output.lines().find_map(|line| line.split_once(label).map(|(_, behind)| behind))?;
        match behind.trim().to_ascii_uppercase().as_str() {
            "YES" => Some(true),
            "NO" => Some(false),
            _ => None,
        }
    };
    let token = BootstrapToken {
        supported: value("Bootstrap Token supported on server:"),
        escrowed: value("Bootstrap Token escrowed to server:").or_else(|| value("Bootstrap Token escrowed on server:")),
    };
    if token.supported.or(token.escrowed).is_some() {
        return Fact::Known(token);
    }
    let shown: String = output.trim().chars().take(80).collect();
    let why = format!("`profiles status -type bootstraptoken` printed {shown:?}, which says neither YES nor NO.");
    Fact::unknown(SourceReason::NotUnderstood, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(output: &str) -> (Option<bool>, Option<bool>) {
        let token = read_bootstrap_token(output).known().copied().unwrap();
        (token.supported, token.escrowed)
    }

    #[test]
    fn supported_and_escrowed_or_not() {
        let both =
            "profiles: Bootstrap Token supported on server: YES\nprofiles: Bootstrap Token escrowed to server: YES\n";
        assert_eq!(known(both), (Some(true), Some(true)));
        assert_eq!(known(&both.replace("to server: YES", "to server: NO")), (Some(true), Some(false)));
        assert_eq!(known("profiles: Bootstrap Token supported on server: NO\n"), (Some(false), None));
        assert_eq!(known("Bootstrap Token escrowed on server: yes"), (None, Some(true)));
    }

    #[test]
    fn any_other_output_is_unknown() {
        for output in ["", "profiles: this tool requires root", "Bootstrap Token supported on server: perhaps"] {
            assert_eq!(read_bootstrap_token(output).known(), None, "{output}");
        }
    }
}
