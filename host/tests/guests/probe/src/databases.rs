//! Redis and PostgreSQL, at the addresses in the variables `redis_url` and `database_url`.

use spin_sdk::pg::{Connection as Postgres, ParameterValue};
use spin_sdk::redis::{Connection as Redis, RedisParameter};

async fn address(name: &str) -> String {
    spin_sdk::variables::get(name).await.unwrap_or_default()
}

fn binary(text: &str) -> RedisParameter {
    RedisParameter::Binary(text.as_bytes().to_vec())
}

/// One line per command.
pub async fn redis() -> String {
    let redis = match Redis::open(address("redis_url").await).await {
        Ok(redis) => redis,
        Err(error) => return format!("open: {error:?}"),
    };
    let mut lines = Vec::new();
    lines.push(format!("set {:?}", redis.set("probe:a", b"1").await));
    lines.push(format!("get {:?}", redis.get("probe:a").await));
    lines.push(format!("get {:?}", redis.get("probe:none").await));
    lines.push(format!("incr {:?}", redis.incr("probe:a").await));
    lines.push(format!("sadd {:?}", redis.sadd("probe:s", &["x", "y"]).await));
    lines.push(format!("srem {:?}", redis.srem("probe:s", &["x"]).await));
    lines.push(format!("smembers {:?}", redis.smembers("probe:s").await));
    lines.push(format!("incr {:?}", redis.incr("probe:s").await));
    lines.push(format!("mget {:?}", redis.execute("MGET", [binary("probe:a"), binary("probe:none")]).await));
    lines.push(format!("nonsense {:?}", redis.execute("NONSENSE", []).await));
    lines.push(format!("ttl {:?}", redis.execute("PEXPIRE", [binary("probe:a"), RedisParameter::Int64(600_000)]).await));
    let nested = "return {1, {'a', {2}}, false}";
    lines.push(format!("eval {:?}", redis.execute("EVAL", [binary(nested), RedisParameter::Int64(0)]).await));
    lines.push(format!("publish {:?}", redis.publish("probe", b"x").await));
    lines.push(format!("del {:?}", redis.del(&["probe:a", "probe:s"]).await));
    lines.join("\n")
}

/// Two commands at once on one connection, the first of which waits longer than any default timeout.
pub async fn redis_wait() -> String {
    let redis = match Redis::open(address("redis_url").await).await {
        Ok(redis) => redis,
        Err(error) => return format!("open: {error:?}"),
    };
    let wait = [binary("probe:nothing"), binary("1.2")];
    let (popped, ping) = futures::join!(redis.execute("BLPOP", wait), redis.execute("PING", []));
    format!("{popped:?} {ping:?}")
}

async fn open() -> Result<Postgres, String> {
    Postgres::open(address("database_url").await).await.map_err(|error| format!("open: {error:?}"))
}

/// One line per type: what comes back when the parameter is selected.
pub async fn postgres() -> String {
    let postgres = match open().await {
        Ok(postgres) => postgres,
        Err(error) => return error,
    };
    let parameters: [(&str, ParameterValue); 15] = [
        ("bool", ParameterValue::Boolean(true)),
        ("int2", ParameterValue::Int16(-2)),
        ("int4", ParameterValue::Int32(-4)),
        ("int8", ParameterValue::Int64(-8)),
        ("float8", ParameterValue::Floating64(1.5)),
        ("text", ParameterValue::Str("täxt".into())),
        ("bytea", ParameterValue::Binary(vec![0, 255])),
        ("date", ParameterValue::Date((2024, 2, 29))),
        ("timestamp", ParameterValue::Datetime((2024, 2, 29, 23, 59, 58, 123_456_000))),
        ("uuid", ParameterValue::Uuid("67e55044-10b1-426f-9247-bb680e5fe0c8".into())),
        ("jsonb", ParameterValue::Jsonb(br#"{"a": [1, null]}"#.to_vec())),
        ("numeric", ParameterValue::Decimal("123.4500".into())),
        ("text[]", ParameterValue::ArrayStr(vec![Some("a".into()), None])),
        ("int8[]", ParameterValue::ArrayInt64(vec![Some(1), None])),
        ("int4", ParameterValue::DbNull),
    ];
    let mut lines = Vec::new();
    for (name, value) in parameters {
        lines.push(match postgres.query(format!("SELECT $1::{name} AS v"), [value]).await {
            Ok(result) => {
                let columns = format!("{:?}", result.columns());
                let first = result.collect().await.map(|rows| rows.first().map(|row| format!("{:?}", row[0])));
                format!("{name} {columns} {}", first.map_or_else(|e| format!("{e:?}"), Option::unwrap_or_default))
            }
            Err(error) => format!("{name} {error:?}"),
        });
    }
    lines.push(match postgres.query("SELECT g::int4 FROM generate_series(1, 1000) g", []).await {
        Ok(result) => format!("series {:?}", result.collect().await.map(|rows| rows.len())),
        Err(error) => format!("series {error:?}"),
    });
    lines.push(format!("execute {:?}", postgres.execute("CREATE TEMP TABLE probe AS SELECT 1 AS a", []).await));
    lines.push(format!("execute {:?}", postgres.execute("UPDATE probe SET a = 2", []).await));
    lines.join("\n")
}

/// One line per error.
pub async fn postgres_errors() -> String {
    let postgres = match open().await {
        Ok(postgres) => postgres,
        Err(error) => return error,
    };
    let mut lines = Vec::new();
    lines.push(format!("syntax {:?}", postgres.execute("SELEC 1", []).await));
    let bad = [ParameterValue::Uuid("no".into())];
    lines.push(format!("uuid {:?}", postgres.execute("SELECT $1::uuid", bad).await));
    lines.push(match postgres.query("SELECT 1 / (3 - g) FROM generate_series(1, 5) g", []).await {
        Ok(result) => format!("late {:?}", result.collect().await.map(|rows| rows.len())),
        Err(error) => format!("early {error:?}"),
    });
    lines.push(match postgres.query("SELECT now()", []).await {
        Ok(result) => format!("timestamptz {:?}", result.collect().await.map(|rows| rows.len())),
        Err(error) => format!("early {error:?}"),
    });
    let refused = Postgres::open("postgres://nobody@192.0.2.1/x").await.map(|_| ());
    lines.push(format!("refused {refused:?}"));
    lines.join("\n")
}
