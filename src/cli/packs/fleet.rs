//! Fleet's forms: files for GitOps, with labels for Premium and without for Free, documents for `fleetctl apply`, and the
//! package.

use super::osquery::REGISTERED;
use super::query::{Kind, OSQUERYS_OWN, Policy, QUERIES, Query};
use std::fmt::Write as _;

/// The Fleet label of the Macs that have the tables.
const LABEL: &str = "mdm-health installed";

/// Where the package's file and the scripts lie, from the file of the policies.
const PACKAGE: &str = "mdm-health.package.yml";
const HEAL_SCRIPT: &str = "scripts/mdm-health-heal.sh";

/// What Fleet can do, which depends on its licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Licence {
    /// Labels on reports and policies, and policies that act.
    Premium,
    Free,
}

/// A value of a YAML key.
enum Yaml<'t> {
    /// In double quotes, which YAML reads as JSON does.
    Quoted(&'t str),
    /// A word or a number, as it is.
    Word(String),
    /// Lines as they are.
    Block(&'t str),
    /// A list of one text.
    One(&'t str),
    /// A mapping with one key.
    Key(&'t str, &'t str),
}

/// The keys of an entry in their order.
type Keys<'t> = Vec<(&'static str, Yaml<'t>)>;

/// Reports, for GitOps. Fleet stores and shows the last snapshot of problems; records go to its log, each once.
pub fn reports(licence: Licence, name: &str) -> Result<String, serde_json::Error> {
    let mut file = head(
        name,
        "reports",
        licence,
        "# Reports with the interval 0 are run by hand, on one Mac. Before Fleet 4.82 the key was queries.\n",
    );
    for query in QUERIES {
        let description = described(query);
        file += &entry(report_keys(query, &description, licence))?;
    }
    Ok(file)
}

/// Policies, for GitOps.
pub fn policies(licence: Licence, name: &str) -> Result<String, serde_json::Error> {
    let mut file = head(name, "policies", licence, "# A policy fails only for what somebody can act on.\n");
    for (query, policy) in all_policies() {
        let (sql, passes) = (policy_sql(query), passes(query, policy));
        file += &entry(policy_keys(query, policy, [&sql, &passes], licence))?;
    }
    Ok(file)
}

/// The label, for GitOps.
pub fn labels(name: &str) -> Result<String, serde_json::Error> {
    let head = format!(
        "# Made by: mdm-health packs {name} (mdm-health {})\n\
         # For GitOps: name this file, with - path:, under labels: in default.yml.\n\
         # Fleet updates labels once an hour, so a Mac gets the label up to an hour after the extension started,\n\
         # and its reports and policies after that.\n",
        crate::VERSION
    );
    Ok(head + &entry(label_keys())?)
}

/// Everything as documents for `fleetctl apply`, without labels on reports and policies, so that every licence takes it.
pub fn documents(name: &str) -> Result<String, serde_json::Error> {
    let mut file = format!(
        "# Made by: mdm-health packs {name} (mdm-health {})\n\
         # fleetctl apply -f FILE. Before Fleet 4.82 the kind of a report was query.\n",
        crate::VERSION
    );
    let mut add = |kind: &str, keys: Keys<'_>| -> Result<(), serde_json::Error> {
        let _ = write!(file, "---\napiVersion: v1\nkind: {kind}\nspec:\n{}", lines(keys, 2)?);
        Ok(())
    };
    add("label", label_keys())?;
    for query in QUERIES {
        let description = described(query);
        add("report", report_keys(query, &description, Licence::Free))?;
    }
    for (query, policy) in all_policies() {
        let (sql, passes) = (policy_sql(query), passes(query, policy));
        add("policy", policy_keys(query, policy, [&sql, &passes], Licence::Free))?;
    }
    Ok(file)
}

/// The package, for GitOps.
pub fn package(name: &str) -> Result<String, serde_json::Error> {
    let url = format!("https://downloads.example.com/mdm-health-{}.pkg", crate::VERSION);
    let head = format!(
        "# Made by: mdm-health packs {name} (mdm-health {})\n\
         # For GitOps: name this file, with - path:, under packages: of software: in the YAML of a fleet (Fleet Premium).\n\
         # Put the address of your own copy of the package there.\n",
        crate::VERSION
    );
    let keys: Keys<'_> = vec![
        ("url", Yaml::Quoted(&url)),
        ("post_install_script", Yaml::Key("path", "scripts/mdm-health-restart-orbit.sh")),
        ("uninstall_script", Yaml::Key("path", "scripts/mdm-health-uninstall.sh")),
    ];
    Ok(head + &lines(keys, 0)?)
}

/// The policies: whether mdm-health is there, then what its tables say.
fn all_policies() -> impl Iterator<Item = (&'static Query, &'static Policy)> {
    OSQUERYS_OWN.iter().chain(QUERIES).filter_map(|query| match &query.kind {
        Kind::Policy(policy) | Kind::Installed(policy) => Some((query, policy)),
        Kind::Report | Kind::Incident => None,
    })
}

