//! From PEM to what a TLS handshake needs.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::ClientCertificate;

/// A client certificate is unusable. The text repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No certificate, or something that is none between the markers.
    #[error("must be one or more certificates in PEM, the hook's own first")]
    Certificate,
    /// No private key, an encrypted one, or one of an unknown kind.
    #[error("must be one private key in PEM, not encrypted: PKCS #8, PKCS #1 (RSA) or SEC 1 (EC)")]
    Key,
    /// The key belongs to another certificate.
    #[error("is not the key of the first certificate")]
    Mismatch,
}

impl ClientCertificate {
    /// Chain and key, checked to belong together.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn certified_key(&self) -> Result<CertifiedKey, CertificateError> {
        let certificates = CertificateDer::pem_slice_iter(self.certificate.reveal().as_bytes());
        let chain: Vec<_> =
            certificates.collect::<Result<_, _>>().map_err(|_| CertificateError::Certificate)?;
        if chain.is_empty() {
            return Err(CertificateError::Certificate);
        }
        let key = PrivateKeyDer::from_pem_slice(self.private_key.reveal().as_bytes());
        let key = key.map_err(|_| CertificateError::Key)?;
        let provider = rustls::crypto::ring::default_provider();
        let key = provider.key_provider.load_private_key(key).map_err(|_| CertificateError::Key)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateError::Mismatch),
            Err(_) => Err(CertificateError::Certificate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Hidden;
    use super::*;

    fn made(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn key_and_certificate_must_belong_together() {
        let ((certificate, key), (other, other_key)) = (made("a.example"), made("b.example"));
        let chain = format!("{certificate}{other}");
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cut = &certificate[..certificate.len() / 2];
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (certificate, key, expected) in [
            (certificate.as_str(), key.as_str(), None),
            (&chain, &key, None),
            (&certificate, &other_key, Some(CertificateError::Mismatch)),
            (&format!("{other}{certificate}"), &key, Some(CertificateError::Mismatch)),
            ("", &key, Some(CertificateError::Certificate)),
            ("hello", &key, Some(CertificateError::Certificate)),
            (&key, &key, Some(CertificateError::Certificate)),
            (garbage, &key, Some(CertificateError::Certificate)),
            (cut, &key, Some(CertificateError::Certificate)),
            (&certificate, "", Some(CertificateError::Key)),
            (&certificate, &certificate, Some(CertificateError::Key)),
            (&certificate, encrypted, Some(CertificateError::Key)),
            (&certificate, &key[..80], Some(CertificateError::Key)),
        ] {
            let identity = ClientCertificate {
                certificate: Hidden::from(certificate.to_owned()),
                private_key: Hidden::from(key.to_owned()),
            };
            let found = identity.certified_key().err();
            assert_eq!(found, expected, "{certificate:.40} / {key:.40}");
        }
    }
}
