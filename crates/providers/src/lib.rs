//! Calendar providers: translators without I/O. A caller asks for a request, sends it by its own
//! means and hands the response back; what comes out is data of the domain.

pub mod caldav;
pub mod diff;
pub mod error;
pub mod event;
pub mod icalendar;

pub use error::ProviderError;
