//! Redis and PostgreSQL over TLS: only servers with a certificate for their name, which is valid now and signed by an
//! authority that the host trusts.

use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dev_servers::{Durability, Output, Port, PostgresServer, Process, Signal, programs};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::host::{Host, MANIFEST, NEEDED, command};

/// An authority, in a folder that also has its certificate.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// The certificates of a server at 127.0.0.1.
#[derive(Clone, Copy, Debug)]
enum Certificate {
    Good,
    OfAnotherHost,
    Expired,
    NotYetValid,
}

/// The files of a certificate and its key.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let folder = tempfile::tempdir().expect("a folder");
        // PostgreSQL runs as another user, who must be able to enter the folder.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("opened");
        let certificate = params.self_signed(&key).expect("signed").pem();
        std::fs::write(folder.path().join("ca.pem"), certificate).expect("written");
        Self { issuer: Issuer::new(params, key), folder }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Signs a certificate. `owner` is a file whose owner will own the key.
    fn sign(&self, kind: Certificate, owner: &Path) -> Files {
        let name = if matches!(kind, Certificate::OfAnotherHost) { "db.example" } else { "127.0.0.1" };
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        match kind {
            Certificate::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Certificate::NotYetValid => params.not_before = date_time_ymd(2090, 1, 1),
            Certificate::Good | Certificate::OfAnotherHost => {}
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let path = |extension: &str| self.folder.path().join(format!("{kind:?}.{extension}"));
        let files = Files { certificate: path("pem"), key: path("key") };
        std::fs::write(&files.certificate, certificate.pem()).expect("written");
        std::fs::write(&files.key, key.serialize_pem()).expect("written");
        std::fs::set_permissions(&files.key, PermissionsExt::from_mode(0o600)).expect("restricted");
        let owner = owner.metadata().expect("it exists");
        chown(&files.key, Some(owner.uid()), Some(owner.gid())).expect("given");
        files
    }
}

/// A host that uses these servers and trusts `authority`, besides the usual ones.
async fn host(variables: &[(&str, &str)], authority: Option<&Authority>) -> Host {
    let manifest = MANIFEST.replace("\"http://localhost:*\"", "\"http://localhost:*\", \"rediss://127.0.0.1:*\"");
    let values = variables.iter().map(|(name, value)| format!("{name}={value}"));
    let arguments: Vec<String> = values.flat_map(|value| ["--variable".to_owned(), value]).collect();
    let arguments: Vec<&str> = NEEDED.into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let (mut command, folder) = command(&manifest, &arguments);
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority.certificate());
    }
    Host::run(command, folder).await
}

/// A Redis server that speaks only TLS. Dropping it ends it.
async fn redis(files: &Files, folder: &Path) -> (Process, u16) {
    let port = Port::reserve().expect("a port").number();
    let mut command = Command::new(programs::redis_server().expect("installed"));
    command.args(["--bind", "127.0.0.1", "--port", "0", "--tls-port", &port.to_string(), "--save", ""]);
    command.arg("--tls-cert-file").arg(&files.certificate).arg("--tls-key-file").arg(&files.key);
    command.args(["--tls-auth-clients", "no"]).arg("--dir").arg(folder);
    let log = folder.join("redis.log");
    let mut server = Process::spawn("redis-server", command, Output::Log(&log), Signal::KILL).expect("started");
    let ready = async || TcpStream::connect(("127.0.0.1", port)).is_ok();
    server.until(Duration::from_secs(30), ready).await.expect("it listens");
    (server, port)
}

#[tokio::test]
async fn redis_over_tls_needs_a_certificate_that_can_be_trusted() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    for (certificate, expected) in [
        (Certificate::Good, Ok(())),
        (Certificate::OfAnotherHost, Err("not valid for name")),
        (Certificate::Expired, Err("expired")),
        (Certificate::NotYetValid, Err("not valid yet")),
    ] {
        let files = authority.sign(certificate, folder.path());
        let (_server, port) = redis(&files, folder.path()).await;
        let url = format!("rediss://127.0.0.1:{port}");
        let reply = host(&[("redis_url", &url)], Some(&authority)).await.get("/redis").await.body;
        expect(&reply, expected.map(|()| "set Ok(())"), certificate);
        if expected.is_err() {
            continue;
        }
        let reply = host(&[("redis_url", &url)], None).await.get("/redis").await.body;
        expect(&reply, Err("UnknownIssuer"), "the authority is unknown");
        let insecure = format!("{url}/#insecure");
        let reply = host(&[("redis_url", &insecure)], Some(&authority)).await.get("/redis").await.body;
        assert_eq!(reply, "open: Error::InvalidAddress", "certificates are always checked");
    }
}

/// Checks that the reply begins with this line, or is an error about the certificate with this text.
fn expect(reply: &str, expected: Result<&str, &str>, what: impl std::fmt::Debug) {
    match expected {
        Ok(line) => assert_eq!(reply.lines().next(), Some(line), "{what:?}: {reply}"),
        Err(text) => {
            assert!(reply.starts_with("open: ") && reply.contains("certificate"), "{what:?}: {reply}");
            assert!(reply.contains(text), "{what:?}: {reply}");
        }
    }
}

/// Makes the server use the certificate from its next start on.
async fn use_certificate(server: &PostgresServer, files: &Files) {
    let superuser = server.cluster().connect().await.expect("a connection");
    for setting in [
        "ssl = on".to_owned(),
        format!("ssl_cert_file = '{}'", files.certificate.display()),
        format!("ssl_key_file = '{}'", files.key.display()),
    ] {
        superuser.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.expect("set");
    }
}

#[tokio::test]
async fn postgres_over_tls_needs_a_certificate_that_can_be_trusted() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = PostgresServer::start(folder.path(), Durability::Volatile).await.expect("a server");
    let url = format!("{}?sslmode=require", server.url());
    let plain = host(&[("database_url", &url)], Some(&authority)).await.get("/postgres").await.body;
    assert!(plain.starts_with("open: ") && plain.contains("server does not support TLS"), "{plain}");
    for (certificate, expected) in [
        (Certificate::OfAnotherHost, Err("not valid for name")),
        (Certificate::Expired, Err("expired")),
        (Certificate::Good, Ok(())),
    ] {
        use_certificate(&server, &authority.sign(certificate, &folder.path().join("data"))).await;
        server.restart().await.expect("restarted");
        let trusting = host(&[("database_url", &url)], Some(&authority)).await;
        let reply = trusting.get("/postgres").await.body;
        let Err(text) = expected else {
            assert!(reply.contains("series Ok(1000)"), "{reply}");
            let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                             WHERE ssl AND usename = 'tumbler'";
            let superuser = server.cluster().connect().await.expect("a connection");
            let count: i64 = superuser.query_one(encrypted, &[]).await.expect("counted").get(0);
            assert!(count > 0, "the host's connection is encrypted");
            continue;
        };
        expect(&reply, Err(text), certificate);
    }
    let reply = host(&[("database_url", &url)], None).await.get("/postgres").await.body;
    expect(&reply, Err("UnknownIssuer"), "the authority is unknown");
}
