//! Certificates that have expired are refused, and said to have; the same that have not are not.

use aws_sdk_s3::error::ProvideErrorMetadata;
use phoenix_store::{Certificates, FaultProxy, InspectError, Inspector, ProxyConfig, Validity};
use rstest::rstest;

use crate::common::{BUCKET, Front, Store, chain, names};

/// What an inspector says of a store behind a proxy with certificates of these ages.
async fn inspected(ca: Validity, certificate: Validity) -> Result<(), InspectError> {
    let store = Store::start().await;
    let certificates = Certificates::generate_apart(&names(), ca, certificate).unwrap();
    let proxy = store.proxy(certificates).await;
    let store = Store { proxy: Some(proxy), ..store };
    Inspector::new(store.target())?.list("").await.map(drop)
}

#[tokio::test]
async fn valid_certificates_are_accepted() {
    inspected(Validity::current(), Validity::current()).await.unwrap();
}

#[rstest]
#[case(Validity::current())]
#[case(Validity::expired())]
#[tokio::test]
async fn an_expired_ca_is_refused(#[case] certificate: Validity) {
    let error = inspected(Validity::expired(), certificate).await.unwrap_err();
    assert!(matches!(error, InspectError::ExpiredCa { .. }), "{error:?}");
    assert!(error.to_string().contains("proxy-ca.pem expired at 20"), "{error}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let error = inspected(Validity::current(), Validity::expired()).await.unwrap_err();
    assert!(matches!(error, InspectError::Tls { .. }), "{error:?}");
    assert!(chain(&error).contains("certificate expired"), "{}", chain(&error));
}

#[rstest]
#[case::valid(Validity::current(), None)]
#[case::expired(Validity::expired(), Some("certificate expired"))]
#[tokio::test]
async fn a_proxy_looks_at_the_certificate_behind_it(
    #[case] validity: Validity,
    #[case] expected: Option<&str>,
) {
    let inner = Store::start_behind(Front::Store).await;
    let certificates = Certificates::generate_apart(&names(), Validity::current(), validity).unwrap();
    let middle = inner.proxy(certificates.clone()).await;
    let upstream =
        phoenix_store::Upstream { port: middle.port(), ca_pem: certificates.ca_pem, ..inner.upstream() };
    let outer = Certificates::generate(&names(), Validity::current()).unwrap();
    std::fs::write(inner.proxy_ca_file(), &outer.ca_pem).unwrap();
    let outer = FaultProxy::start(ProxyConfig::new(outer, upstream)).await.unwrap();
    let store = Store { proxy: Some(outer), ..inner };
    let listed = store.client().list_objects_v2().bucket(BUCKET).send().await;
    let told = listed.err().map(|error| error.into_service_error().message().unwrap().to_owned());
    assert_eq!(told.is_some(), expected.is_some(), "{told:?}");
    assert!(told.unwrap_or_default().contains(expected.unwrap_or_default()));
}
