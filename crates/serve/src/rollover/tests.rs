use pilothouse_ca::create_root;
use pilothouse_runtime::{Clock, entropy};

use super::*;

/// Writes a CA of its own into a folder, one file after the other as a tool would.
fn write(folder: &Path, name: &str) {
    let root = create_root(name, entropy::bytes(), Clock::system().now()).unwrap();
    let certificate = root.certificate_pem.as_bytes();
    let contents: [&[u8]; 4] = [certificate, root.key.expose().as_bytes(), certificate, b""];
    for (name, content) in CaFiles::NAMES.iter().zip(contents) {
        std::fs::write(folder.join(name), content).unwrap();
    }
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "a test drops its own task")]
async fn a_folder_is_followed_and_what_is_broken_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "first");
    let (offers, mut offered) = mpsc::channel(1);
    let (stopper, stop) = Stop::pair();
    let following = tokio::spawn(watch_folder(dir.path().to_owned(), offers, stop));
    let first = offered.recv().await.unwrap();

    std::fs::write(dir.path().join("ca-key.pem"), "half").unwrap();
    tokio::time::sleep(5 * ROUND).await;
    assert!(offered.try_recv().is_err());

    write(dir.path(), "second");
    let second = offered.recv().await.unwrap();
    assert_ne!(first.fingerprint(), second.fingerprint());
    // The same again is nothing new.
    tokio::time::sleep(5 * ROUND).await;
    assert!(offered.try_recv().is_err());
    stopper.stop();
    following.await.unwrap().unwrap();
}
