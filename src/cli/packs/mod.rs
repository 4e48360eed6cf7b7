//! The packs: the queries of `packs/queries` in the forms that osquery, Kolide and Fleet take.
//!
//! A policy is a report turned around: it gives a row exactly when the report gives none that somebody can act on. So a
//! predicate is written once, and what is unknown is a row of the report and fails nothing.

mod attributes;
mod fleet;
mod kolide;
mod osquery;
mod query;

use fleet::Licence;
pub use query::{ATTRIBUTES, Attribute, Kind, OSQUERYS_OWN, Policy, QUERIES, Query};

/// A file that is made from the queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An osquery pack.
    Osquery,
    /// Kolide's checks.
    Kolide,
    /// Fleet's label, for GitOps.
    FleetLabels,
    /// Reports for Fleet Premium, for GitOps.
    FleetReports,
    /// Policies for Fleet Premium, for GitOps.
    FleetPolicies,
    /// The package for Fleet Premium, for GitOps.
    FleetPackage,
    /// Reports for Fleet Free, for GitOps.
    FleetFreeReports,
    /// Policies for Fleet Free, for GitOps.
    FleetFreePolicies,
    /// Documents for `fleetctl apply`.
    FleetApply,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 9] = [
        Self::Osquery,
        Self::Kolide,
        Self::FleetLabels,
        Self::FleetReports,
        Self::FleetPolicies,
        Self::FleetPackage,
        Self::FleetFreeReports,
        Self::FleetFreePolicies,
        Self::FleetApply,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Osquery => "osquery",
            Self::Kolide => "kolide",
            Self::FleetLabels => "fleet-labels",
            Self::FleetReports => "fleet-reports",
            Self::FleetPolicies => "fleet-policies",
            Self::FleetPackage => "fleet-package",
            Self::FleetFreeReports => "fleet-free-reports",
            Self::FleetFreePolicies => "fleet-free-policies",
            Self::FleetApply => "fleet-apply",
        }
    }

    pub fn text(self) -> Result<String, serde_json::Error> {
        let name = self.name();
        match self {
            Self::Osquery => osquery::pack(),
            Self::Kolide => Ok(kolide::checks()),
            Self::FleetLabels => fleet::labels(name),
            Self::FleetReports => fleet::reports(Licence::Premium, name),
            Self::FleetPolicies => fleet::policies(Licence::Premium, name),
            Self::FleetPackage => fleet::package(name),
            Self::FleetFreeReports => fleet::reports(Licence::Free, name),
            Self::FleetFreePolicies => fleet::policies(Licence::Free, name),
            Self::FleetApply => fleet::documents(name),
        }
    }
}

/// The names that can be printed.
pub fn names() -> impl Iterator<Item = &'static str> {
    let forms = Form::ALL.into_iter().map(Form::name).chain(QUERIES.iter().map(|query| query.name));
    forms.chain(ATTRIBUTES.iter().flat_map(|attribute| [attribute.name, attribute.jamf, attribute.intune]))
}

/// The form, the SQL of a query or the script of an attribute by that name.
pub fn text(name: &str) -> Result<String, serde_json::Error> {
    if let Some(form) = Form::ALL.into_iter().find(|form| form.name() == name) {
        return form.text();
    }
    let queries = QUERIES.iter().filter(|query| query.name == name).map(|query| format!("{}\n", query.sql));
    let attributes = ATTRIBUTES.iter().filter_map(|attribute| match name {
        _ if name == attribute.name => Some(format!("{}\n", attribute.sql)),
        _ if name == attribute.jamf => Some(attribute.for_jamf()),
        _ if name == attribute.intune => Some(attribute.for_intune()),
        _ => None,
    });
    Ok(queries.chain(attributes).collect())
}

/// Printed below the list.
const NOTE: &str = "\
The osquery pack is on where the extension is installed, so it can begin some seconds before the tables are there;
`--extensions_require=mdm_health` makes osqueryd wait for them. `SELECT name, active FROM osquery_packs` shows whether the
pack is on.
";

/// The queries and what their rows say, in Markdown, and what an admin does.
pub fn list() -> String {
    let rows = QUERIES.iter().map(|query| {
        let run = match query.kind {
            Kind::Policy(_) | Kind::Installed(_) => "report and policy",
            Kind::Report => "report",
            Kind::Incident => "by hand",
        };
        format!("| `{}` | {run} | {} |\n", query.name, query.description)
    });
    let rows = rows.chain(ATTRIBUTES.iter().map(|attribute| {
        format!("| `{}` | attribute of an inventory | {} |\n", attribute.name, attribute.description)
    }));
    let fixes = QUERIES.iter().filter_map(|query| match &query.kind {
        Kind::Policy(policy) => Some(format!("| `{}` | {} |\n", query.name, policy.admin)),
        _ => None,
    });
    format!(
        "| query | runs as | what its rows say |\n|---|---|---|\n{}\n| query | what to do about a row |\n|---|---|\n{}\n{NOTE}",
        rows.collect::<String>(),
        fixes.collect::<String>()
    )
}
