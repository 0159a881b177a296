use std::fs;
use std::path::Path;

use pilothouse_base::ObjectKey;
use pilothouse_runtime::{Readiness, Stopper, TaskError, Tasks};
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

/// Longer than any machine needs; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

fn namespace(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n")
}

/// A followed folder.
struct Followed {
    folder: TempDir,
    changes: mpsc::Receiver<Vec<Change>>,
    findings: slot::Receiver<Arc<[Diagnostic]>>,
    readiness: Readiness,
    stopper: Stopper,
    tasks: Tasks,
}

impl Followed {
    fn start(folder: TempDir) -> Self {
        let (stopper, stop) = Stop::pair();
        let mut tasks = Tasks::new(&stop);
        let (changes_out, changes) = mpsc::channel(8);
        let (findings_out, findings) = slot::channel(Arc::from([]));
        let readiness = Readiness::new();
        let loaded = readiness.condition("the folder is read");
        let directory = Directory { folder: folder.path().to_owned(), domain: "cluster.local".to_owned() };
        let selectors = slot::Sender::new(None);
        let outlet = Outlet { changes: changes_out, findings: findings_out, selectors, loaded };
        tasks.spawn("directory", watch(directory, outlet, tasks.stop()));
        Self { folder, changes, findings, readiness, stopper, tasks }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The next batch, as `+name` and `-name`.
    async fn batch(&mut self) -> Vec<String> {
        let batch = timeout(PATIENCE, self.changes.recv()).await.expect("a batch in time").unwrap();
        let word = |key: &ObjectKey, sign: &str| format!("{sign}{}", key.name);
        batch
            .iter()
            .map(|change| match change {
                Change::Apply { key, .. } => word(key, "+"),
                Change::Remove { key } => word(key, "-"),
            })
            .collect()
    }

    async fn finding(&mut self, code: &str) {
        let found = self.findings.wait_for(|list| list.iter().any(|one| one.code.id == code));
        timeout(PATIENCE, found).await.expect("a finding in time").unwrap();
    }

    async fn end(self) {
        self.stopper.stop();
        self.tasks.run().await.unwrap();
    }
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[tokio::test]
async fn the_first_batch_is_everything_and_makes_ready() {
    let mut followed = Followed::start(folder(&[("a.yaml", &namespace("a")), ("b.yaml", &namespace("b"))]));
    assert_eq!(followed.batch().await, ["+a", "+b"]);
    timeout(PATIENCE, followed.readiness.ready()).await.unwrap();
    followed.end().await;
}

#[tokio::test]
async fn an_empty_folder_says_so() {
    let mut followed = Followed::start(folder(&[]));
    assert_eq!(followed.batch().await, [""; 0]);
    followed.write("a.yaml", &namespace("a"));
    assert_eq!(followed.batch().await, ["+a"]);
    followed.end().await;
}

#[tokio::test]
async fn writes_renames_and_deletions_are_seen() {
    let mut followed = Followed::start(folder(&[("a.yaml", &namespace("a"))]));
    followed.batch().await;
    followed.write("a.yaml", &namespace("b"));
    assert_eq!(followed.batch().await, ["-a", "+b"]);
    // As editors save: beside, then over.
    followed.write(".a.yaml.swp", &namespace("c"));
    fs::rename(followed.path(".a.yaml.swp"), followed.path("a.yaml")).unwrap();
    assert_eq!(followed.batch().await, ["-b", "+c"]);
    fs::remove_file(followed.path("a.yaml")).unwrap();
    assert_eq!(followed.batch().await, ["-c"]);
    followed.end().await;
}

#[tokio::test]
async fn a_file_that_is_put_back_at_once_was_never_gone() {
    let mut followed = Followed::start(folder(&[("a.yaml", &namespace("a"))]));
    followed.batch().await;
    // As other editors save: the old one away, then a new one in its place.
    fs::rename(followed.path("a.yaml"), followed.path("a.yaml~")).unwrap();
    followed.write("a.yaml", &format!("{}---\n{}", namespace("a"), namespace("new")));
    assert_eq!(followed.batch().await, ["+new"]);
    followed.end().await;
}

#[tokio::test]
async fn a_broken_file_is_a_finding_and_no_change() {
    let mut followed = Followed::start(folder(&[("a.yaml", &namespace("a"))]));
    followed.batch().await;
    followed.write("a.yaml", "a: [");
    followed.finding("PH0001").await;
    followed.write("a.yaml", &namespace("b"));
    assert_eq!(followed.batch().await, ["-a", "+b"]);
    assert!(followed.findings.borrow().is_empty());
    followed.end().await;
}

#[tokio::test]
async fn folders_come_and_go_with_what_is_in_them() {
    let mut followed = Followed::start(folder(&[]));
    followed.batch().await;
    let outside = folder(&[("a.yaml", &namespace("a")), ("b.yaml", &namespace("b"))]);
    copy_in(outside.path(), &followed.path("team"));
    assert_eq!(followed.batch().await, ["+a", "+b"]);
    followed.write("team/a.yaml", &namespace("c"));
    assert_eq!(followed.batch().await, ["-a", "+c"]);
    fs::rename(followed.path("team"), outside.path().join("away")).unwrap();
    assert_eq!(followed.batch().await, ["-b", "-c"]);
    followed.end().await;
}

/// Puts a folder in place in one step.
fn copy_in(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
    fs::create_dir(from).unwrap();
}

#[tokio::test]
async fn a_mounted_config_map_turns_as_one() {
    use std::os::unix::fs::symlink;
    let mounted = folder(&[]);
    let root = mounted.path();
    for (version, name) in [("..1", "a"), ("..2", "b")] {
        fs::create_dir(root.join(version)).unwrap();
        fs::write(root.join(version).join("x.yaml"), namespace(name)).unwrap();
    }
    symlink("..1", root.join("..data")).unwrap();
    symlink("..data/x.yaml", root.join("x.yaml")).unwrap();
    let mut followed = Followed::start(mounted);
    assert_eq!(followed.batch().await, ["+a"]);
    symlink("..2", followed.path("..data_tmp")).unwrap();
    fs::rename(followed.path("..data_tmp"), followed.path("..data")).unwrap();
    assert_eq!(followed.batch().await, ["-a", "+b"]);
    followed.end().await;
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_an_error() {
    let parent = folder(&[]);
    let missing = parent.path().join("none");
    let directory = Directory { folder: missing, domain: "cluster.local".to_owned() };
    let (changes, _inbox) = mpsc::channel(1);
    let (findings, _latest) = slot::channel(Arc::from([]));
    let loaded = Readiness::new().condition("the folder is read");
    let outlet = Outlet { changes, findings, selectors: slot::Sender::new(None), loaded };
    let (_stopper, stop) = Stop::pair();
    let error: TaskError = watch(directory, outlet, stop).await.unwrap_err().into();
    assert!(error.to_string().contains("none"), "{error}");
}
