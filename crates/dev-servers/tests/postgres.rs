//! The PostgreSQL server: start, kill, restart, pause; its databases and migrations.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use dev_servers::{Cluster, Durability, Error, PostgresServer, migrations};
use tempfile::TempDir;
use tokio_postgres::error::SqlState;

/// A folder that the user `postgres` can enter.
fn folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap()
}

async fn start(folder: &Path) -> PostgresServer {
    PostgresServer::start(folder, Durability::Volatile).await.unwrap()
}

async fn number(cluster: &Cluster, query: &str) -> i64 {
    cluster.connect().await.unwrap().query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn data_survives_a_kill_and_a_new_handle() {
    let folder = folder();
    let mut server = start(folder.path()).await;
    let port = server.port();
    let client = server.cluster().connect().await.unwrap();
    client.batch_execute("CREATE TABLE t AS SELECT 42::bigint AS n").await.unwrap();
    server.kill().await.unwrap();
    assert!(server.cluster().connect().await.is_err(), "a killed server accepts connections");
    server.restart().await.unwrap();
    assert_eq!(server.port(), port);
    assert_eq!(number(&server.cluster(), "SELECT n FROM t").await, 42);
    server.stop().await.unwrap();
    drop(server);
    let server = start(folder.path()).await;
    assert_eq!(number(&server.cluster(), "SELECT n FROM t").await, 42);
}

#[tokio::test]
async fn clients_need_a_password_and_the_application_is_no_superuser() {
    let folder = folder();
    let server = start(folder.path()).await;
    for role in ["tumbler", "postgres"] {
        let refused = Cluster::at(&format!("postgres://{role}@127.0.0.1:{}/tumbler", server.port())).connect().await;
        assert!(refused.is_err(), "{role} needs no password");
    }
    let application = Cluster::at(&server.url()).connect().await.unwrap();
    application.batch_execute("CREATE TABLE t (n int); CREATE EXTENSION pg_trgm").await.unwrap();
    let refused = application.batch_execute("COPY t TO PROGRAM 'cat'").await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    for name in ["password", "superuser-password"] {
        let file = std::fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let log = std::fs::read_to_string(server.log()).unwrap();
    let password = std::fs::read_to_string(folder.path().join("password")).unwrap();
    assert!(!log.contains(password.trim()), "{log}");
}

#[tokio::test]
async fn data_without_passwords_is_not_opened() {
    let folder = folder();
    drop(start(folder.path()).await);
    std::fs::remove_file(folder.path().join("password")).unwrap();
    let refused = PostgresServer::start(folder.path(), Durability::Volatile).await;
    assert!(matches!(refused, Err(Error::NoPassword(_))), "{refused:?}");
}

#[tokio::test]
async fn a_paused_server_does_not_answer() {
    let folder = folder();
    let server = start(folder.path()).await;
    let client = server.cluster().connect().await.unwrap();
    server.pause();
    let answer = tokio::time::timeout(Duration::from_millis(200), client.query_one("SELECT 1", &[])).await;
    assert!(answer.is_err(), "a paused server answered");
    server.resume();
    client.query_one("SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn a_paused_server_ends_with_its_handle() {
    let folder = folder();
    let server = start(folder.path()).await;
    let _client = server.cluster().connect().await.unwrap();
    server.pause();
    let cluster = server.cluster();
    drop(server);
    assert!(cluster.connect().await.is_err());
}

#[tokio::test]
async fn databases_are_migrated_and_isolated() {
    let folder = folder();
    let server = start(folder.path()).await;
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("0001_one.sql"), "CREATE TABLE one (n int); INSERT INTO one VALUES (1);").unwrap();
    let cluster = server.cluster();
    cluster.prepare_template(files.path()).await.unwrap();
    let a = Cluster::at(&cluster.create_database("a").await.unwrap());
    let b = Cluster::at(&cluster.create_database("b").await.unwrap());
    a.connect().await.unwrap().batch_execute("DELETE FROM one").await.unwrap();
    assert_eq!(number(&a, "SELECT count(*) FROM one").await, 0);
    assert_eq!(number(&b, "SELECT count(*) FROM one").await, 1);
    cluster.drop_database("a").await.unwrap();
    assert!(a.connect().await.is_err());
}

#[tokio::test]
async fn migrations_run_once_in_order_and_report_changed_files() {
    let folder = folder();
    let server = start(folder.path()).await;
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(files.path().join(name), text).unwrap();
    let url = server.url();
    write("0002_two.sql", "ALTER TABLE one ADD COLUMN m int");
    write("0001_one.sql", "CREATE TABLE one (n int)");
    write("README.md", "not SQL");

    // Two at once: the lock makes the second wait, and then nothing is left to apply.
    let (first, second) = tokio::join!(migrations::apply(&url, files.path()), migrations::apply(&url, files.path()));
    let mut applied = first.unwrap();
    applied.extend(second.unwrap());
    assert_eq!(applied, ["0001_one.sql", "0002_two.sql"]);

    write("0003_three.sql", "CREATE TABLE three (n int); SELECT 1/0");
    let error = migrations::apply(&url, files.path()).await.unwrap_err().to_string();
    assert!(error.contains("0003_three.sql") && error.contains("division by zero"), "{error}");
    assert_eq!(number(&server.cluster(), "SELECT count(*) FROM pg_class WHERE relname = 'three'").await, 0);
    write("0003_three.sql", "CREATE TABLE three (n int)");
    assert_eq!(migrations::apply(&url, files.path()).await.unwrap(), ["0003_three.sql"]);

    write("0001_one.sql", "CREATE TABLE one (n bigint)");
    let changed = migrations::apply(&url, files.path()).await.unwrap_err();
    assert!(matches!(&changed, Error::MigrationChanged(name) if name == "0001_one.sql"), "{changed}");
    std::fs::remove_file(files.path().join("0001_one.sql")).unwrap();
    let missing = migrations::apply(&url, files.path()).await.unwrap_err();
    assert!(matches!(&missing, Error::MigrationMissing(name) if name == "0001_one.sql"), "{missing}");
}
