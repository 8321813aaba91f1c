//! Weakened variants of the protocol. Each removes one defence from the crate's real code, at the port. The search must
//! catch every one of them, which shows that the search can fail.

use ports::{Arg, Reply};

use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Way 1: a lost version starts again from the same number.
    VersionsComeBack,
    /// Way 2: an entry is stored under the version that is current when it is stored.
    StoredUnderTheLatestVersion,
    /// Way 3: fillers do not see the marks.
    MarksAreIgnored,
    /// Way 4: nothing is bumped before the statement, only after it.
    BumpedOnlyAfterTheStatement,
    /// Marks are lost mid-write, and there is no second bump.
    BumpedOnlyBeforeTheStatement,
    /// A named entry is removed and its version stays.
    OnlyTheEntryIsRemoved,
    /// The entries of a module are removed, and its generation stays: fetches under way are not covered.
    GenerationsStay,
    /// An outdated entry is replaced, although its key changed after it was read.
    ReplacedWithoutWatch,
    /// An absence is stored although a create is in flight.
    CreatesAreNotGuarded,
    /// A check compares the row with the hit, and does not see that the version has changed since.
    VersionsAreNotReadAgain,
    /// After a failed fetch, the entry that has ended is returned whatever its versions are.
    GraceIgnoresVersions,
    /// The TTLs of generations stay as they were at their start.
    GenerationsAreNotKept,
    /// The TTLs of versions are shortened by entries that live shorter than others.
    VersionsAreShortened,
    /// Versions start without a TTL.
    VersionsHaveNoEnd,
    /// A request for a page joins a read that began before it. The tasks do that: no command shows it.
    ReadsUnderWayAreShared,
}

impl Weakness {
    /// Changes a command, or replies to it without Redis.
    pub fn reply(self, task: usize, command: &str, args: &mut [Arg], world: &mut World) -> Option<Vec<Reply>> {
        let key = match args.first() {
            Some(Arg::Bytes(key)) => String::from_utf8_lossy(key).into_owned(),
            _ => String::new(),
        };
        let written = world.written.contains(&task);
        let instead = match (self, command) {
            (Self::VersionsComeBack, _) => None,
            (Self::GenerationsAreNotKept, "PEXPIRE") if key.starts_with("cache:generation:") => Some(Reply::Int(1)),
            (Self::VersionsAreShortened, "PEXPIRE") if is_version(&key) => {
                args[2] = Arg::from("");
                None
            }
            (Self::VersionsHaveNoEnd, "SET") if is_version(&key) => {
                let replies = world.redis.run(command, &[&args[..2], &[Arg::from("NX")]].concat());
                return replies.ok();
            }
            (Self::StoredUnderTheLatestVersion, "SET") if key.starts_with("user:cache:42-v") => {
                let latest = world.redis.int("user:version:42")?;
                let (_, generations) = key.rsplit_once(':')?;
                args[0] = Arg::from(format!("user:cache:42-v{latest}:{generations}"));
                None
            }
            (Self::MarksAreIgnored, "ZCOUNT") => Some(Reply::Int(0)),
            (Self::OnlyTheEntryIsRemoved, "UNLINK") if key.starts_with("cache:version:") => Some(Reply::Int(1)),
            (Self::GenerationsStay, "SET") if key.starts_with("cache:generation:") => {
                world.redis.remove("cache:entry:kv:get:x");
                Some(Reply::Status("OK".into()))
            }
            (Self::CreatesAreNotGuarded, "ZCOUNT") if key == "users:writing" => Some(Reply::Int(0)),
            (Self::BumpedOnlyAfterTheStatement, "INCR") if !written => Some(Reply::Int(i64::MAX)),
            (Self::BumpedOnlyBeforeTheStatement, "INCR") if written => Some(Reply::Int(i64::MAX)),
            (Self::VersionsAreNotReadAgain, "MGET") if world.checking.contains(&task) => {
                return with_the_version_of_the_entry(args, world);
            }
            (Self::GraceIgnoresVersions, "MGET") if world.failed.contains(&task) => {
                return with_the_version_of_the_entry(args, world);
            }
            _ => None,
        };
        instead.map(|reply| vec![reply])
    }
}

/// Replies to an MGET as if the version of its entry were current.
fn with_the_version_of_the_entry(args: &[Arg], world: &mut World) -> Option<Vec<Reply>> {
    // It is in the key of the entry, which comes last.
    let Some(Arg::Bytes(entry)) = args.last() else { return None };
    let entry = String::from_utf8_lossy(entry).into_owned();
    let version = entry.strip_prefix("user:cache:42-v")?.split(':').next()?;
    let mut replies = world.redis.run("MGET", args).ok()?;
    replies[0] = Reply::Bytes(version.into());
    Some(replies)
}

fn is_version(key: &str) -> bool {
    key.contains(":version:") || key.contains(":generation:")
}
