//! A database for each test, on a server that the tests share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use dev_servers::{Cluster, Durability, PostgresServer};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// The workspace's folder.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is a folder of the workspace")
}

/// The folder of the migrations.
pub(crate) fn migrations() -> PathBuf {
    workspace().join("migrations")
}

/// The server on which databases are created.
#[derive(Debug)]
pub(crate) struct Shared {
    cluster: Cluster,
    log: PathBuf,
    /// Started by this process if the environment names no server. It ends with the last test that holds it.
    _own: Option<(PostgresServer, TempDir)>,
}

/// This process's server, as long as a test uses it.
static SHARED: Mutex<Weak<Shared>> = Mutex::const_new(Weak::new());

impl Shared {
    pub(crate) async fn get() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let new = Arc::new(Self::new().await);
        *shared = Arc::downgrade(&new);
        new
    }

    async fn new() -> Self {
        if let Ok(url) = std::env::var("TUMBLER_TEST_DATABASE_URL") {
            let log = std::env::var_os("TUMBLER_TEST_POSTGRES_LOG").unwrap_or_default();
            return Self { cluster: Cluster::at(&url), log: log.into(), _own: None };
        }
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("tumbler-postgres-").permissions(open).tempdir();
        let folder = folder.expect("the temporary folder is writable");
        let server = PostgresServer::start(folder.path(), Durability::Volatile).await;
        let server = server.unwrap_or_else(|error| panic!("{error}"));
        let prepared = server.cluster().prepare_template(&migrations()).await;
        prepared.unwrap_or_else(|error| panic!("{error}"));
        Self { cluster: server.cluster(), log: server.log(), _own: Some((server, folder)) }
    }
}

/// One database with the migrations applied. Dropping it drops the database.
#[derive(Debug)]
pub struct Database {
    url: String,
    log: PathBuf,
    /// Where the log ended when this was created: earlier lines belong to other tests.
    log_start: u64,
    shared: Option<Arc<Shared>>,
}

impl Database {
    pub(crate) async fn create(shared: Arc<Shared>) -> Self {
        // Random, because an earlier process may have left databases.
        let name = format!("test_{:016x}", fastrand::u64(..));
        let url = shared.cluster.create_database(&name).await.unwrap_or_else(|error| panic!("{error}"));
        let mut database = Self::of(&url, &shared.log);
        database.shared = Some(shared);
        database
    }

    /// The database at `url`, whose server logs to `log`.
    pub(crate) fn of(url: &str, log: &Path) -> Self {
        let log_start = std::fs::metadata(log).map_or(0, |metadata| metadata.len());
        Self { url: url.into(), log: log.into(), log_start, shared: None }
    }

    /// `postgres://user:password@127.0.0.1:port/name`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server, in the syntax of spin.toml's `allowed_outbound_hosts`.
    pub(crate) fn egress(&self) -> String {
        let authority = self.url.split('/').nth(2).expect("a URL has an authority");
        format!("postgres://{}", authority.rsplit('@').next().expect("rsplit gives at least one part"))
    }

    /// A connection whose own statements are not logged. Panics if the server does not respond.
    pub async fn connect(&self) -> tokio_postgres::Client {
        let quiet = format!("{}?options=-c%20log_statement%3Dnone", self.url);
        Cluster::at(&quiet).connect().await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes the server log every statement of connections that are opened from now on.
    pub(crate) async fn log_statements(&self) {
        let client = self.connect().await;
        let statement = format!("ALTER DATABASE \"{}\" SET log_statement = 'all'", self.name());
        client.batch_execute(&statement).await.expect("the tests' user is a superuser");
    }

    /// The text of every statement so far, from the server's log, which is written before a statement starts. Needs
    /// [`crate::Builder::log_statements`].
    pub fn statements(&self) -> Vec<String> {
        let bytes = std::fs::read(&self.log).unwrap_or_else(|error| panic!("{}: {error}", self.log.display()));
        let start = usize::try_from(self.log_start).expect("the log fits in memory");
        statements(&String::from_utf8_lossy(&bytes[start..]), self.name())
    }

    fn name(&self) -> &str {
        self.url.rsplit('/').next().expect("rsplit gives at least one part")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else { return };
        let name = self.name().to_owned();
        // In a thread with its own runtime, because the test's may be ending. A failure does no harm.
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(shared.cluster.drop_database(&name)).ok())
        };
        let _ = std::thread::spawn(drop_it).join();
    }
}

/// The statements of one database in a log with the prefix `%m [%p] db=%d `; continued lines start with a tab.
fn statements(log: &str, database: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in log.lines() {
        if let (true, Some(more), Some(last)) = (inside, line.strip_prefix('\t'), found.last_mut()) {
            last.push('\n');
            last.push_str(more);
            continue;
        }
        let message = line.split_once(&format!(" db={database} LOG:  ")).map(|(_, message)| message);
        let statement = message.and_then(|message| match message.split_once(": ") {
            Some((kind, statement)) if kind == "statement" || kind.starts_with("execute ") => Some(statement),
            _ => None,
        });
        inside = statement.is_some();
        found.extend(statement.map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_one_database_are_found_with_all_their_lines() {
        let log = "2026-01-01 00:00:00.000 UTC [1] db=a LOG:  execute <unnamed>: SELECT *\n\tFROM users\n\
                   2026-01-01 00:00:00.000 UTC [1] db=a DETAIL:  parameters: $1 = '1'\n\
                   2026-01-01 00:00:00.000 UTC [2] db=b LOG:  statement: SELECT 1\n\
                   2026-01-01 00:00:00.000 UTC [1] db=a LOG:  duration: 1 ms\n\
                   2026-01-01 00:00:00.000 UTC [1] db=a LOG:  statement: SELECT 2\n";
        assert_eq!(statements(log, "a"), ["SELECT *\nFROM users", "SELECT 2"]);
    }
}
