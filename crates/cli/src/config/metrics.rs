//! Who may read the metrics, and where: the section `[metrics]`.

use std::net::SocketAddr;

use super::parse;
use super::typed::TypedMetrics;
use crate::error::Result;

/// Who may read the metrics, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// An address of their own, where whoever reaches it may read them.
    pub(crate) listen: Option<SocketAddr>,
    /// Whether they need no owner key at the address of everything else.
    pub(crate) open: bool,
}

/// The metrics of `[metrics]`.
///
/// # Errors
/// An address that is none.
pub(super) fn metrics(typed: &TypedMetrics) -> Result<Metrics> {
    let wanted = "an address and a port, such as 127.0.0.1:9480";
    let listen = typed.listen.as_deref().map(|text| parse("metrics.listen", text, wanted));
    Ok(Metrics { listen: listen.transpose()?, open: typed.open.unwrap_or_default() })
}
