use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let listing = list(folder);
    assert!(listing.closed.is_empty());
    let below = |path: &PathBuf| path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
    listing.files.keys().map(below).collect()
}

#[test]
fn manifests_are_found_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::create_dir(root.join(".git")).unwrap();
    for file in
        ["a/b/c.yaml", "x.yml", "y.JSON", "README.md", ".hidden.yaml", ".git/config.yaml", "no-extension"]
    {
        fs::write(root.join(file), "").unwrap();
    }
    assert_eq!(names(root), ["a/b/c.yaml", "x.yml", "y.JSON"]);
}

#[test]
fn links_are_followed_but_not_in_circles() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let data = root.join("..2026_01_01");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("mesh.yaml"), "").unwrap();
    symlink("..2026_01_01", root.join("..data")).unwrap();
    symlink("..data/mesh.yaml", root.join("mesh.yaml")).unwrap();
    symlink(root, root.join("round")).unwrap();
    symlink("nowhere", root.join("dangling.yaml")).unwrap();
    assert_eq!(names(root), ["mesh.yaml"]);
}

#[test]
fn what_is_no_file_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read(folder.path()), Seen::Unreadable(_)));
    assert_eq!(read(&folder.path().join("none")), Seen::Gone);
    assert!(list(&folder.path().join("none")).closed.contains_key(&folder.path().join("none")));
}
