//! Redis and PostgreSQL on real servers.

use dev_servers::{Durability, PostgresServer, RedisServer};

use crate::host::Host;

/// A host, and the Redis server that its component uses.
async fn with_redis() -> (Host, (RedisServer, tempfile::TempDir)) {
    let folder = tempfile::tempdir().expect("a folder");
    let redis = RedisServer::start(folder.path()).await.expect("a server");
    let host = Host::start(&["--variable", &format!("redis_url={}", redis.url())]).await;
    (host, (redis, folder))
}

#[tokio::test]
async fn redis_replies_are_as_on_spin() {
    let (host, _redis) = with_redis().await;
    let response = host.get("/redis").await.body;
    let expected = [
        "set Ok(())",
        "get Ok(Some([49]))",
        "get Ok(None)",
        "incr Ok(2)",
        "sadd Ok(2)",
        "srem Ok(1)",
        "smembers Ok([\"y\"])",
        "incr Err(Error::Other(\"WRONGTYPE: Operation against a key holding the wrong kind of value\"))",
        "mget Ok([RedisResult::Binary([50]), RedisResult::Nil])",
        "nonsense Err(Error::Other(\"An error was signalled by the server - ResponseError: unknown command 'NONSENSE', \
         with args beginning with: \"))",
        "ttl Ok([RedisResult::Int64(1)])",
        "eval Ok([RedisResult::Int64(1), RedisResult::Binary([97]), RedisResult::Int64(2), RedisResult::Nil])",
        "publish Ok(())",
        "del Ok(2)",
    ];
    for (line, expected) in response.lines().zip(expected) {
        assert_eq!(line, expected);
    }
    assert_eq!(response.lines().count(), expected.len(), "{response}");
}

#[tokio::test]
async fn redis_has_no_timeout_of_its_own() {
    let (host, _redis) = with_redis().await;
    host.get("/redis-wait").await.assert_body("Ok([RedisResult::Nil]) Ok([RedisResult::Status(\"PONG\")])");
}

#[tokio::test]
async fn an_unreachable_or_forbidden_redis_is_an_error() {
    let host = Host::start(&[]).await;
    let refused = host.get("/redis").await.body;
    assert!(refused.starts_with("open: Error::Other(\"Connection refused"), "{refused}");
    for address in ["redis://192.0.2.1:6379", "nonsense"] {
        let host = Host::start(&["--variable", &format!("redis_url={address}")]).await;
        host.get("/redis").await.assert_body("open: Error::InvalidAddress");
    }
}

/// The manifest allows 127.0.0.1 only. An address that two parsers read differently must not lead to another host.
#[tokio::test]
async fn an_address_with_two_readings_reaches_no_other_host() {
    let (_, (redis, _folder)) = with_redis().await;
    let port = redis.port();
    for address in
        [format!("redis://localhost:{port}#@127.0.0.1:{port}"), format!("redis://localhost:{port}?@127.0.0.1")]
    {
        let host = Host::start(&["--variable", &format!("redis_url={address}")]).await;
        host.get("/redis").await.assert_body("open: Error::InvalidAddress");
    }
    for address in ["host=127.0.0.1 hostaddr=127.0.0.2 port=1", "postgres://127.0.0.1:1/app?hostaddr=127.0.0.2"] {
        let host = Host::start(&["--variable", &format!("database_url={address}")]).await;
        let refused = host.get("/postgres").await.body;
        assert!(refused.contains("postgres://127.0.0.2:1 is not permitted"), "{refused}");
    }
}

#[tokio::test]
async fn postgres_types_and_errors_are_as_on_spin() {
    let folder = tempfile::tempdir().expect("a folder");
    let postgres = PostgresServer::start(folder.path(), Durability::Volatile).await.expect("a server");
    let variable = format!("database_url={}", postgres.url());
    let host = Host::start(&["--variable", &variable]).await;
    let response = host.get("/postgres").await.body;
    let values = [
        "DbValue::Boolean(true)",
        "DbValue::Int16(-2)",
        "DbValue::Int32(-4)",
        "DbValue::Int64(-8)",
        "DbValue::Floating64(1.5)",
        "DbValue::Str(\"täxt\")",
        "DbValue::Binary([0, 255])",
        "DbValue::Date((2024, 2, 29))",
        "DbValue::Datetime((2024, 2, 29, 23, 59, 58, 123456000))",
        "DbValue::Uuid(\"67e55044-10b1-426f-9247-bb680e5fe0c8\")",
        "DbValue::Jsonb([123, 34, 97, 34, 58, 91, 49, 44, 110, 117, 108, 108, 93, 125])",
        "DbValue::Decimal(\"123.4500\")",
        "DbValue::ArrayStr([Some(\"a\"), None])",
        "DbValue::ArrayInt64([Some(1), None])",
        "DbValue::DbNull",
        "series Ok(1000)",
        "execute Ok(1)",
        "execute Ok(1)",
    ];
    for (line, value) in response.lines().zip(values) {
        assert!(line.contains(value), "{value} is not in {line}");
    }
    assert_eq!(response.lines().count(), values.len(), "{response}");

    let errors = host.get("/postgres-errors").await.body;
    let errors: Vec<&str> = errors.lines().collect();
    assert!(errors[0].contains("severity: \"ERROR\", code: \"42601\""), "{}", errors[0]);
    assert!(errors[1].contains("ValueConversionFailed") && errors[1].contains("invalid UUID no"), "{}", errors[1]);
    assert!(errors[2].starts_with("late Err") && errors[2].contains("22012"), "{}", errors[2]);
    assert!(errors[3].starts_with("timestamptz Err"), "as on Spin 4: {}", errors[3]);
    assert!(errors[4].contains("address postgres://192.0.2.1:5432 is not permitted"), "{}", errors[4]);
}
