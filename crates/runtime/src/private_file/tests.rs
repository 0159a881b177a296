use super::*;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_written_is_read_back_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("ca");
    create_folder(&inner).unwrap();
    assert_eq!(mode(&inner), 0o700);
    let path = inner.join("key.pem");
    write(&path, b"one").unwrap();
    write(&path, b"two").unwrap();
    assert_eq!(read(&path).unwrap(), b"two");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(&inner), ["key.pem"], "nothing is left beside it");
}

#[test]
fn an_open_reader_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    write(&path, b"old").unwrap();
    let mut reader = File::open(&path).unwrap();
    write(&path, b"new").unwrap();
    let mut seen = Vec::new();
    reader.read_to_end(&mut seen).unwrap();
    assert_eq!(seen, b"old");
}

#[test]
fn a_leftover_of_a_crash_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    std::fs::write(beside(&path), b"half").unwrap();
    write(&path, b"whole").unwrap();
    assert_eq!(read(&path).unwrap(), b"whole");
    assert_eq!(names(folder.path()), ["key.pem"]);
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    write(&path, b"key").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("mode 0640") && error.contains("chmod 600"), "{error}");
    assert_eq!(read_public(&path).unwrap(), b"key");
}

#[test]
fn an_endless_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    write(&path, &vec![0; usize::try_from(MOST_BYTES).unwrap() + 10]).unwrap();
    assert!(matches!(read(&path), Err(PrivateFileError::TooLarge { .. })));
    assert!(matches!(read_public(Path::new("/dev/zero")), Err(PrivateFileError::TooLarge { .. })));
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taken");
    std::fs::create_dir(&path).unwrap();
    assert!(write(&path, b"x").is_err());
    assert_eq!(names(folder.path()), ["taken"]);
    assert!(matches!(write(&folder.path().join("no/such/folder"), b"x"), Err(PrivateFileError::Io { .. })));
}
