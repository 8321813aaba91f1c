//! Whom TLS connections trust: Mozilla's roots and the system's.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};

/// Makes `ring` the process's cryptography. Called once, before anything uses TLS.
pub fn install_provider() {
    // The error means that somebody else was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The root certificates; read once, when first needed.
pub fn roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        store
    })
}

/// A client without certificate of its own.
pub fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// A client that trusts [`roots`]; shared.
pub fn default_client_config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    CONFIG.get_or_init(|| Arc::new(client_config(roots().clone()))).clone()
}
