//! Reads `packs/queries/*.sql`, the only place where a query of the packs is written, and makes Rust out of it.
//!
//! A source is one SQL text below a header of comments: `-- key: value`, with three spaces or more where a value goes on
//! in the next line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a query is for, which decides what its header must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its rows say what is wrong now; turned around, it is a policy.
    Policy,
    /// Its rows are records of what happened.
    Report,
    /// A person runs it on one Mac; it is never scheduled.
    Incident,
    /// It asks osquery's own tables whether mdm-health is installed: a policy of Fleet, which mdm-health cannot run itself.
    Installed,
    /// It gives one value, which inventories keep of each Mac: Jamf's extension attributes, Intune's custom attributes.
    Attribute,
}

impl Kind {
    /// The keys that its header must have, besides name, kind, platform and interval.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Policy => &["report", "description", "policy", "passes", "resolution", "admin", "well", "fault"],
            Self::Report | Self::Incident => &["report", "description"],
            Self::Installed => &["policy", "passes", "resolution", "admin"],
            Self::Attribute => &["attribute", "description", "type"],
        }
    }

    /// The keys that it may have.
    fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Policy => &["only", "fleet", "brief"],
            Self::Report | Self::Incident | Self::Installed | Self::Attribute => &[],
        }
    }
}

/// A source, read and checked.
#[derive(Debug)]
pub struct Source {
    kind: Kind,
    header: BTreeMap<String, String>,
    interval: u32,
    sql: String,
}

/// The shortest and the longest interval, in seconds: findings are a minute old at most, and osquery allows a week.
const INTERVALS: std::ops::RangeInclusive<u32> = 60..=604_800;

/// What `fleet` may say, with commas between: that a policy is critical, that it may put an appointment into the user's
/// calendar, and that Fleet runs `mdm-health heal` where it fails.
const FLEET: [&str; 3] = ["critical", "calendar", "heal"];

impl Source {
    /// Reads a source. `stem` is the file's name without its ending. An error is half a sentence that says what is wrong.
    pub fn read(stem: &str, text: &str) -> Result<Self, String> {
        let (mut header, sql) = split(text)?;
        let mut take = |key: &str| header.remove(key).ok_or_else(|| format!("the header has no {key}"));
        let kind = match take("kind")?.as_str() {
            "policy" => Kind::Policy,
            "report" => Kind::Report,
            "incident" => Kind::Incident,
            "installed" => Kind::Installed,
            "attribute" => Kind::Attribute,
            other => return Err(format!("the kind is {other}, not policy, report, incident, installed or attribute")),
        };
        if take("name")? != stem {
            return Err("the file and its query have different names".to_owned());
        }
        if take("platform")? != "darwin" {
            return Err("the platform is not darwin, and every table is".to_owned());
        }
        let interval = match kind {
            Kind::Incident | Kind::Installed | Kind::Attribute => 0,
            Kind::Policy | Kind::Report => {
                let given = take("interval")?;
                given.parse().ok().filter(|seconds| INTERVALS.contains(seconds)).ok_or_else(|| {
                    format!("the interval is {given}, not {} to {} seconds", INTERVALS.start(), INTERVALS.end())
                })?
            }
        };
        if let Some(missing) = kind.keys().iter().find(|key| !header.contains_key(**key)) {
            return Err(format!("the header has no {missing}"));
        }
        let known = |key: &&String| kind.keys().contains(&key.as_str()) || kind.optional().contains(&key.as_str());
        if let Some(key) = header.keys().find(|key| !known(key)) {
            return Err(format!("the header has {key}, which a query of this kind has no use for"));
        }
        if header.get("only").is_some_and(|only| only != "enrolled") {
            return Err("only can say enrolled and nothing else".to_owned());
        }
        let mut words = header.get("fleet").into_iter().flat_map(|fleet| fleet.split(", "));
        if let Some(word) = words.find(|word| !FLEET.contains(word)) {
            return Err(format!("fleet says {word}, not {}", FLEET.join(", ")));
        }
        if header.get("type").is_some_and(|of| !["string", "date"].contains(&of.as_str())) {
            return Err("the type of an attribute is string or date".to_owned());
        }
        if kind == Kind::Attribute && sql.contains(['"', '$', '`', '\\']) {
            return Err(
                "the SQL of an attribute stands in double quotes of a shell, and has a character of the shell's"
                    .to_owned(),
            );
        }
        if kind != Kind::Incident && (!sql.starts_with("SELECT") || sql.matches(';').count() != 1) {
            return Err("what is scheduled is one SELECT".to_owned());
        }
        header.insert("name".to_owned(), stem.to_owned());
        Ok(Self { kind, header, interval, sql })
    }

