//! Raw TCP: an echo that says who answers, with or without speaking first.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::App;

/// Serves a port. With `first` the server greets before it reads.
pub(super) async fn serve(app: Arc<App>, listener: TcpListener, first: bool) {
    while let Ok((stream, _)) = listener.accept().await {
        app.counts(|c| c.connections += 1);
        let who = format!("{} {}", app.settings.name, app.settings.version);
        tokio::spawn(async move { drop(connection(stream, &who, first).await) });
    }
}

async fn connection(mut stream: TcpStream, who: &str, first: bool) -> std::io::Result<()> {
    if first {
        stream.write_all(format!("{who} ready\n").as_bytes()).await?;
    }
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        writer.write_all(format!("{who} {line}\n").as_bytes()).await?;
    }
    Ok(())
}
