//! Redis and PostgreSQL for `up`: private servers, or those that the environment names.

use std::future::pending;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, ensure};
use dev_servers::{Durability, Error, PostgresServer, RedisServer, migrations};

use crate::data::Data;
use crate::packages::{self, Package};
use crate::restarts::Restarts;
use crate::{egress, workspace};

/// Both servers. Dropping it ends the private ones.
pub struct Stores {
    redis_url: String,
    database_url: String,
    redis: Option<RedisServer>,
    postgres: Option<PostgresServer>,
}

/// The URL in the environment variable `name`, or in SPIN_VARIABLE_`name`.
fn from_environment(name: &str) -> Option<String> {
    let read = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
    read(name).or_else(|| read(&format!("SPIN_VARIABLE_{name}")))
}

/// Refuses host options that set the URL of a store: they would override the URL of the servers that `up` starts.
///
/// # Errors
/// If `host_args` contains such an option.
pub fn check_args(host_args: &[String]) -> Result<()> {
    for (variable, name) in [("redis_url=", "REDIS_URL"), ("database_url=", "DATABASE_URL")] {
        let sets = |arg: &String| arg.strip_prefix("--variable=").unwrap_or(arg).starts_with(variable);
        ensure!(!host_args.iter().any(sets), "set the environment variable {name} instead of --variable {variable}…");
    }
    Ok(())
}

/// The packages that [`Stores::start`] needs.
pub fn packages() -> Vec<Package> {
    let redis = from_environment("REDIS_URL").is_none().then_some(packages::REDIS);
    let postgres = from_environment("DATABASE_URL").is_none().then_some(packages::POSTGRES);
    redis.into_iter().chain(postgres).collect()
}

impl Stores {
    /// Starts a private server, with its data in `data`, for each of `REDIS_URL` and `DATABASE_URL` that is not set,
    /// and applies the migrations.
    pub async fn start(data: &Data) -> Result<Self> {
        let (database_url, postgres) = match from_environment("DATABASE_URL") {
            Some(url) => (url, None),
            None => {
                let postgres = start_postgres(data).await?;
                (postgres.url(), Some(postgres))
            }
        };
        let (redis_url, redis) = match from_environment("REDIS_URL") {
            Some(url) => (url, None),
            None => {
                let folder = data.folder().join("redis");
                // Keeps cached data only with a private database: another one may have changed since the last `up`.
                let saved = postgres.is_some();
                let redis =
                    if saved { RedisServer::start_saved(&folder).await? } else { RedisServer::start(&folder).await? };
                (redis.url(), Some(redis))
            }
        };
        for name in migrations::apply(&database_url, &workspace::root().join("migrations")).await? {
            eprintln!("      applied the migration {name}");
        }
        Ok(Self { redis_url, database_url, redis, postgres })
    }

    /// Passes the URLs to the host.
    pub fn add_variables(&self, host: &mut Command) -> Result<()> {
        egress::add_variables(host, "redis", &self.redis_url)?;
        egress::add_variables(host, "database", &self.database_url)
    }

    /// One line for each store: its URL and where its data is.
    pub fn described(&self, data: &Data) -> [String; 2] {
        let line = |url: &str, private: bool, folder: &Path| match private {
            true => format!("{url}  (data in {})", folder.display()),
            false => format!("{url}  (from the environment)"),
        };
        [
            line(&self.redis_url, self.redis.is_some(), &data.folder().join("redis")),
            line(&self.database_url, self.postgres.is_some(), &data.postgres()),
        ]
    }

    /// Restarts the private servers whenever they exit, on the same ports: PostgreSQL with its data, Redis empty.
    /// Returns only if a restart fails.
    pub async fn keep_running(&mut self) -> Result<()> {
        let (mut of_redis, mut of_postgres) = (Restarts::default(), Restarts::default());
        loop {
            tokio::select! {
                status = or_never(self.redis.as_mut().map(RedisServer::ended)) => {
                    let redis = self.redis.as_mut().expect("it is private");
                    report_exit("Redis", status, &redis.log());
                    let restarted = of_redis.restart(async || redis.restart().await).await;
                    restarted.context("cannot restart Redis")?;
                }
                status = or_never(self.postgres.as_mut().map(PostgresServer::ended)) => {
                    let postgres = self.postgres.as_mut().expect("it is private");
                    report_exit("PostgreSQL", status, &postgres.log());
                    let restarted = of_postgres.restart(async || postgres.restart().await).await;
                    restarted.context("cannot restart PostgreSQL")?;
                }
            }
        }
    }

    /// Stops the private servers; their data stays.
    pub async fn stop(self) -> Result<()> {
        if let Some(redis) = self.redis {
            redis.stop_and_save().await?;
        }
        if let Some(mut postgres) = self.postgres {
            postgres.stop().await?;
        }
        Ok(())
    }
}

async fn or_never<T>(future: Option<impl Future<Output = T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

fn report_exit(name: &str, status: ExitStatus, log: &Path) {
    eprintln!("{name} exited unexpectedly ({status}), restarting it; its log is {}", log.display());
}

async fn start_postgres(data: &Data) -> Result<PostgresServer> {
    match PostgresServer::start(&data.postgres(), Durability::Safe).await {
        Err(Error::OutOfReach(_)) => {
            data.move_postgres()?;
            Ok(PostgresServer::start(&data.postgres(), Durability::Safe).await?)
        }
        Err(error @ Error::WrongVersion { .. }) => {
            Err(error).context("install that version of PostgreSQL, or delete the data with `cargo xtask reset`")
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    /// The process id that the Redis at this port reports; `None` if it does not answer.
    fn process_id(port: u16) -> Option<u32> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.write_all(b"INFO server\r\nQUIT\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.lines().find_map(|line| line.strip_prefix("process_id:")?.parse().ok())
    }

    #[tokio::test]
    async fn a_killed_server_is_restarted_on_the_same_port() {
        let folder = tempfile::tempdir().unwrap();
        let redis = RedisServer::start(folder.path()).await.unwrap();
        let (port, first) = (redis.port(), redis.id());
        let mut stores =
            Stores { redis_url: redis.url(), database_url: String::new(), redis: Some(redis), postgres: None };
        Command::new("sh").args(["-c", "kill -9 $0", &first.to_string()]).status().unwrap();
        let restarted = async {
            while process_id(port).is_none_or(|id| id == first) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            failed = stores.keep_running() => panic!("{failed:?}"),
            in_time = tokio::time::timeout(Duration::from_secs(20), restarted) => in_time.unwrap(),
        }
        assert_ne!(stores.redis.as_ref().unwrap().id(), first);
        stores.stop().await.unwrap();
    }
}
