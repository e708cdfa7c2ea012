//! The server's certificates: a CA of its own for each start, whose key never leaves memory.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use uuid::Uuid;

use crate::error::StoreError;

/// pgBackRest 2.45 ignores IP addresses in a certificate, so the name comes first.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// What a server presents, and what a client needs to believe it.
pub(crate) struct Identity {
    pub(crate) ca_pem: String,
    pub(crate) server: Arc<ServerConfig>,
}

impl Identity {
    /// Makes a CA and a certificate for `localhost` and 127.0.0.1 signed by it.
    pub(crate) fn generate() -> Result<Self, StoreError> {
        let ca_key = KeyPair::generate()?;
        let ca_params = ca_params();
        let ca_pem = ca_params.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(ca_params, ca_key);

        let server_key = KeyPair::generate()?;
        let certificate = server_params()?.signed_by(&server_key, &issuer)?;
        let key = PrivatePkcs8KeyDer::from(server_key.serialize_der());
        let provider = Arc::new(ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { ca_pem, server: Arc::new(server) })
    }
}

/// Writes the CA's certificate in one step, so that no client reads half of it.
pub(crate) fn write_ca(path: &Path, pem: &str) -> Result<(), StoreError> {
    let write = || -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        fs::write(&name, pem)?;
        fs::rename(&name, path)
    };
    write().map_err(StoreError::file("write", path))
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

fn server_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, "Phoenix store");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
