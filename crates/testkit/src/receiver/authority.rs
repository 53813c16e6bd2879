//! A certificate authority for tests of TLS.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// An authority that nobody trusts unless told to.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a receiver behind TLS shows, with its key.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<ServerConfig>);

impl Authority {
    /// A new authority.
    #[expect(clippy::new_without_default, reason = "each one is another authority")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names to be wrong");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, new_key());
        Self(issuer.expect("the parameters are complete"))
    }

    /// Its own certificate, for those who shall trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name`, a host name or an address.
    ///
    /// # Panics
    /// When `name` cannot stand in a certificate.
    pub fn certificate(&self, name: &str) -> Certificate {
        self.issue(&CertificateParams::new([name.to_owned()]).expect("a valid name"))
    }

    /// A certificate for `name` that ended with the year 2020.
    ///
    /// # Panics
    /// When `name` cannot stand in a certificate.
    pub fn expired_certificate(&self, name: &str) -> Certificate {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a valid name");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.issue(&params)
    }

    /// A certificate for `name`, sent with so many copies of itself that the chain has at least
    /// `bytes`.
    ///
    /// # Panics
    /// When `name` cannot stand in a certificate.
    pub fn certificate_with_long_chain(&self, name: &str, bytes: usize) -> Certificate {
        let params = CertificateParams::new([name.to_owned()]).expect("a valid name");
        let (certificate, key) = self.sign(&params);
        let copies = bytes.div_ceil(certificate.len());
        Certificate::new(vec![certificate; copies], &key, None)
    }

    /// A certificate for a client and its private key, both PEM.
    ///
    /// # Panics
    /// When `name` cannot stand in a certificate.
    pub fn client(&self, name: &str) -> (String, String) {
        let params = CertificateParams::new([name.to_owned()]).expect("a valid name");
        let key = new_key();
        let certificate = params.signed_by(&key, &self.0).expect("the parameters are complete");
        (certificate.pem(), key.serialize_pem())
    }

    /// A certificate for `name`, whose receiver lets in only clients of this authority.
    ///
    /// # Panics
    /// When `name` cannot stand in a certificate.
    pub fn demanding_certificate(&self, name: &str) -> Certificate {
        let params = CertificateParams::new([name.to_owned()]).expect("a valid name");
        let (certificate, key) = self.sign(&params);
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("an authority's certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .expect("there is an authority to trust");
        Certificate::new(vec![certificate], &key, Some(clients))
    }

    fn issue(&self, params: &CertificateParams) -> Certificate {
        let (certificate, key) = self.sign(params);
        Certificate::new(vec![certificate], &key, None)
    }

    fn sign(&self, params: &CertificateParams) -> (CertificateDer<'static>, KeyPair) {
        let key = new_key();
        let certificate = params.signed_by(&key, &self.0).expect("the parameters are complete");
        (certificate.der().clone(), key)
    }
}

impl Certificate {
    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &KeyPair,
        clients: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Self {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring offers TLS 1.2 and 1.3")
            .with_client_cert_verifier(clients.unwrap_or_else(|| Arc::new(NoClientAuth)))
            .with_single_cert(chain, key)
            .expect("certificate and key belong together");
        Self(Arc::new(config))
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the machine has randomness")
}
