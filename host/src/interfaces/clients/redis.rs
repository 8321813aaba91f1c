//! Clients of Redis, which trust the same certificates as the other clients.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::{Client, ConnectionAddr, ConnectionInfo, RedisResult, TlsCertificates};

use super::tls;

/// The root certificates as PEM (RFC 7468), the only form that the library takes.
static ROOTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let pem =
        |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
    tls::ROOT_CERTIFICATES.iter().map(|certificate| pem(certificate)).collect::<String>().into_bytes()
});

/// A client of the server at `info`. It does not connect yet. Errors: a `rediss://` address with `#insecure`, because
/// certificates are always checked.
pub fn client(info: ConnectionInfo) -> RedisResult<Client> {
    match info.addr() {
        ConnectionAddr::TcpTls { insecure: false, .. } => {
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(ROOTS.clone()) })
        }
        ConnectionAddr::TcpTls { .. } => {
            Err((redis::ErrorKind::InvalidClientConfig, "certificates are always checked: remove #insecure").into())
        }
        _ => Client::open(info),
    }
}

#[cfg(test)]
mod tests {
    use redis::IntoConnectionInfo;

    use super::*;

    fn open(url: &str) -> RedisResult<Client> {
        tls::install_provider();
        client(url.into_connection_info().expect("a valid address"))
    }

    #[test]
    fn certificates_are_always_checked() {
        for url in ["redis://localhost", "rediss://localhost", "redis+unix:///tmp/none"] {
            assert!(open(url).is_ok(), "{url}");
        }
        let error = open("rediss://localhost/#insecure").expect_err("refused").to_string();
        assert!(error.contains("certificates are always checked"), "{error}");
    }
}
