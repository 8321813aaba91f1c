//! SQL migrations: applies each file once, in the order of the file names.

use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, Transaction};

use crate::Error;

/// The advisory lock held while migrations run, so that two programs that start at the same time do not apply one
/// twice. The number is arbitrary ("tumbler" in ASCII); nothing else uses it.
const LOCK: i64 = 0x0074_756d_626c_6572;

/// The migrations that were applied. The checksum is SHA-256 in hexadecimal.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

/// Applies the files `*.sql` of `folder` that were not yet applied to the database at `url`, and returns their names.
/// Each runs in its own transaction, together with the INSERT of its row in `schema_migrations`.
///
/// # Errors
/// [`Error::MigrationChanged`] or [`Error::MigrationMissing`] if the file of an applied migration was changed or
/// deleted, [`Error::Database`] if a statement fails (the files before it stay applied), [`Error::Io`].
pub async fn apply(url: &str, folder: &Path) -> Result<Vec<String>, Error> {
    let (mut client, connection) = connect(url).await?;
    let applied = apply_with(&mut client, folder).await;
    // Closing the connection releases the lock. PostgreSQL cannot copy a database that has connections, so wait for
    // that. The task neither panics nor is it cancelled.
    drop(client);
    let _ = connection.await;
    applied
}

/// A client of the database at `url`, and the task that drives its connection until the client is dropped.
pub(crate) async fn connect(url: &str) -> Result<(Client, JoinHandle<()>), Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(Error::database("connect"))?;
    // The client reports the connection's errors.
    Ok((client, tokio::spawn(async move { drop(connection.await) })))
}

async fn apply_with(client: &mut Client, folder: &Path) -> Result<Vec<String>, Error> {
    let files = files(folder)?;
    let failed = || Error::database("prepare the table schema_migrations");
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(failed())?;
    client.batch_execute(TABLE).await.map_err(failed())?;
    let earlier = client.query("SELECT name, checksum FROM schema_migrations", &[]).await.map_err(failed())?;
    let earlier: Vec<(String, String)> = earlier.iter().map(|row| (row.get(0), row.get(1))).collect();
    if let Some((name, _)) = earlier.iter().find(|(name, _)| files.iter().all(|file| file_name(file) != *name)) {
        return Err(Error::MigrationMissing(name.clone()));
    }
    let mut applied = Vec::new();
    for file in files {
        let name = file_name(&file);
        let text = std::fs::read_to_string(&file).map_err(Error::io(format!("read {}", file.display())))?;
        let checksum = checksum(client, &text).await?;
        match earlier.iter().find(|(earlier, _)| *earlier == name) {
            Some((_, recorded)) if *recorded == checksum => {}
            Some(_) => return Err(Error::MigrationChanged(name)),
            None => {
                let failed = || Error::database(format!("apply {name}"));
                let transaction = client.transaction().await.map_err(failed())?;
                apply_one(&transaction, &name, &text, &checksum).await.map_err(failed())?;
                transaction.commit().await.map_err(failed())?;
                applied.push(name);
            }
        }
    }
    Ok(applied)
}

async fn apply_one(
    transaction: &Transaction<'_>,
    name: &str,
    text: &str,
    checksum: &str,
) -> Result<(), tokio_postgres::Error> {
    transaction.batch_execute(text).await?;
    let insert = "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)";
    transaction.execute(insert, &[&name, &checksum]).await.map(drop)
}

/// PostgreSQL computes the SHA-256: no dependency needed.
async fn checksum(client: &Client, text: &str) -> Result<String, Error> {
    let row = client.query_one("SELECT encode(sha256($1), 'hex')", &[&text.as_bytes()]).await;
    row.map(|row| row.get(0)).map_err(Error::database("compute a checksum"))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(format!("read {}", folder.display())))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "sql")).collect();
    files.sort();
    Ok(files)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
