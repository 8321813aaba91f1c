//! The applications to measure, with their own Redis and PostgreSQL.

use std::fs::Permissions;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use dev_servers::{Durability, Output, Port, PostgresServer, Process, RedisServer, Signal, migrations};
use tempfile::TempDir;

use super::cpu::Processes;
use crate::{egress, workspace};

/// How long the host may take to start, including the compilation of all components.
const START: Duration = Duration::from_secs(300);

/// The admin token.
pub const ADMIN_TOKEN: &str = "bench";
/// The secret of JSON Web Tokens.
pub const JWT_SECRET: &str = "the secret of JSON Web Tokens for the benchmark";

/// A built application.
pub struct Build {
    /// How the report names it; empty: the present one.
    pub name: String,
    /// The host, or a real Spin.
    pub program: PathBuf,
    /// The folder with its manifests, components and migrations.
    pub root: PathBuf,
}

impl Build {
    /// The components of this workspace, run by `program`.
    pub fn of_workspace(name: &str, program: PathBuf) -> Self {
        Self { name: name.into(), program, root: workspace::root().into() }
    }
}

/// A built application with a Redis, and a PostgreSQL with some users. Builds of other commits have servers of their
/// own, because their keys and tables may differ.
pub struct Environment {
    /// What is measured.
    pub build: Build,
    redis: RedisServer,
    postgres: PostgresServer,
    folder: TempDir,
}

impl Environment {
    /// [`Environment::of`] the components of this workspace, run by `program`.
    pub async fn new(program: PathBuf, users: i64) -> Result<Self> {
        Self::of(Build::of_workspace("", program), users).await
    }

    /// Starts the servers and creates the users 1 to `users`.
    pub async fn of(build: Build, users: i64) -> Result<Self> {
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("tumbler-bench-").permissions(open).tempdir()?;
        let redis = RedisServer::start(&folder.path().join("redis")).await?;
        let postgres = PostgresServer::start(&folder.path().join("postgres"), Durability::Volatile).await?;
        migrations::apply(&postgres.url(), &build.root.join("migrations")).await?;
        let environment = Self { build, redis, postgres, folder };
        environment.create_users(1..=users).await?;
        Ok(environment)
    }

    /// Creates the users with these ids that do not exist.
    pub async fn create_users(&self, ids: RangeInclusive<i64>) -> Result<()> {
        let insert = "INSERT INTO users (id, name, email) SELECT n, 'User ' || n, 'user' || n || '@example.org' \
                      FROM generate_series($1::bigint, $2::bigint) AS n ON CONFLICT DO NOTHING";
        let client = self.postgres.cluster().connect().await?;
        client.execute(insert, &[ids.start(), ids.end()]).await.context("cannot create the users")?;
        Ok(())
    }

    /// Redis.
    pub fn redis(&self) -> &RedisServer {
        &self.redis
    }

    /// Starts an application with these additional host options; returns when it accepts connections. What components
    /// log is discarded.
    pub async fn start(&self, manifest: &str, host_args: &[&str]) -> Result<Application> {
        self.start_logging(manifest, &[host_args, &["--quiet"]].concat()).await
    }

    /// [`Environment::start`], with the log in a file.
    pub async fn start_logging(&self, manifest: &str, host_args: &[&str]) -> Result<Application> {
        self.start_host(manifest, host_args, None).await
    }

    /// [`Environment::start`] with the compilation cache in the folder `cache`.
    pub async fn start_with_cache(&self, manifest: &str, cache: &Path) -> Result<Application> {
        self.start_host(manifest, &["--quiet"], Some(cache)).await
    }

    async fn start_host(&self, manifest: &str, host_args: &[&str], cache: Option<&Path>) -> Result<Application> {
        let port = Port::reserve()?;
        let mut command = Command::new(&self.build.program);
        command.current_dir(&self.build.root).args(["up", "--from", manifest, "--listen", &address(&port)]);
        command.env("SPIN_LOG_DIR", self.folder.path().join("logs"));
        // The manifest of the empty component has no variables.
        if manifest == "spin.toml" {
            egress::add_variables(&mut command, ("redis_url", "redis_egress"), &self.redis.url())?;
            egress::add_variables(&mut command, ("database_url", "database_egress"), &self.postgres.url())?;
            command.args(["--variable", &format!("admin_token={ADMIN_TOKEN}")]);
            command.args(["--variable", &format!("jwt_secret={JWT_SECRET}")]);
        }
        if let Some(cache) = cache {
            command.env("XDG_CACHE_HOME", cache);
        }
        command.args(host_args);
        self.spawn("the host", command, port).await
    }

    /// Starts a program that listens on `port`; returns when it accepts connections.
    pub async fn spawn(&self, name: &str, command: Command, port: Port) -> Result<Application> {
        let address = address(&port);
        let log = self.folder.path().join(format!("server-{}.log", port.number()));
        let mut process = Process::spawn(name, command, Output::Log(&log), Signal::KILL)?;
        process.until(START, async || TcpStream::connect(&address).is_ok()).await?;
        let processes = Processes { host: Some(process.id()), redis: self.redis.id() };
        Ok(Application { address, processes, _process: process, _port: port })
    }
}

/// `127.0.0.1:port`.
pub fn address(port: &Port) -> String {
    format!("127.0.0.1:{}", port.number())
}

/// A running host, or another HTTP server.
pub struct Application {
    /// `127.0.0.1:port`.
    pub address: String,
    /// The server and Redis.
    pub processes: Processes,
    _process: Process,
    _port: Port,
}
