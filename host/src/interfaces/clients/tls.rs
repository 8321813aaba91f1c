//! TLS settings of the clients: they trust Mozilla's root certificates and those of the system.

use std::sync::LazyLock;

use rustls::{ClientConfig, RootCertStore};

/// Makes `ring` the process's cryptography. Call it once, before anything uses TLS.
pub fn install_provider() {
    // An error means that it is already set.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The root certificates.
pub static ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    store
});

/// Settings of a client that trusts [`ROOTS`].
pub static CLIENT_CONFIG: LazyLock<ClientConfig> = LazyLock::new(|| client_config(ROOTS.clone()));

/// Settings of a client that trusts `roots` and has no certificate of its own.
pub fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}
