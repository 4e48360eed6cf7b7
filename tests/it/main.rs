//! Every test that is not a unit test, as one crate: a module for each part of the program, and what they share in
//! `support`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod archives_hostile;
mod archives_pieces;
mod archives_story;
mod archives_strings;
mod archives_sysdiagnose;
mod archives_time;
mod archives_tracev3;
mod awake_time;
mod capture;
mod client_events;
mod codes;
mod command_line;
mod cost_day;
mod doctor;
mod enrollment_and_identity;
mod enrollment_questions;
mod everyday_macs;
mod extension_life;
mod first_minutes;
mod fleet_day;
mod fleet_forms;
mod foreign_folders;
mod golden;
mod heal_actions;
mod heal_cli;
mod heal_crash;
mod heal_evidence;
mod heal_faults;
mod heal_limits;
mod heal_policy;
mod heal_record;
mod heal_tampering;
mod heal_time;

mod history;
mod install_log_forms;
mod install_log_growth;
mod interleaving;
mod inventories;
mod journal_crash;
mod journal_on_disk;
mod kolide_checks;
mod live_budget;
mod live_host;
mod live_journal;
mod live_updates;
mod log_predicate;
mod log_styles;
mod macos_claims;
mod manager_faults;
mod native_log;
mod no_network;
mod old_plist;
mod osquery;
mod osquery_heal;
mod pack_queries;
mod package_files;
mod packaging;
mod packs;
mod pages;
mod pasted_logs;
mod plain_english;
mod planted_secrets;
mod private_messages;
mod query_shell;
mod quotas;
mod readme;
mod real_captures;
mod redacted_rows;
mod redaction;
mod remembered_answers;
mod report;
mod report_fleet;
mod report_updates;
mod rooms;
mod root_safety;
mod running_version;
mod seeds;
mod sleep_and_status;
mod soak;
mod support;
mod system_log;
mod terminal;
mod text_without_value;
mod update_blockers;
mod update_captures;
mod update_events;
mod update_forms;
mod update_item_events;
mod update_order;
mod update_real_captures;
mod update_rules;
mod verdict_table;
mod watch;
mod watchdog_edges;
mod watchdog_rules;
mod who_may_speak;
