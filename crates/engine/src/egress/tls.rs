//! TLS: who is trusted, and the handshake.

use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use tidings_core::egress::Host;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connect::server_name;

/// The certificate authorities that we trust.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    roots: Arc<RootCertStore>,
}

/// Who we are in a TLS handshake. Its connections and sessions are never shared with others.
#[derive(Clone)]
pub struct Identity {
    connector: TlsConnector,
    name: String,
}

impl Identity {
    /// Names it in the pool of idle connections.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.name)
    }
}

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

    /// The same trust, showing a certificate. `name` must be another one for each certificate.
    pub fn identify(&self, certified: Arc<CertifiedKey>, name: String) -> Identity {
        let config = builder(Arc::clone(&self.roots))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        Identity { connector: connector(config), name }
    }

    fn trusting(roots: RootCertStore) -> Self {
        let roots = Arc::new(roots);
        let config = builder(Arc::clone(&roots)).with_no_client_auth();
        Self { connector: connector(config), roots }
    }

    pub(super) async fn handshake(
        &self,
        identity: Option<&Identity>,
        host: &Host,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let connector = identity.map_or(&self.connector, |identity| &identity.connector);
        connector.connect(server_name(host)?, stream).await
    }
}

fn builder(
    roots: Arc<RootCertStore>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring offers TLS 1.2 and 1.3")
        .with_root_certificates(roots)
}

fn connector(mut config: ClientConfig) -> TlsConnector {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}
