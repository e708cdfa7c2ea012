//! The store over TLS, as its clients see it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod certificates;
mod common;
mod faults;
mod listing;
mod multipart;
mod objects;
mod proxy;
mod recorder;
mod server;
mod sigkill;
mod storage_faults;
mod versioning;
mod wipe;
