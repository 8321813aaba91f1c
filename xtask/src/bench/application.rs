//! The application to measure, with its own Redis and PostgreSQL.

use std::fs::Permissions;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use dev_servers::{Durability, Output, Port, PostgresServer, Process, RedisServer, Signal, migrations};
use tempfile::TempDir;

use super::cpu::Processes;
use crate::{egress, workspace};

/// How long the host may take to start, including the compilation of all components.
const START: Duration = Duration::from_secs(120);

/// The admin token.
pub const ADMIN_TOKEN: &str = "bench";
/// The secret of JSON Web Tokens.
pub const JWT_SECRET: &str = "the secret of JSON Web Tokens for the benchmark";

/// Redis, PostgreSQL with some users, and the host's program.
pub struct Environment {
    /// The host, or a real Spin.
    pub program: PathBuf,
    redis: RedisServer,
    postgres: PostgresServer,
    folder: TempDir,
}

impl Environment {
    /// Starts the servers and creates the users 1 to `users`.
    pub async fn new(program: PathBuf, users: i64) -> Result<Self> {
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("tumbler-bench-").permissions(open).tempdir()?;
        let redis = RedisServer::start(&folder.path().join("redis")).await?;
        let postgres = PostgresServer::start(&folder.path().join("postgres"), Durability::Volatile).await?;
        migrations::apply(&postgres.url(), &workspace::root().join("migrations")).await?;
        let environment = Self { program, redis, postgres, folder };
        environment.create_users(1..=users).await?;
        Ok(environment)
    }

    /// Creates users with these ids.
    pub async fn create_users(&self, ids: RangeInclusive<i64>) -> Result<()> {
        let insert = "INSERT INTO users (id, name, email) SELECT n, 'User ' || n, 'user' || n || '@example.org' \
                      FROM generate_series($1::bigint, $2::bigint) AS n";
        let client = self.postgres.cluster().connect().await?;
        client.execute(insert, &[ids.start(), ids.end()]).await.context("cannot create the users")?;
        Ok(())
    }

    /// The port of Redis.
    pub fn redis_port(&self) -> u16 {
        self.redis.port()
    }

    /// Starts an application with these additional host options; returns when it accepts connections. What components
    /// log is discarded.
    pub async fn start(&self, manifest: &str, host_args: &[&str]) -> Result<Application> {
        self.start_logging(manifest, &[host_args, &["--quiet"]].concat()).await
    }

    /// [`Environment::start`], with the log in a file.
    pub async fn start_logging(&self, manifest: &str, host_args: &[&str]) -> Result<Application> {
        let port = Port::reserve()?;
        let address = format!("127.0.0.1:{}", port.number());
        let mut command = Command::new(&self.program);
        command.current_dir(workspace::root()).args(["up", "--from", manifest, "--listen", &address]);
        command.env("SPIN_LOG_DIR", self.folder.path().join("logs"));
        // The manifest of the empty component has no variables.
        if manifest == "spin.toml" {
            egress::add_variables(&mut command, ("redis_url", "redis_egress"), &self.redis.url())?;
            egress::add_variables(&mut command, ("database_url", "database_egress"), &self.postgres.url())?;
            command.args(["--variable", &format!("admin_token={ADMIN_TOKEN}")]);
            command.args(["--variable", &format!("jwt_secret={JWT_SECRET}")]);
        }
        command.args(host_args);
        let log = self.folder.path().join(format!("host-{}.log", port.number()));
        let mut process = Process::spawn("the host", command, Output::Log(&log), Signal::KILL)?;
        process.until(START, async || TcpStream::connect(&address).is_ok()).await?;
        let processes = Processes { host: Some(process.id()), redis: self.redis.id() };
        Ok(Application { address, processes, _process: process, _port: port })
    }
}

/// A running host.
pub struct Application {
    /// `127.0.0.1:port`.
    pub address: String,
    /// The host and Redis.
    pub processes: Processes,
    _process: Process,
    _port: Port,
}
