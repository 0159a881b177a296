//! Commands on the client's UNIX socket: one JSON line in, one out.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::load::Running;
use super::{Answer, Load, LoadReport, Request, exchange};

/// What a test asks of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Send a request so often, so many at a time.
    Send {
        /// What to send.
        request: Request,
        /// How often.
        count: u32,
        /// How many at a time.
        concurrency: u32,
    },
    /// Send until told otherwise; this connection then takes only `Peek` and `Stop`.
    Start(Load),
    /// Give the report so far.
    Peek,
    /// Stop and give the report.
    Stop,
}

/// What a client says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The answers, in the order of the requests.
    Answers(Vec<Answer>),
    /// The load so far.
    Load(LoadReport),
}

/// Serves until the process ends.
pub async fn run(control: &Path) -> Result<()> {
    let listener =
        UnixListener::bind(control).with_context(|| format!("cannot make {}", control.display()))?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move { drop(connection(stream).await) });
    }
}

async fn connection(mut stream: UnixStream) -> Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    let mut running: Option<Running> = None;
    while let Some(line) = lines.next_line().await? {
        let reply = match serde_json::from_str(&line)? {
            Command::Send { request, count, concurrency } => {
                Reply::Answers(many(&request, count, concurrency).await)
            }
            Command::Start(load) => Reply::Load(running.insert(Running::start(&load)).report()),
            Command::Peek => Reply::Load(running.as_ref().map(Running::report).unwrap_or_default()),
            Command::Stop => Reply::Load(match running.take() {
                Some(load) => load.stop().await,
                None => LoadReport::default(),
            }),
        };
        let mut text = serde_json::to_string(&reply)?;
        text.push('\n');
        writer.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

async fn many(request: &Request, count: u32, concurrency: u32) -> Vec<Answer> {
    let mut answers = vec![Answer::default(); count as usize];
    let mut running = JoinSet::new();
    let mut next = 0;
    while next < answers.len() || !running.is_empty() {
        while next < answers.len() && running.len() < concurrency.max(1) as usize {
            let (request, n) = (request.clone(), next);
            running.spawn(async move { (n, exchange::once(&request).await) });
            next += 1;
        }
        if let Some(Ok((n, answer))) = running.join_next().await {
            answers[n] = answer;
        }
    }
    answers
}
