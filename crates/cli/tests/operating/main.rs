//! What operators do: watch, upgrade, check, back up, restore, install.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod audit;
mod backup;
mod doctor;
mod installation;
mod logs;
mod metrics;
mod migrate;
mod packaging;
mod traces;
