//! Scripts that give an inventory one value of a Mac: extension attributes of Jamf Pro and custom attributes of Intune.

use super::query::Attribute;

/// Where the package puts the program.
const PROGRAM: &str = "/usr/local/mdm-health/mdm-health";

impl Attribute {
    /// The script for Jamf Pro, which reads what stands between two tags.
    pub fn for_jamf(&self) -> String {
        let data_type = if self.date { "Date (YYYY-MM-DD hh:mm:ss)" } else { "String" };
        let place = format!("Jamf Pro: an extension attribute of the data type {data_type}, input type Script.");
        self.script(self.jamf, &place, "<result>$value</result>")
    }

    /// The script for Intune, which reads what is printed.
    pub fn for_intune(&self) -> String {
        self.script(self.intune, "Intune: a custom attribute for macOS of the data type String.", "$value")
    }

    /// The value stands in the second line; as CSV an empty one is two quotes. Without the program a string says so; a date is empty then, as it is where there is none.
    fn script(&self, name: &str, place: &str, printed: &str) -> String {
        let [missing, failed] = if self.date { ["", ""] } else { ["not installed", "unreadable"] };
        let sql: String = self.sql.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        format!(
            "#!/bin/sh\n# Made by: mdm-health packs {name} (mdm-health {version})\n# {place}\n# {title}: {description}\n\
             program={PROGRAM}\nvalue='{missing}'\nif [ -x \"$program\" ]; then\n    \
             if rows=$(\"$program\" query --csv \"{sql}\"); then\n        \
             value=$(printf '%s\\n' \"$rows\" | sed -n '2{{s/^\"\"$//;p;}}')\n    else\n        value='{failed}'\n    fi\nfi\necho \"{printed}\"\n",
            version = crate::VERSION,
            title = self.title,
            description = self.description,
        )
    }
}
