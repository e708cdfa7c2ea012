//! Certificates for a server: a CA of its own, and what the server presents.

use chrono::{DateTime, TimeDelta, Utc};
use phoenix_core::Secret;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use uuid::Uuid;

use crate::error::StoreError;

/// Clocks of victims and containers differ a little from ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::days(1);
/// Longer than any drill, so that only a planted certificate expires.
const LIFETIME: TimeDelta = TimeDelta::days(3650);

/// From when to when a certificate is valid, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Before this it is not valid yet. Nothing before 1970 can be said.
    pub not_before: DateTime<Utc>,
    /// After this it has expired.
    pub not_after: DateTime<Utc>,
}

impl Validity {
    /// From a day ago to ten years from now.
    #[must_use]
    pub fn current() -> Self {
        let now = Utc::now();
        Self { not_before: now - CLOCK_SKEW, not_after: now + LIFETIME }
    }

    /// Ended an hour ago, after a month.
    #[must_use]
    pub fn expired() -> Self {
        let not_after = Utc::now() - TimeDelta::hours(1);
        Self { not_before: not_after - TimeDelta::days(30), not_after }
    }
}

/// A CA's certificate, and a server's certificate and key that it signed. The CA's key is forgotten:
/// nothing else will ever be signed by it.
///
/// Go's `crypto/tls` reads `certificate_pem` and `key_pem` as they are, as does OpenSSL.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// What clients trust.
    pub ca_pem: String,
    /// What the server presents.
    pub certificate_pem: String,
    /// The key of that certificate, in PKCS #8.
    pub key_pem: Secret,
}

impl Certificates {
    /// A CA and a certificate for these DNS names and IP addresses, both valid at the same time.
    ///
    /// pgBackRest 2.45 ignores IP addresses in a certificate: give it a name.
    ///
    /// # Errors
    /// If a name is none.
    pub fn generate(names: &[String], validity: Validity) -> Result<Self, StoreError> {
        Self::generate_apart(names, validity, validity)
    }

    /// As [`generate`](Self::generate), with a validity for the CA and another for the certificate.
    ///
    /// OpenSSL refuses a certificate whose CA has expired; rustls never looks at a CA's dates.
    ///
    /// # Errors
    /// If a name is none.
    pub fn generate_apart(names: &[String], ca: Validity, certificate: Validity) -> Result<Self, StoreError> {
        let ca_key = KeyPair::generate()?;
        let ca_params = valid(ca_params(), ca);
        let ca_pem = ca_params.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(ca_params, ca_key);

        let key = KeyPair::generate()?;
        let signed = valid(server_params(names)?, certificate).signed_by(&key, &issuer)?;
        Ok(Self { ca_pem, certificate_pem: signed.pem(), key_pem: Secret::new(key.serialize_pem()) })
    }
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    // A name of its own, so that a client says "unknown issuer" of another store's certificate.
    let name = format!("Phoenix store CA {}", Uuid::new_v4().simple());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Phoenix store");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn valid(mut params: CertificateParams, validity: Validity) -> CertificateParams {
    let since_1970 = |at: DateTime<Utc>| (at - DateTime::UNIX_EPOCH).to_std().unwrap_or_default();
    let date = |at| date_time_ymd(1970, 1, 1) + since_1970(at);
    params.not_before = date(validity.not_before);
    params.not_after = date(validity.not_after);
    params
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    /// From when to when, in seconds since 1970.
    fn dates(pem: &str) -> (i64, i64) {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let validity = certificate.validity();
        (validity.not_before.timestamp(), validity.not_after.timestamp())
    }

    fn seconds(validity: Validity) -> (i64, i64) {
        (validity.not_before.timestamp(), validity.not_after.timestamp())
    }

    #[test]
    fn ca_and_certificate_are_valid_as_told() {
        let (ca, certificate) = (Validity::expired(), Validity::current());
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = Certificates::generate_apart(&names, ca, certificate).unwrap();
        assert_eq!(dates(&made.ca_pem), seconds(ca));
        assert_eq!(dates(&made.certificate_pem), seconds(certificate));
    }

    #[test]
    fn the_key_is_never_shown() {
        let made = Certificates::generate(&["localhost".to_owned()], Validity::current()).unwrap();
        assert!(made.key_pem.expose().starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(!format!("{made:?}").contains("PRIVATE KEY"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let made = Certificates::generate(&["n\u{fc}rnberg".to_owned()], Validity::current());
        assert!(matches!(made, Err(StoreError::Certificate(_))), "{made:?}");
    }
}
