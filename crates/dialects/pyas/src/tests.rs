//! The endpoints over a service of their own, as a client of Pyas sees them.

mod accounts;
mod events;
mod meetings;
mod refusals;
mod world;
