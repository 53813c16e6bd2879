//! TLS: who is trusted, and the handshake.

use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tidings_core::egress::Host;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connect::server_name;

/// The certificate authorities that we trust.
#[derive(Clone)]
pub struct Tls(TlsConnector);

/// The extra certificates are unusable.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not PEM, or no certificate in it.
    #[error("the extra certificates hold no PEM certificate: {0}")]
    Pem(rustls::pki_types::pem::Error),
    /// A certificate cannot serve as an authority.
    #[error("an extra certificate cannot be used as an authority: {0}")]
    Certificate(rustls::Error),
}

impl Tls {
    /// The public authorities (Mozilla's list).
    pub fn public() -> Self {
        Self::trusting(RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()))
    }

    /// The public authorities and those in `pem`, for receivers with certificates of the
    /// operator's own.
    ///
    /// # Errors
    /// `pem` holds no certificate, or one that cannot be an authority.
    pub fn with_extra(pem: &[u8]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        CertificateDer::from_pem_slice(pem).map_err(TlsError::Pem)?;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(TlsError::Pem)?).map_err(TlsError::Certificate)?;
        }
        Ok(Self::trusting(roots))
    }

    fn trusting(roots: RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring offers TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(TlsConnector::from(Arc::new(config)))
    }

    pub(super) async fn handshake(
        &self,
        host: &Host,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        self.0.connect(server_name(host)?, stream).await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}
