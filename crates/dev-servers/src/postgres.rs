//! A private PostgreSQL server.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::account::Account;
use crate::process::{children, signal_one};
use crate::{Cluster, Error, Output, Port, Process, Signal, programs, secret};

/// How long a start may take, including recovery after a kill.
const START: Duration = Duration::from_secs(60);
/// The name of the application's role and of its database, as in deploy/compose.yaml.
const NAME: &str = "tumbler";
/// The role that may do everything, also run programs. The application never uses it.
const SUPERUSER: &str = "postgres";

const LOG: &str = "postgres.log";
/// The files of the passwords.
const SUPERUSER_PASSWORD: &str = "superuser-password";
const PASSWORD: &str = "password";

/// Whether data survives a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It does.
    Safe,
    /// It does not (`fsync=off`), which is several times as fast: for tests. Data still survives a crash of the server.
    Volatile,
}

/// A PostgreSQL server on 127.0.0.1. Its two roles have generated passwords, which are kept beside the data. Runs as
/// the user `postgres` if this process runs as root.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    passwords: Passwords,
    programs: PathBuf,
    account: Account,
    durability: Durability,
    port: Port,
    process: Process,
}

impl PostgresServer {
    /// Starts a server with its data in `folder/data` (created by initdb the first time) and its log in
    /// `folder/postgres.log`.
    ///
    /// # Errors
    /// [`Error::NotInstalled`], [`Error::NoAccount`], [`Error::OutOfReach`], [`Error::WrongVersion`],
    /// [`Error::NoPassword`], or the reason why it does not accept connections.
    pub async fn start(folder: &Path, durability: Durability) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io(format!("create {}", folder.display())))?;
        let folder = std::path::absolute(folder).map_err(Error::io(format!("find {}", folder.display())))?;
        let account = Account::for_postgres()?;
        account.take_ownership(&folder)?;
        let programs = choose_programs(&folder)?;
        let is_new = !folder.join("data").exists();
        let passwords = Passwords::of(&folder, is_new)?;
        if is_new {
            // initdb runs as the account and reads it.
            account.take_file(&folder.join(SUPERUSER_PASSWORD))?;
            initdb(&programs, account, &folder)?;
        }
        let port = Port::reserve()?;
        let process = spawn(&programs, account, &folder, durability, port.number())?;
        let mut server = Self { folder, passwords, programs, account, durability, port, process };
        server.ready().await?;
        Ok(server)
    }

    async fn ready(&mut self) -> Result<(), Error> {
        let cluster = Cluster::at(&self.superuser_url("postgres"));
        self.process.until(START, async || cluster.connect().await.is_ok()).await?;
        cluster.ensure_role(NAME, &self.passwords.application).await?;
        cluster.ensure_database(NAME, NAME).await
    }

    /// `postgres://tumbler:password@127.0.0.1:port/tumbler`: the application's role, which owns the database and may
    /// create others. It is not a superuser.
    pub fn url(&self) -> String {
        let password = &self.passwords.application;
        format!("postgres://{NAME}:{password}@127.0.0.1:{}/{NAME}", self.port.number())
    }

    fn superuser_url(&self, database: &str) -> String {
        let password = &self.passwords.superuser;
        format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{}/{database}", self.port.number())
    }

    /// The port that it listens on. A restart does not change it.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process id of the postmaster.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The file that the server logs to.
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Waits until the server exits.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    /// The databases of this server, for a superuser.
    pub fn cluster(&self) -> Cluster {
        Cluster::at(&self.superuser_url(NAME))
    }

    /// Ends the server immediately, like a crash: open statements are aborted, the next start recovers.
    ///
    /// # Errors
    /// [`Error::TooSlow`] if it does not end.
    pub async fn kill(&mut self) -> Result<(), Error> {
        // Not SIGKILL, which leaves backends running for a short time and never frees the shared memory.
        self.process.stop(Signal::QUIT, START).await.map(drop)
    }

    /// Closes all connections and stops cleanly.
    ///
    /// # Errors
    /// [`Error::TooSlow`] if it does not end.
    pub async fn stop(&mut self) -> Result<(), Error> {
        self.process.stop(Signal::INT, START).await.map(drop)
    }

    /// Starts the server again on the same port; stops it first if it runs. If the future is dropped early, the new
    /// server may still be starting.
    ///
    /// # Errors
    /// As [`PostgresServer::start`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop().await?;
        self.process = spawn(&self.programs, self.account, &self.folder, self.durability, self.port.number())?;
        self.ready().await
    }

    /// Suspends every process of the server (SIGSTOP). Connections stay open, the server answers nothing, and the
    /// kernel still accepts new connections.
    pub fn pause(&self) {
        // The postmaster first, so that it starts no more backends.
        signal_one(self.id(), Signal::STOP);
        children(self.id()).into_iter().for_each(|id| signal_one(id, Signal::STOP));
    }

    /// Ends [`PostgresServer::pause`].
    pub fn resume(&self) {
        children(self.id()).into_iter().for_each(|id| signal_one(id, Signal::CONT));
        signal_one(self.id(), Signal::CONT);
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // The postmaster does not end while a backend is suspended.
        self.resume();
    }
}

