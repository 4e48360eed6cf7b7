//! Whether a binary may be shipped to Macs, and what macOS will see in it.

use crate::macho::{Slice, Version};
use crate::stubs::Stubs;
use memchr::memmem;
use object::Architecture;
use object::macho::PLATFORM_MACOS;

/// The first macOS that the program runs on.
const MINIMUM: Version = Version::new(12, 0);

/// The first SDK with which macOS 26 and later tell a program their version; with an older one they claim to be 16.
const SDK: Version = Version::new(26, 0);

/// What macOS will see, a column for each architecture.
pub fn table(slices: &[Slice]) -> String {
    let signature = |slice: &Slice| match &slice.signature {
        None => "none".to_owned(),
        Some(Err(why)) => why.clone(),
        Some(Ok(signature)) => {
            let kind = if signature.is_ad_hoc { "ad hoc" } else { "signed" };
            format!("{kind}, {} pages", signature.pages)
        }
    };
    let platform = |slice: &Slice| match slice.platform {
        PLATFORM_MACOS => "macOS".to_owned(),
        other => format!("platform {}", other.0),
    };
    type Cell<'c> = &'c dyn Fn(&Slice) -> String;
    let rows: [(&str, Cell<'_>); 8] = [
        ("", &|slice| name(slice.architecture).to_owned()),
        ("built for", &platform),
        ("least version", &|slice| slice.minimum.to_string()),
        ("SDK", &|slice| slice.sdk.to_string()),
        ("libraries", &|slice| {
            slice.libraries.iter().filter_map(|path| path.rsplit('/').next()).collect::<Vec<_>>().join(" ")
        }),
        ("symbols from them", &|slice| slice.imports.len().to_string()),
        ("signature", &signature),
        ("bytes", &|slice| slice.bytes.len().to_string()),
    ];
    let mut text = String::new();
    for (title, cell) in rows {
        text.push_str(&format!("{title:<20}"));
        for slice in slices {
            text.push_str(&format!("{:<32}", cell(slice)));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Why the binary may not be shipped, a sentence's part each.
pub fn faults(slices: &[Slice], stubs: &Stubs, unwanted: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut architectures: Vec<&str> = slices.iter().map(|slice| name(slice.architecture)).collect();
    architectures.sort_unstable();
    if architectures != ["arm64", "x86_64"] {
        faults.push(format!("it is for {}, not for both kinds of Mac", architectures.join(" and ")));
    }
    for slice in slices {
        let found = faults_of(slice, stubs, unwanted);
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", name(slice.architecture))));
    }
    faults
}

fn faults_of(slice: &Slice, stubs: &Stubs, unwanted: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    if !slice.is_program || slice.platform != PLATFORM_MACOS {
        faults.push("it is not a program for macOS".to_owned());
    }
    if slice.minimum != MINIMUM {
        faults.push(format!("it runs from macOS {} on, not from {MINIMUM}", slice.minimum));
    }
    if slice.sdk < SDK {
        faults.push(format!("its SDK is {}, and to an SDK before {SDK} macOS gives a false version", slice.sdk));
    }
    for library in &slice.libraries {
        if !library.starts_with("/usr/lib/") && !library.starts_with("/System/Library/") {
            faults.push(format!("it needs {library}, which is no part of macOS"));
        }
    }
    for path in &slice.run_paths {
        faults.push(format!("it looks for libraries in {path}"));
    }
    for import in slice.imports.iter().filter(|import| !import.weak) {
        if !stubs.has(&import.library, slice.architecture, &import.symbol) {
            let library = if import.library.is_empty() { "no library" } else { &import.library };
            faults.push(format!("it needs {} of {library}, which the stubs do not have", import.symbol));
        }
    }
    match &slice.signature {
        // Apple silicon runs nothing that is not signed.
        None if slice.architecture == Architecture::Aarch64 => faults.push("it is not signed".to_owned()),
        Some(Err(why)) => faults.push(why.clone()),
        None | Some(Ok(_)) => {}
    }
    for text in unwanted {
        if memmem::find(&slice.bytes, text.as_bytes()).is_some() {
            faults.push(format!("it holds the text {text:?}"));
        }
    }
    faults
}

fn name(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Aarch64 => "arm64",
        Architecture::X86_64 => "x86_64",
        _ => "another architecture",
    }
}

#[cfg(test)]
mod tests;
