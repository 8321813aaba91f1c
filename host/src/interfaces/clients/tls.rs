//! TLS settings of the clients: they trust Mozilla's root certificates and those of the system.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};

/// Makes `ring` the process's cryptography. Call it once, before anything uses TLS.
pub fn install_provider() {
    // An error means that it is already set.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The root certificates. They are read at the first call.
pub fn roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        store
    })
}

/// Settings of a client that trusts `roots` and has no certificate of its own.
pub fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// Settings of a client that trusts [`roots`], shared by all.
pub fn default_client_config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    CONFIG.get_or_init(|| Arc::new(client_config(roots().clone()))).clone()
}
