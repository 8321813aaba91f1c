//! Redis and PostgreSQL for a run of the application: private ones, or those that the environment names.

use std::future::pending;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, ensure};
use dev_servers::{Durability, Error, PostgresServer, RedisServer, migrations};

use crate::data::Data;
use crate::packages::{self, Package};
use crate::restarts::Restarts;
use crate::{egress, workspace};

/// Two stores; those that are ours end with this.
pub struct Stores {
    redis_url: String,
    database_url: String,
    redis: Option<RedisServer>,
    postgres: Option<PostgresServer>,
}

/// The URL that the environment variable names, or Spin's for the same, if one does.
fn named(variable: &str) -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
    set(variable).or_else(|| set(&format!("SPIN_VARIABLE_{variable}")))
}

/// The stores are chosen before the host gets its options: an address among them would be another one than was started.
///
/// # Errors
/// `host_args` set the address of a store.
pub fn check_args(host_args: &[String]) -> Result<()> {
    for (variable, name) in [("redis_url=", "REDIS_URL"), ("database_url=", "DATABASE_URL")] {
        let sets = |arg: &String| arg.strip_prefix("--variable=").unwrap_or(arg).starts_with(variable);
        ensure!(!host_args.iter().any(sets), "set the environment variable {name} instead of --variable {variable}…");
    }
    Ok(())
}

/// The packages that [`Stores::start`] needs here.
pub fn packages() -> Vec<Package> {
    let redis = named("REDIS_URL").is_none().then_some(packages::REDIS);
    let postgres = named("DATABASE_URL").is_none().then_some(packages::POSTGRES);
    redis.into_iter().chain(postgres).collect()
}

impl Stores {
    /// Starts what `REDIS_URL` and `DATABASE_URL` do not name, with its data in `data`, and applies the migrations.
    pub async fn start(data: &Data) -> Result<Self> {
        let postgres = match named("DATABASE_URL") {
            Some(_) => None,
            None => Some(start_postgres(data).await?),
        };
        let redis = match named("REDIS_URL") {
            Some(_) => None,
            // A cache outlives its database only together with it: another's may have changed in between.
            None if postgres.is_some() => Some(RedisServer::start_kept(&data.folder().join("redis")).await?),
            None => Some(RedisServer::start(&data.folder().join("redis")).await?),
        };
        let redis_url = redis.as_ref().map(RedisServer::url).or_else(|| named("REDIS_URL"));
        let database_url = postgres.as_ref().map(PostgresServer::url).or_else(|| named("DATABASE_URL"));
        let redis_url = redis_url.expect("it is named or started");
        let database_url = database_url.expect("it is named or started");
        for name in migrations::apply(&database_url, &workspace::root().join("migrations")).await? {
            eprintln!("      applied {name}");
        }
        Ok(Self { redis_url, database_url, redis, postgres })
    }

    /// Tells the host about them.
    pub fn add_variables(&self, host: &mut Command) -> Result<()> {
        let egress = |url: &str| egress::of(url).with_context(|| format!("{url} is no URL of Redis or PostgreSQL"));
        let mut variable = |name: &str, value: &str| {
            host.arg("--variable").arg(format!("{name}={value}"));
        };
        variable("redis_url", &self.redis_url);
        variable("redis_egress", &egress(&self.redis_url)?);
        variable("database_url", &self.database_url);
        variable("database_egress", &egress(&self.database_url)?);
        Ok(())
    }

    /// One line for each store: where it is and where its data lives.
    pub fn described(&self, data: &Data) -> [String; 2] {
        let place = |ours: bool, folder: String| if ours { format!("data in {folder}") } else { "not ours".into() };
        let redis = place(self.redis.is_some(), data.folder().join("redis").display().to_string());
        let postgres = place(self.postgres.is_some(), data.postgres().display().to_string());
        [format!("{}  ({redis})", self.redis_url), format!("{}  ({postgres})", self.database_url)]
    }

    /// Starts those that are ours again whenever they end, on the same ports, and says so: PostgreSQL with its data, Redis
    /// empty. Does not return before that fails.
    pub async fn keep_up(&mut self) -> Result<()> {
        let (mut of_redis, mut of_postgres) = (Restarts::default(), Restarts::default());
        loop {
            tokio::select! {
                status = or_never(self.redis.as_mut().map(RedisServer::ended)) => {
                    let redis = self.redis.as_mut().expect("it was ours");
                    tell_end("Redis", status, &redis.log());
                    let restarted = of_redis.again(async || redis.restart().await).await;
                    restarted.context("Redis cannot be started again")?;
                }
                status = or_never(self.postgres.as_mut().map(PostgresServer::ended)) => {
                    let postgres = self.postgres.as_mut().expect("it was ours");
                    tell_end("PostgreSQL", status, &postgres.log());
                    let restarted = of_postgres.again(async || postgres.restart().await).await;
                    restarted.context("PostgreSQL cannot be started again")?;
                }
            }
        }
    }

    /// Stops those that are ours, keeping their data.
    pub async fn stop(self) -> Result<()> {
        if let Some(redis) = self.redis {
            redis.stop_and_keep().await?;
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

fn tell_end(name: &str, status: ExitStatus, log: &Path) {
    eprintln!("{name} ended by itself with {status} (its log is {}); starting it again", log.display());
}

async fn start_postgres(data: &Data) -> Result<PostgresServer> {
    match PostgresServer::start(&data.postgres(), Durability::Safe).await {
        Err(Error::OutOfReach(_)) => {
            data.move_postgres()?;
            Ok(PostgresServer::start(&data.postgres(), Durability::Safe).await?)
        }
        Err(error @ Error::WrongVersion { .. }) => {
            Err(error).context("install that version, or delete the data with `cargo xtask reset`")
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

    /// The process id that the server at this port says it has; `None` if it does not answer.
    fn process_id(port: u16) -> Option<u32> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.write_all(b"INFO server\r\nQUIT\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.lines().find_map(|line| line.strip_prefix("process_id:")?.parse().ok())
    }

    #[tokio::test]
    async fn a_server_that_is_killed_comes_back_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let redis = RedisServer::start(folder.path()).await.unwrap();
        let (port, first) = (redis.port(), redis.id());
        let mut stores =
            Stores { redis_url: redis.url(), database_url: String::new(), redis: Some(redis), postgres: None };
        Command::new("sh").args(["-c", "kill -9 $0", &first.to_string()]).status().unwrap();
        let back = async {
            while process_id(port).is_none_or(|id| id == first) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            failed = stores.keep_up() => panic!("{failed:?}"),
            in_time = tokio::time::timeout(Duration::from_secs(20), back) => in_time.unwrap(),
        }
        assert_ne!(stores.redis.as_ref().unwrap().id(), first);
        stores.stop().await.unwrap();
    }
}
