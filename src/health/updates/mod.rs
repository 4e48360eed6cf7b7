//! Builds the updates from every source that mentions them: a fold over the events in chronological order.
//!
//! A line about progress names no product. It belongs to the current update: the one that mdmclient asked for, or the
//! only system update on offer. If there are two such updates or none, it stays untied: a row without a product key.

mod assembler;
pub mod blockers;
pub mod enforcement;
pub mod failure_code;
mod operation;
mod product_keys;
mod status;
pub mod stuck;
pub mod timeline;
mod versions;

pub use assembler::assemble;
pub use status::{Id, Update};
pub use versions::compare as compare_versions;