fn policy_sql(query: &Query) -> String {
    match query.kind {
        Kind::Installed(_) => query.sql.to_owned(),
        _ => query.turned(),
    }
}

fn passes(query: &Query, policy: &Policy) -> String {
    let unknown =
        if query.may_be_unknown() { " If the answer is unknown it passes, and its report says why." } else { "" };
    format!("{}{unknown}", policy.passes)
}

/// What a report's rows say, and what an admin does then.
fn described(query: &Query) -> String {
    match &query.kind {
        Kind::Policy(policy) => format!("{} What to do: {}", query.description, policy.admin),
        _ => query.description.to_owned(),
    }
}

fn report_keys<'t>(query: &'t Query, description: &'t str, licence: Licence) -> Keys<'t> {
    let logging = match query.kind {
        Kind::Report => "differential_ignore_removals",
        _ => "snapshot",
    };
    let mut keys: Keys<'_> = vec![
        ("name", Yaml::Quoted(query.title)),
        ("description", Yaml::Quoted(description)),
        ("platform", Yaml::Word("darwin".to_owned())),
        ("query", Yaml::Block(query.sql)),
        ("interval", Yaml::Word(query.interval.to_string())),
        ("logging", Yaml::Word(logging.to_owned())),
        ("observer_can_run", Yaml::Word(query.only_reads().to_string())),
        ("automations_enabled", Yaml::Word(matches!(query.kind, Kind::Report).to_string())),
    ];
    if licence == Licence::Premium {
        keys.push(("labels_include_any", Yaml::One(LABEL)));
    }
    keys
}

fn policy_keys<'t>(query: &Query, policy: &'t Policy, [sql, passes]: [&'t str; 2], licence: Licence) -> Keys<'t> {
    let mut keys: Keys<'_> = vec![
        ("name", Yaml::Quoted(policy.title)),
        ("description", Yaml::Quoted(passes)),
        ("resolution", Yaml::Quoted(policy.resolution)),
        ("platform", Yaml::Word("darwin".to_owned())),
        ("query", Yaml::Block(sql)),
    ];
    if licence == Licence::Free {
        return keys;
    }
    keys.push(("critical", Yaml::Word(policy.critical.to_string())));
    if policy.calendar {
        keys.push(("calendar_events_enabled", Yaml::Word(true.to_string())));
    }
    if policy.heal {
        keys.push(("run_script", Yaml::Key("path", HEAL_SCRIPT)));
    }
    match query.kind {
        Kind::Installed(_) => keys.push(("install_software", Yaml::Key("package_path", PACKAGE))),
        _ => keys.push(("labels_include_any", Yaml::One(LABEL))),
    }
    keys
}

fn label_keys() -> Keys<'static> {
    vec![
        ("name", Yaml::Quoted(LABEL)),
        ("description", Yaml::Quoted("Macs on which osquery has the tables of mdm-health.")),
        ("platform", Yaml::Word("darwin".to_owned())),
        ("label_membership_type", Yaml::Word("dynamic".to_owned())),
        ("query", Yaml::Block(REGISTERED)),
    ]
}

fn head(name: &str, key: &str, licence: Licence, note: &str) -> String {
    let place = match (licence, key) {
        // Scripts, packages and calendars belong to a fleet.
        (Licence::Premium, "policies") => "the YAML of a fleet",
        (Licence::Premium, _) => "default.yml or the YAML of a fleet",
        (Licence::Free, _) => "default.yml",
    };
    let whom = match licence {
        Licence::Premium => "# For Fleet Premium: for the Macs with the label of mdm-health packs fleet-labels.\n",
        Licence::Free => {
            "# For Fleet Free, which has no labels on these: on a Mac without the extension the query fails.\n"
        }
    };
    format!(
        "# Made by: mdm-health packs {name} (mdm-health {})\n\
         # For GitOps: name this file, with - path:, under {key}: in {place}.\n{whom}{note}",
        crate::VERSION
    )
}

/// An entry of a list.
fn entry(keys: Keys<'_>) -> Result<String, serde_json::Error> {
    Ok(lines(keys, 2)?.replacen("  ", "- ", 1))
}

/// The keys, each so many spaces in.
fn lines(keys: Keys<'_>, spaces: usize) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for (key, value) in keys {
        let value = match value {
            Yaml::Quoted(words) => format!(" {}\n", serde_json::to_string(words)?),
            Yaml::Word(word) => format!(" {word}\n"),
            Yaml::Block(block) => {
                let block: String = block.lines().map(|line| format!("{:spaces$}  {line}\n", "")).collect();
                format!(" |-\n{block}")
            }
            Yaml::One(word) => format!("\n{:spaces$}  - {word}\n", ""),
            Yaml::Key(inner, word) => format!("\n{:spaces$}  {inner}: {word}\n", ""),
        };
        let _ = write!(text, "{:spaces$}{key}:{value}", "");
    }
    Ok(text)
}
