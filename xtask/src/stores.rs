//! Redis, another Redis for locks, and PostgreSQL for `up`: private servers, or those that the environment names.

use std::future::pending;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, ensure};
use dev_servers::{Durability, Error, PostgresServer, RedisOptions, RedisServer, migrations, secret};

use crate::data::Data;
use crate::packages::{self, Package};
use crate::restarts::Restarts;
use crate::{egress, variables, workspace};

/// The servers. Dropping it ends the private ones.
pub struct Stores {
    redis_url: String,
    database_url: String,
    redis: Option<RedisServer>,
    /// `None`: the user named the servers for locks, or the Redis server; then locks are there.
    lock_redis: Option<RedisServer>,
    postgres: Option<PostgresServer>,
}

/// The URL in the environment variable `name`, or in SPIN_VARIABLE_`name`.
fn from_environment(name: &str) -> Option<String> {
    let read = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
    read(name).or_else(|| read(&variables::environment(name)))
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
    /// Starts a private server, with its data in `data`, for each of `REDIS_URL` and `DATABASE_URL` that is not set.
    /// With a private Redis, another one is for locks, unless the environment or `host_args` name the servers for
    /// locks. Then applies the migrations.
    pub async fn start(data: &Data, host_args: &[String]) -> Result<Self> {
        let (database_url, postgres) = match from_environment("DATABASE_URL") {
            Some(url) => (url, None),
            None => {
                let postgres = start_postgres(data).await?;
                (postgres.url(), Some(postgres))
            }
        };
        // Keeps cached data only with a private database: another one may have changed since the last `up`.
        let keep_cached = postgres.is_some();
        let (redis_url, redis) = match from_environment("REDIS_URL") {
            Some(url) => (url, None),
            None => {
                let redis = start_redis(&data.folder().join("redis"), RedisOptions::cache(), keep_cached).await?;
                (redis.url(), Some(redis))
            }
        };
        // Not with the user's own Redis: programs on other machines that use it must find the same locks there.
        let lock_redis = match &redis {
            Some(_) if !variables::is_set(host_args, "lock_redis_urls") => {
                Some(start_redis(&data.folder().join("lock-redis"), RedisOptions::locks(), true).await?)
            }
            _ => None,
        };
        for name in migrations::apply(&database_url, &workspace::root().join("migrations")).await? {
            eprintln!("      applied the migration {name}");
        }
        Ok(Self { redis_url, database_url, redis, lock_redis, postgres })
    }

    /// Passes the URLs to the host.
    pub fn add_variables(&self, host: &mut Command) -> Result<()> {
        egress::add_variables(host, ("redis_url", "redis_egress"), &self.redis_url)?;
        if let Some(locks) = &self.lock_redis {
            egress::add_variables(host, ("lock_redis_urls", "lock_egress"), &locks.url())?;
        }
        egress::add_variables(host, ("database_url", "database_egress"), &self.database_url)
    }

    /// One line for each server: how to connect to a private one, or the address of another one. The URLs of private
    /// servers are in files of `data`, so that no password is printed.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn described(&self, data: &Data) -> Result<Vec<String>> {
        let (redis, locks, postgres) = ("Redis", "Redis for locks", "PostgreSQL");
        let address = |name: &str, url: &str| format!("{name:16}{}", egress::of(url).unwrap_or_default());
        let private = |name: &str, url: &str, file: &str, client: &str| {
            let path = data.folder().join(file);
            secret::write(&path, url).with_context(|| format!("cannot write {}", path.display()))?;
            Ok::<_, anyhow::Error>(format!("{:46}{client} \"$(cat .tumbler/{file})\"", address(name, url)))
        };
        let other = |name: &str, url: &str| format!("{} (from the environment)", address(name, url));
        let mut lines = vec![match &self.redis {
            Some(_) => private(redis, &self.redis_url, "redis-url", "redis-cli -u")?,
            None => other(redis, &self.redis_url),
        }];
        match &self.lock_redis {
            Some(server) => lines.push(private(locks, &server.url(), "lock-redis-url", "redis-cli -u")?),
            None if self.redis.is_none() => lines.push(format!("{locks:16}the same, unless lock_redis_urls is set")),
            None => {}
        }
        lines.push(match &self.postgres {
            Some(_) => private(postgres, &self.database_url, "database-url", "psql")?,
            None => other(postgres, &self.database_url),
        });
        Ok(lines)
    }

    /// Restarts the private servers whenever they exit, on the same ports: PostgreSQL with its data, Redis empty.
    /// Returns only if a restart fails.
    pub async fn keep_running(&mut self) -> Result<()> {
        let [mut of_redis, mut of_locks, mut of_postgres] = std::array::from_fn(|_| Restarts::default());
        loop {
            tokio::select! {
                status = or_never(self.redis.as_mut().map(RedisServer::ended)) => {
                    let redis = self.redis.as_mut().expect("it is private");
                    report_exit("Redis", status, &redis.log());
                    let restarted = of_redis.restart(async || redis.restart().await).await;
                    restarted.context("cannot restart Redis")?;
                }
                status = or_never(self.lock_redis.as_mut().map(RedisServer::ended)) => {
                    let redis = self.lock_redis.as_mut().expect("it is private");
                    report_exit("the Redis for locks", status, &redis.log());
                    let restarted = of_locks.restart(async || redis.restart().await).await;
                    restarted.context("cannot restart the Redis for locks")?;
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
        for redis in self.redis.into_iter().chain(self.lock_redis) {
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

async fn start_redis(folder: &Path, options: RedisOptions, keep_data: bool) -> Result<RedisServer> {
    let options = options.password(secret::generate(secret::PASSWORD_DIGITS)?);
    Ok(if keep_data {
        RedisServer::start_saved(folder, options).await?
    } else {
        RedisServer::start_with(folder, options).await?
    })
}

async fn start_postgres(data: &Data) -> Result<PostgresServer> {
    match PostgresServer::start(&data.postgres(), Durability::Safe).await {
        Err(Error::OutOfReach(_)) => {
            data.move_postgres()?;
            Ok(PostgresServer::start(&data.postgres(), Durability::Safe).await?)
        }
        Err(error @ Error::NoPassword(_)) => Err(error).context("delete the data with `cargo xtask reset`"),
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
        let mut stores = Stores {
            redis_url: redis.url(),
            database_url: String::new(),
            redis: Some(redis),
            lock_redis: None,
            postgres: None,
        };
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
