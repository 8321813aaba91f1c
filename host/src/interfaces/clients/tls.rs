//! TLS settings of the clients: they trust Mozilla's root certificates and those of the system.

use std::sync::LazyLock;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// Makes `ring` the process's cryptography. Call it once, before anything uses TLS.
pub fn install_provider() {
    // An error means that it is already set.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The root certificates that can be used: Mozilla's, and those of the system. The environment variables SSL_CERT_FILE
/// and SSL_CERT_DIR select others in place of the system's.
pub static ROOT_CERTIFICATES: LazyLock<Vec<CertificateDer<'static>>> = LazyLock::new(|| {
    let is_usable =
        |certificate: &CertificateDer<'_>| RootCertStore::empty().add(certificate.clone().into_owned()).is_ok();
    let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
    let mut certificates: Vec<_> =
        mozilla.chain(rustls_native_certs::load_native_certs().certs).filter(is_usable).collect();
    certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    certificates.dedup();
    certificates
});

/// [`ROOT_CERTIFICATES`].
pub static ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(ROOT_CERTIFICATES.iter().cloned());
    store
});

/// Settings of a client that trusts [`ROOTS`].
pub static CLIENT_CONFIG: LazyLock<ClientConfig> = LazyLock::new(|| client_config(ROOTS.clone()));

/// Settings of a client that trusts `roots` and has no certificate of its own.
pub fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}
