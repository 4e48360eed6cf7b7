//! mdm-health tells whether a Mac's MDM is healthy, why not, and repairs it within limits.
//!
//! Data flows one way: [`host`] (the Mac, live or recorded) to [`log`] records, to [`event`]s, to the [`journal`];
//! beside it the [`facts`]; from both the pure rules of [`health`]; from those the [`tables`], which the
//! front ends [`osquery`], [`report`] and [`cli`] show. [`collect`] walks that way once and keeps the result fresh.

pub mod cli;
pub mod collect;
pub mod event;
pub mod facts;
pub mod heal;
pub mod health;
pub mod host;
pub mod journal;
pub mod log;
pub mod osquery;
pub mod property_list;
pub mod redact;
pub mod report;
pub mod tables;
pub mod vocabulary;

/// The version of this program, as `Cargo.toml` has it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
