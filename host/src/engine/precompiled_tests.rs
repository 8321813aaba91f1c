//! Tests of the files with compiled components.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use wasmtime::Engine;

use super::precompiled::Folder;

/// A component that exports an instance with this name.
fn wasm(export: &str) -> Vec<u8> {
    wat::parse_str(format!("(component (instance $i) (export {export:?} (instance $i)))")).expect("well-formed")
}

/// Gets the component that exports `export` from `folder`, and fails if it is another one.
fn get(folder: &Path, export: &str) {
    let folder = Folder::at(folder.to_owned()).expect("a folder");
    let component = folder.component(&Engine::default(), &wasm(export)).expect("valid");
    assert!(component.get_export_index(None, export).is_some(), "another component");
}

/// The files of a folder, with their content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.map(|path| (path.clone(), fs::read(path).expect("readable"))).collect()
}

#[test]
fn a_component_is_compiled_once() {
    let folder = tempfile::tempdir().expect("a folder");
    get(folder.path(), "a");
    let once = files(folder.path());
    let file = once.keys().next().expect("a file");
    let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(file).expect("there"));
    let (first, long_ago) = (inode(), SystemTime::now() - Duration::from_secs(1000));
    let set = |time| fs::File::open(file).and_then(|file| file.set_modified(time)).expect("ours");
    set(long_ago);
    get(folder.path(), "a");
    assert_eq!((files(folder.path()), inode()), (once.clone(), first));
    let used = fs::metadata(file).and_then(|metadata| metadata.modified()).expect("there");
    assert!(used > long_ago + Duration::from_secs(500), "the use was not noted");
}

#[test]
fn hosts_that_start_together_compile_a_component_once() {
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    get(theirs.path(), "a");
    let (compiled, code) = files(theirs.path()).pop_first().expect("a file");
    let path = ours.path().join(compiled.file_name().expect("a name"));
    let other_host = fs::File::open(ours.path()).expect("a folder");
    other_host.lock().expect("locked");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| get(ours.path(), "a"));
        fs::write(&path, code).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("ours");
        let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).expect("there"));
        let first = inode();
        drop(other_host);
        waiting.join().expect("found");
        assert_eq!(inode(), first, "it was compiled again");
    });
}

#[test]
fn a_changed_component_is_compiled() {
    let folder = tempfile::tempdir().expect("a folder");
    get(folder.path(), "a");
    get(folder.path(), "b");
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn a_damaged_file_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    get(folder.path(), "a");
    let whole = files(folder.path());
    let (path, content) = whole.first_key_value().expect("a file");
    let middle = content.len() / 2;
    let mut flipped = content.clone();
    flipped[middle] ^= 1;
    let zeros = [&vec![0; middle], &content[middle..]].concat();
    for damaged in [Vec::new(), content[..middle].to_vec(), flipped, zeros] {
        fs::write(path, &damaged).expect("written");
        get(folder.path(), "a");
        assert!(files(folder.path()) == whole, "{} of {} bytes", damaged.len(), content.len());
    }
}

#[test]
fn what_others_can_write_is_not_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    get(folder.path(), "a");
    let (path, code) = files(folder.path()).pop_first().expect("a file");
    // The checksum fits, but it is the code of `a`.
    get(folder.path(), "b");
    let (other, _) = files(folder.path()).into_iter().find(|(other, _)| *other != path).expect("a second file");
    fs::write(&other, code).expect("written");
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
    mode(&other, 0o606);
    get(folder.path(), "b");
    mode(folder.path(), 0o770);
    assert!(Folder::at(folder.path().to_owned()).is_err());
}

#[test]
fn files_that_are_not_used_are_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, age_s) in [("new", 1), ("oldest", 3), ("old", 2)] {
        let path = folder.path().join(name);
        fs::write(&path, [0; 1000]).expect("written");
        let time = SystemTime::now() - Duration::from_secs(age_s);
        fs::File::open(&path).and_then(|file| file.set_modified(time)).expect("ours");
    }
    Folder::at(folder.path().to_owned()).and_then(|folder| folder.delete_unused(2500)).expect("deleted");
    let left: Vec<_> = files(folder.path()).into_keys().collect();
    assert_eq!(left, ["new", "old"].map(|name| folder.path().join(name)));
}
