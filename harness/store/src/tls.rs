//! From certificates to TLS as a server and as a client of another server speaks it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::certificates::Certificates;
use crate::error::StoreError;

const HTTP_1_1: &[u8] = b"http/1.1";

/// What a server presents.
pub(crate) fn server(certificates: &Certificates) -> Result<Arc<ServerConfig>, StoreError> {
    let chain = certificates_in(&certificates.certificate_pem)?;
    let key = PrivateKeyDer::from_pem_slice(certificates.key_pem.expose().as_bytes());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key.map_err(StoreError::Pem)?)?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}

/// What a client trusts: these certificates and no others.
pub(crate) fn client(ca_pem: &str) -> Result<Arc<ClientConfig>, StoreError> {
    let mut trusted = RootCertStore::empty();
    for certificate in certificates_in(ca_pem)? {
        trusted.add(certificate)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}

fn certificates_in(pem: &str) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(StoreError::Pem)
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
