//! Checks the binary for Macs and makes the installer package, on any system:
//!
//! ```text
//! packaging-tool check BINARY STUBS… [--not TEXT]…           what macOS will see in the binary, and whether it may
//!                                                            be shipped: all that it imports is in the STUBS (.tbd
//!                                                            files), and no TEXT, such as a path of the build machine
//! packaging-tool package LAYOUT IDENTIFIER VERSION OUT.pkg   what build-pkg.sh --layout-only laid out, as a package
//! ```

mod check;
mod macho;
mod package;
mod signature;
mod stubs;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use stubs::Stubs;

const USAGE: &str = "Usage: packaging-tool check BINARY STUBS… [--not TEXT]…, or packaging-tool package LAYOUT IDENTIFIER VERSION OUT.pkg";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packaging-tool: {error}.");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    match arguments {
        ["check", binary, rest @ ..] => {
            let (mut stubs, mut unwanted, mut rest) = (Stubs::default(), Vec::new(), rest);
            loop {
                rest = match rest {
                    ["--not", text, rest @ ..] => {
                        unwanted.push(*text);
                        rest
                    }
                    [path, rest @ ..] => {
                        stubs.read(Path::new(path))?;
                        rest
                    }
                    [] => break,
                };
            }
            let data = std::fs::read(binary).map_err(|why| format!("{binary} cannot be read: {why}"))?;
            let slices = macho::read(&data).map_err(|why| format!("{binary} is not a binary for macOS: {why}"))?;
            print!("{}", check::table(&slices));
            let faults = check::faults(&slices, &stubs, &unwanted);
            if faults.is_empty() { Ok(()) } else { Err(format!("{binary} is refused: {}", faults.join("; ")).into()) }
        }
        ["package", layout, identifier, version, out] => {
            Ok(package::make(Path::new(layout), identifier, version, Path::new(out))?)
        }
        _ => Err(USAGE.into()),
    }
}
