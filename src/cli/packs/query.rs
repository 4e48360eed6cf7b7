//! The queries of the packs as their sources in `packs/queries` declare them.

include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// A query, as its source declares it.
#[derive(Debug)]
pub struct Query {
    /// Its name in osquery's packs and on the command line.
    pub name: &'static str,
    /// Its name in Fleet.
    pub title: &'static str,
    /// What its rows say.
    pub description: &'static str,
    pub kind: Kind,
    /// Seconds between two runs; 0 for what is never scheduled.
    pub interval: u32,
    /// Reasons that come and go by themselves. osquery logs each row that comes and each that goes, so its pack leaves them
    /// out.
    pub brief: &'static [&'static str],
    /// The SQL as it was written.
    pub sql: &'static str,
}

/// What a query is for.
#[derive(Debug)]
pub enum Kind {
    /// Its rows say what is wrong now, and there is a policy that passes when there are none.
    Policy(Policy),
    /// Its rows are records of what happened.
    Report,
    /// A person runs it on one Mac.
    Incident,
    /// A policy over osquery's own tables: whether mdm-health is there.
    Installed(Policy),
}

/// What fleets make of a query: a policy of Fleet, a check of Kolide.
#[derive(Debug)]
pub struct Policy {
    pub title: &'static str,
    /// When it passes.
    pub passes: &'static str,
    /// What the Mac's user reads when it fails.
    pub resolution: &'static str,
    /// What an admin does when it fails.
    pub admin: &'static str,
    /// What is said of a Mac that passes.
    pub well: &'static str,
    /// An SQL expression that makes a sentence of a row `p` that is a problem.
    pub fault: &'static str,
    /// Whether it says something only of Macs that have an MDM.
    pub enrolled_only: bool,
    /// Whether a failure is critical.
    pub critical: bool,
    /// Whether Fleet may put an appointment into the user's calendar.
    pub calendar: bool,
    /// Whether Fleet runs `mdm-health heal` where it fails.
    pub heal: bool,
}

/// A value that an inventory keeps of each Mac.
#[derive(Debug)]
pub struct Attribute {
    /// Its name, as a query on the command line.
    pub name: &'static str,
    /// The name of its script for Jamf Pro.
    pub jamf: &'static str,
    /// The name of its script for Intune.
    pub intune: &'static str,
    /// Its name in the inventory.
    pub title: &'static str,
    /// What its value says.
    pub description: &'static str,
    /// Whether it is a date and time, and empty where there is none.
    pub date: bool,
    /// One SELECT that gives one value.
    pub sql: &'static str,
}

impl Query {
    /// The SQL in one line. A source has no comments in its SQL.
    pub fn line(&self) -> String {
        self.sql.lines().map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// What osquery's pack schedules, in one line.
    pub fn scheduled(&self) -> String {
        let line = self.line();
        if self.brief.is_empty() {
            return line;
        }
        let words: Vec<String> = self.brief.iter().map(|word| format!("'{word}'")).collect();
        format!(
            "SELECT * FROM ({}) WHERE coalesce(reason, '') NOT IN ({});",
            line.trim_end_matches(';'),
            words.join(", ")
        )
    }

    /// The SQL turned around: one row if it gives none that somebody can act on. What is unknown stays in the report.
    pub fn turned(&self) -> String {
        format!("SELECT 1 WHERE NOT EXISTS (\n  SELECT 1 FROM (\n{}  ) WHERE state <> 'unknown'\n);", self.indented(4))
    }

    /// The SQL without its semicolon, each line so many spaces further in.
    pub fn indented(&self, spaces: usize) -> String {
        self.sql.trim_end_matches(';').lines().map(|line| format!("{:spaces$}{line}\n", "")).collect()
    }

    /// Whether its rows may say that the answer is unknown.
    pub fn may_be_unknown(&self) -> bool {
        self.sql.contains("'unknown'")
    }

    /// Whether it only reads. Whoever runs an INSERT changes something.
    pub fn only_reads(&self) -> bool {
        !self.sql.contains("INSERT ")
    }
}
