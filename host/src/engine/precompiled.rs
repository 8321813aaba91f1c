//! Compiled components as files, so that each component is compiled once and not at each start.
//!
//! wasmtime maps such a file into memory: a start reads the pages that it needs, and all hosts on a machine share them.
//! wasmtime has a cache of its own, but that one decompresses and copies everything at each start.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// What the files of a folder may have together, in bytes. Those that were not used for the longest time are deleted.
const MAX_BYTES: u64 = 512 << 20;

/// How long a host waits for another one that compiles, and how often it looks.
const LOCK_MAX: Duration = Duration::from_secs(120);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Bytes at the end of a file: the hash of all bytes before them. It detects damage, such as that of a power failure.
const CHECKSUM_BYTES: usize = size_of::<u64>();

/// A folder with compiled components, to which only this user can write.
pub struct Folder(PathBuf);

impl Folder {
    /// The folder `tumbler-host` in `$XDG_CACHE_HOME` or `~/.cache`. It is made if it does not exist. Errors: it cannot
    /// be made, or others can write to it.
    pub fn of_user() -> Result<Self> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        Self::at(caches.context("neither XDG_CACHE_HOME nor HOME is an absolute path")?.join("tumbler-host"))
    }

    /// The folder at `path`, with the same errors.
    pub(super) fn at(path: PathBuf) -> Result<Self> {
        let name = path.display();
        DirBuilder::new().recursive(true).mode(0o700).create(&path).with_context(|| format!("cannot make {name}"))?;
        let metadata = fs::metadata(&path).with_context(|| format!("cannot read {name}"))?;
        ensure!(only_we_write(&metadata), "{name} belongs to another user, or others can write to it");
        Ok(Self(path))
    }

    /// The component in `wasm`, compiled for `engine`: from its file or, if there is none or it is damaged, compiled
    /// now and kept. Hosts that start at the same time compile it once: the others wait. If it cannot be kept, standard
    /// error gets a line. Errors: `wasm` is no valid component.
    pub fn component(&self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Component> {
        let path = self.0.join(file_name(engine, wasm));
        if let Some(component) = load(engine, &path) {
            return Ok(component);
        }
        let _lock = self.lock();
        if let Some(component) = load(engine, &path) {
            return Ok(component);
        }
        let code = engine.precompile_component(wasm)?;
        match self.keep(&path, &code) {
            // From the file, because its pages take no memory of this process.
            Ok(()) => load(engine, &path).map_or_else(|| compiled(engine, &code), Ok),
            Err(error) => {
                eprintln!("warning: cannot keep a compiled component in {}: {error:#}", path.display());
                compiled(engine, &code)
            }
        }
    }

    /// Waits until no other host compiles for this folder. The lock ends when the result is dropped, or with this
    /// process. None: there is no lock, because the file system has none, or because another host has kept it for very
    /// long. Then several hosts may compile the same component, which does no harm.
    fn lock(&self) -> Option<File> {
        let folder = File::open(&self.0).ok()?;
        let give_up = Instant::now() + LOCK_MAX;
        let mut has_said = false;
        while let Err(error) = folder.try_lock() {
            if matches!(error, TryLockError::Error(_)) || Instant::now() >= give_up {
                return None;
            }
            if !std::mem::replace(&mut has_said, true) {
                eprintln!("waiting for another host that compiles components (at most {} s)", LOCK_MAX.as_secs());
            }
            std::thread::sleep(LOCK_POLL);
        }
        Some(folder)
    }

    /// Writes `code` with its checksum into the file `path` of this folder. Others find the whole file or none.
    fn keep(&self, path: &Path, code: &[u8]) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let unfinished = path.with_extension(format!("{}-{now}", process::id()));
        let written = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            file.write_all(code)?;
            file.write_all(&xxh3_64(code).to_le_bytes())?;
            fs::rename(&unfinished, path)
        };
        written().inspect_err(|_| drop(fs::remove_file(&unfinished)))?;
        self.delete_unused(MAX_BYTES)
    }

    /// Deletes the files that were not used for the longest time, until the others have at most `max` bytes.
    pub(super) fn delete_unused(&self, max: u64) -> Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            // Another host may have deleted it meanwhile.
            if let Ok(metadata) = entry.metadata() {
                files.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        files.sort_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (_, len, path) in files {
            bytes += len;
            if bytes > max {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// The name of the file for a component, from all that decides which code it has: the component itself, and the
/// version and the settings of wasmtime. A cryptographic hash, so that nobody can make a component that gets the code
/// of another one.
fn file_name(engine: &Engine, wasm: &[u8]) -> String {
    let mut hash = Sha256Hasher(Sha256::new());
    wasm.len().hash(&mut hash);
    hash.write(wasm);
    engine.precompile_compatibility_hash().hash(&mut hash);
    hash.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of what implements [`Hash`].
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the whole hash is used")
    }
}

/// The component in the file `path`. None: there is no such file, or it is damaged, or others could have written it.
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let mut file = File::open(path).ok()?;
    if !only_we_write(&file.metadata().ok()?) || !is_whole(&mut file).ok()? {
        return None;
    }
    // The time of the last use, for `delete_unused`. It may fail: a file system that is read only deletes nothing.
    let _ = file.set_modified(SystemTime::now());
    // SAFETY: it runs what is in the file, and requires that wasmtime has compiled it and that it does not change.
    // - Only this user and root can write to the file and to its folder (`only_we_write`). They could as well change
    //   this program.
    // - This module writes there only what wasmtime has compiled, under a name that nobody else can have chosen. It
    //   never changes a file: it replaces or deletes it, and the pages of the old one stay until nobody uses them.
    // - The checksum fits, so it is all that was written.
    // - wasmtime checks that the same version with the same settings has compiled it.
    #[expect(unsafe_code, reason = "see above")]
    unsafe { Component::deserialize_file(engine, path) }.ok()
}

/// The component that wasmtime has compiled to `code`.
fn compiled(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the caller got `code` from wasmtime, and nobody else could change it.
    #[expect(unsafe_code, reason = "see above")]
    unsafe {
        Component::deserialize(engine, code)
    }
}

/// Whether a file or folder belongs to this user, and nobody else may write to it.
fn only_we_write(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// Whether the file ends with its checksum.
fn is_whole(file: &mut File) -> std::io::Result<bool> {
    let Some(mut left) = file.metadata()?.len().checked_sub(CHECKSUM_BYTES as u64) else { return Ok(false) };
    let (mut hash, mut buffer) = (Xxh3::new(), vec![0; 128 << 10]);
    while left > 0 {
        let bytes = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.read_exact(&mut buffer[..bytes])?;
        hash.update(&buffer[..bytes]);
        left -= bytes as u64;
    }
    let mut checksum = [0; CHECKSUM_BYTES];
    file.read_exact(&mut checksum)?;
    Ok(u64::from_le_bytes(checksum) == hash.digest())
}
