//! Calendar providers: translators without I/O. A caller asks for a request, sends it by its own
//! means and hands the response back; what comes out is data of the domain.

pub mod caldav;
pub mod diff;
pub mod draft;
pub mod errand;
pub mod error;
pub mod event;
pub mod google;
pub mod http;
pub mod icalendar;
pub mod item;
pub mod listed;
pub mod microsoft;
pub mod oauth;
pub mod occurrences;
pub mod provider;
pub mod rule;
pub mod settings;
pub mod zone;
pub mod zoom;

pub use error::ProviderError;
pub use provider::Provider;