/// The passwords of the two roles.
#[derive(Debug)]
struct Passwords {
    superuser: String,
    application: String,
}

impl Passwords {
    /// Those that are kept in `folder`; new ones for new data.
    fn of(folder: &Path, is_new: bool) -> Result<Self, Error> {
        let password = |name: &str| {
            let path = folder.join(name);
            let failed = || Error::io(format!("read {}", path.display()));
            match secret::kept(&path, secret::PASSWORD_DIGITS).map_err(failed())? {
                Some(kept) if !is_new => Ok(kept),
                None if !is_new => Err(Error::NoPassword(folder.to_owned())),
                _ => {
                    let new = secret::generate(secret::PASSWORD_DIGITS).map_err(Error::io("generate a password"))?;
                    secret::write(&path, &new).map_err(Error::io(format!("write {}", path.display())))?;
                    Ok(new)
                }
            }
        };
        Ok(Self { superuser: password(SUPERUSER_PASSWORD)?, application: password(PASSWORD)? })
    }
}

/// The programs of the version that created the data; the newest ones if there is no data.
fn choose_programs(folder: &Path) -> Result<PathBuf, Error> {
    let found = programs::postgres_folders()?;
    let Ok(version_file) = std::fs::read_to_string(folder.join("data/PG_VERSION")) else { return Ok(found[0].clone()) };
    let created_by = version_file.trim();
    let versions: Vec<String> = found.iter().map(|programs| major_version(programs)).collect();
    let index = versions.iter().position(|version| version == created_by).ok_or_else(|| Error::WrongVersion {
        dir: folder.join("data"),
        created_by: created_by.into(),
        found: versions.join(", "),
    })?;
    Ok(found[index].clone())
}

/// `15` from `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major_version(programs: &Path) -> String {
    let output = Command::new(programs.join("postgres")).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let mut words = text.split_whitespace().skip_while(|word| *word != "(PostgreSQL)");
    words.nth(1).and_then(|version| version.split(|c: char| !c.is_ascii_digit()).next()).unwrap_or("?").to_owned()
}

fn initdb(programs: &Path, account: Account, folder: &Path) -> Result<(), Error> {
    // Created under another name and renamed at the end: an interrupted initdb leaves no folder `data`.
    let unfinished = folder.join("data.unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(Error::io(format!("delete {}", unfinished.display())))?;
    }
    let locale = if cfg!(target_os = "macos") { "--locale=en_US.UTF-8" } else { "--locale=C.UTF-8" };
    let mut command = account.command(programs.join("initdb"));
    command.args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync", locale]);
    command.arg("--pwfile").arg(folder.join(SUPERUSER_PASSWORD)).arg("--pgdata").arg(&unfinished).current_dir(folder);
    let output = command.output().map_err(Error::io("start initdb"))?;
    if !output.status.success() {
        let tail = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        return Err(Error::Ended { name: "initdb".into(), status: output.status.to_string(), tail });
    }
    std::fs::rename(&unfinished, folder.join("data")).map_err(Error::io("rename the new database"))
}

fn spawn(
    programs: &Path,
    account: Account,
    folder: &Path,
    durability: Durability,
    port: u16,
) -> Result<Process, Error> {
    let mut command = account.command(programs.join("postgres"));
    command.arg("-D").arg(folder.join("data")).current_dir(folder).args(["-p", &port.to_string()]);
    let mut set = |setting: &str| {
        command.args(["-c", setting]);
    };
    set("listen_addresses=127.0.0.1");
    set("unix_socket_directories=");
    set("max_connections=300");
    set("timezone=UTC");
    set("log_timezone=UTC");
    // With the name of the database, so that a test finds its own statements.
    set("log_line_prefix=%m [%p] db=%d ");
    if durability == Durability::Volatile {
        // Not synchronous_commit=off: with that, commits are lost when only the server is killed, as tests do.
        set("fsync=off");
        set("full_page_writes=off");
    }
    let on_drop = if durability == Durability::Safe { Signal::INT } else { Signal::QUIT };
    Process::spawn("postgres", command, Output::Log(&folder.join(LOG)), on_drop)
}
