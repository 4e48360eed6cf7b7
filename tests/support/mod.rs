//! What several tests share. Each test is a program of its own and uses a part of it.
#![allow(dead_code, clippy::expect_used, reason = "a test may fail loudly")]

pub mod heal_mac;
