//! The UNIX socket through which a test reads counters and sets modes, past the mesh. One JSON line in, one out.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::{App, Counts, Mode};

/// What a test may ask an application.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Give the counters.
    Counts,
    /// Give the counters and forget them.
    Reset,
    /// Behave so from now on; gives the counters.
    Mode(Mode),
}

/// Serves until the process ends.
pub(super) async fn serve(app: Arc<App>, path: &Path) -> Result<()> {
    let listener = UnixListener::bind(path).with_context(|| format!("cannot make {}", path.display()))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let app = app.clone();
        tokio::spawn(async move { drop(connection(&app, stream).await) });
    }
}

async fn connection(app: &App, mut stream: UnixStream) -> Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        let ask: Ask = serde_json::from_str(&line)?;
        let counts: Counts = app.counts(|counts| {
            let before = counts.clone();
            match ask {
                Ask::Counts => {}
                Ask::Reset => counts.reset(),
                Ask::Mode(mode) => counts.mode = mode,
            }
            before
        });
        let mut text = serde_json::to_string(&counts)?;
        text.push('\n');
        writer.write_all(text.as_bytes()).await?;
    }
    Ok(())
}
