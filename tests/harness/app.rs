//! The application under test and everything that it runs on.

use std::fs::Permissions;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;

use dev_servers::{Durability, PostgresServer};
use tempfile::TempDir;

use crate::database::{Shared, migrations};
use crate::host::Launch;
use crate::{ADMIN_TOKEN, Api, Database, Host, JWT_SECRET, Origin, Redis};

/// The application's deadlines, in milliseconds: as long as they may be, so that no read bypasses the cache and no lock
/// is refused only because the machine is busy.
const GENEROUS: [(&str, &str); 4] = [
    ("cache_timeout_ms", "10000"),
    ("lock_timeout_ms", "10000"),
    ("cache_origin_timeout_ms", "10000"),
    ("rate_limit_timeout_ms", "10000"),
];

/// No hit is compared with its source unless a test wants that: a check adds commands and statements, and some tests
/// count these.
const NO_CHECKS: (&str, &str) = ("cache_verify_ratio", "0");

/// A running application with a Redis server and a database of its own. Dropping it ends all of them.
///
/// It derefs to [`Api`]: `app.get("/users/1")`. Its parts are fields, so that one task can break a part
/// (`app.redis.restart()`) while others use a clone of `api`.
#[derive(Debug)]
pub struct App {
    /// The client.
    pub api: Api,
    /// The host's process.
    pub host: Host,
    /// The Redis server.
    pub redis: Redis,
    /// The database.
    pub database: Database,
    postgres: Option<PostgresServer>,
    /// The last field: those above write into it until they are dropped.
    folder: TempDir,
}

impl App {
    /// Starts the application of spin.toml, with generous deadlines.
    pub async fn spawn() -> Self {
        Self::builder().spawn().await
    }

    /// Starts it with other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The PostgreSQL server, to stop or break it. Panics without [`Builder::private_postgres`].
    pub fn postgres(&mut self) -> &mut PostgresServer {
        self.postgres.as_mut().expect("other tests use the shared server: use App::builder().private_postgres()")
    }

    /// A connection to the database, whose own statements are not logged.
    pub async fn db(&self) -> tokio_postgres::Client {
        self.database.connect().await
    }

    /// Kills the host with SIGKILL.
    pub async fn kill_host(&mut self) {
        self.host.kill().await;
    }

    /// Starts a second host with the same variables and stores on another port, as where the application runs on
    /// several machines. Returns it with a client of it.
    pub async fn second_host(&self) -> (Host, Api) {
        let folder = self.folder.path().join("second-host");
        std::fs::create_dir(&folder).unwrap_or_else(|error| panic!("there is a second host already: {error}"));
        let host = self.host.start_another(&folder).await;
        let api = Api::new(&host.url());
        (host, api)
    }

    /// Kills the host if it runs, and starts it again on the same port.
    pub async fn restart_host(&mut self) {
        self.host.restart().await;
    }
}

impl Deref for App {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// The settings of an application that is not yet started.
#[derive(Debug, Default)]
pub struct Builder {
    manifest: Option<String>,
    variables: Vec<(String, String)>,
    host_args: Vec<String>,
    private_postgres: bool,
    log_statements: bool,
    default_deadlines: bool,
}

impl Builder {
    /// Sets one of spin.toml's variables.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Keeps the deadlines of spin.toml, for tests about them.
    pub fn default_deadlines(mut self) -> Self {
        self.default_deadlines = true;
        self
    }

    /// Fetches what the cache service lacks from this origin.
    pub fn origin(self, origin: &Origin) -> Self {
        self.variable("cache_origin_url", &origin.url())
    }

    /// Handles each request in an instance of its own: instances share nothing, as on several machines.
    pub fn instance_per_request(self) -> Self {
        self.host_arg("--max-instance-reuse-count", "1")
    }

    /// Starts the host with an option, such as `--max-instance-reuse-count` and `1`.
    pub fn host_arg(mut self, name: &str, value: &str) -> Self {
        self.host_args.extend([name.into(), value.into()]);
        self
    }

    /// Uses another manifest than spin.toml, by its path below the workspace.
    pub fn manifest(mut self, path: &str) -> Self {
        self.manifest = Some(path.into());
        self
    }

    /// Starts a PostgreSQL server for this application alone, which the test may stop and break. It takes a second.
    pub fn private_postgres(mut self) -> Self {
        self.private_postgres = true;
        self
    }

    /// Makes PostgreSQL log every statement, for [`Database::statements`].
    pub fn log_statements(mut self) -> Self {
        self.log_statements = true;
        self
    }

    /// Starts it. Panics, with the end of the host's log, if it does not respond.
    pub async fn spawn(self) -> App {
        // PostgreSQL runs as another user, who must be able to enter the folder.
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("tumbler-app-").permissions(open).tempdir();
        let folder = folder.expect("the temporary folder is writable");
        let redis = Redis::start(&folder.path().join("redis")).await;
        let (postgres, database) = self.store(&folder).await;
        if self.log_statements {
            database.log_statements().await;
        }
        let mut variables = vec![
            ("redis_url".to_owned(), redis.url()),
            ("redis_egress".to_owned(), redis.url()),
            ("database_url".to_owned(), database.url().to_owned()),
            ("database_egress".to_owned(), database.egress()),
            ("admin_token".to_owned(), ADMIN_TOKEN.to_owned()),
            ("jwt_secret".to_owned(), JWT_SECRET.to_owned()),
            (NO_CHECKS.0.to_owned(), NO_CHECKS.1.to_owned()),
        ];
        if !self.default_deadlines {
            variables.extend(GENEROUS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        // Of two values for one variable the host takes the later.
        variables.extend(self.variables);
        let manifest = self.manifest.unwrap_or_else(|| "spin.toml".into());
        let host = Host::start(Launch { manifest, variables, args: self.host_args }, folder.path()).await;
        App { api: Api::new(&host.url()), host, redis, database, postgres, folder }
    }

    async fn store(&self, folder: &TempDir) -> (Option<PostgresServer>, Database) {
        if !self.private_postgres {
            return (None, Database::create(Shared::get().await).await);
        }
        let started = PostgresServer::start(&folder.path().join("postgres"), Durability::Volatile).await;
        let server = started.unwrap_or_else(|error| panic!("{error}"));
        let applied = dev_servers::migrations::apply(&server.url(), &migrations()).await;
        applied.unwrap_or_else(|error| panic!("{error}"));
        let database = Database::of(&server.url(), &server.log());
        (Some(server), database)
    }
}