    /// The value of a `Query`, see `src/cli/packs/query.rs`.
    fn code(&self) -> String {
        let of = |key: &str| self.header.get(key).map(String::as_str).unwrap_or_default();
        let says = |word: &str| of("fleet").split(", ").any(|said| said == word);
        let policy = format!(
            "Policy {{ title: {:?}, passes: {:?}, resolution: {:?}, admin: {:?}, well: {:?}, fault: {:?}, \
             enrolled_only: {}, critical: {}, calendar: {}, heal: {} }}",
            of("policy"),
            of("passes"),
            of("resolution"),
            of("admin"),
            of("well"),
            of("fault"),
            !of("only").is_empty(),
            says("critical"),
            says("calendar"),
            says("heal"),
        );
        let kind = match self.kind {
            Kind::Policy => format!("Kind::Policy({policy})"),
            Kind::Installed => format!("Kind::Installed({policy})"),
            Kind::Report => "Kind::Report".to_owned(),
            Kind::Incident => "Kind::Incident".to_owned(),
            Kind::Attribute => {
                return format!(
                    "Attribute {{ name: {0:?}, jamf: \"jamf-{1}\", intune: \"intune-{1}\", title: {2:?}, description: {3:?}, \
                     date: {4}, sql: {5:?} }}",
                    of("name"),
                    of("name").trim_start_matches("attribute-"),
                    of("attribute"),
                    of("description"),
                    of("type") == "date",
                    self.sql
                );
            }
        };
        let (name, title, description) = (of("name"), of("report"), of("description"));
        format!(
            "Query {{ name: {name:?}, title: {title:?}, description: {description:?}, kind: {kind}, interval: {}, \
             brief: &[{}], sql: {:?} }}",
            self.interval,
            of("brief")
                .split(", ")
                .filter(|word| !word.is_empty())
                .map(|word| format!("{word:?}, "))
                .collect::<String>(),
            self.sql
        )
    }
}

/// The header and the SQL below it.
fn split(text: &str) -> Result<(BTreeMap<String, String>, String), String> {
    let mut header: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    let mut lines = text.lines().peekable();
    while let Some(comment) = lines.peek().and_then(|line| line.strip_prefix("--")) {
        if comment.starts_with("   ") {
            let value = header.get_mut(&last).ok_or("the header begins in the middle of a value")?;
            let _ = write!(value, " {}", comment.trim());
        } else {
            let (key, value) = comment
                .trim()
                .split_once(": ")
                .ok_or_else(|| format!("the header has the line {comment:?}, which is no key: value"))?;
            last = key.to_owned();
            if header.insert(last.clone(), value.trim().to_owned()).is_some() {
                return Err(format!("the header has {key} twice"));
            }
        }
        lines.next();
    }
    let sql = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
    if !sql.ends_with(';') {
        return Err("the SQL does not end with a semicolon".to_owned());
    }
    if sql.contains("--") {
        return Err("the SQL has a comment in it, and some forms hold it in one line".to_owned());
    }
    Ok((header, sql))
}

/// The queries as Rust: those over mdm-health's tables, and the one over osquery's own.
pub fn code(sources: &[Source]) -> String {
    let of = |wanted: fn(Kind) -> bool| -> String {
        let sources = sources.iter().filter(|source| wanted(source.kind));
        sources.map(|source| format!("    {},\n", source.code())).collect()
    };
    format!(
        "/// Every query over mdm-health's tables, by name.\npub static QUERIES: &[Query] = &[\n{}];\n\n\
         /// What Fleet asks osquery's own tables.\npub static OSQUERYS_OWN: &[Query] = &[\n{}];\n\n\
         /// The values for inventories.\npub static ATTRIBUTES: &[Attribute] = &[\n{}];\n",
        of(|kind| !matches!(kind, Kind::Installed | Kind::Attribute)),
        of(|kind| kind == Kind::Installed),
        of(|kind| kind == Kind::Attribute)
    )
}
