//! Speaking to the application and the client of a pod through their sockets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::pod::RunningLoad;
use super::socket::Lines;
use crate::app::Counts;
use crate::app::control::Ask;
use crate::client::{Answer, Command, Load, Reply, Request};

/// The file in a pod's folder at which its application listens.
pub const APP: &str = "app.sock";
/// The file in a pod's folder at which its client listens.
pub const CLIENT: &str = "client.sock";

/// The folder of a pod, in which its sockets are; the pod may be another process's.
#[derive(Clone, Debug)]
pub struct Control {
    folder: PathBuf,
}

impl Control {
    /// Speaks to the pod with this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The client's socket.
    pub fn client(&self) -> PathBuf {
        self.folder.join(CLIENT)
    }

    /// The application's socket.
    pub fn app(&self) -> PathBuf {
        self.folder.join(APP)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sends one request from inside the pod.
    pub fn send(&self, request: &Request) -> Result<Answer> {
        self.send_many(request, 1, 1)?.pop().context("no answer was reported")
    }

    /// Sends a request so often, so many at a time.
    pub fn send_many(&self, request: &Request, count: u32, concurrency: u32) -> Result<Vec<Answer>> {
        let mut lines = Lines::open(&self.client())?;
        match lines.ask(&Command::Send { request: request.clone(), count, concurrency })? {
            Reply::Answers(answers) => Ok(answers),
            Reply::Load(_) => bail!("the client answered something else"),
        }
    }

    /// Who answers a request how often.
    pub fn tally(&self, request: &Request, count: u32) -> Result<BTreeMap<String, u64>> {
        let mut tally = BTreeMap::new();
        for answer in self.send_many(request, count, 4)? {
            *tally.entry(answer.who()).or_default() += 1;
        }
        Ok(tally)
    }

    /// Starts a steady load from inside the pod.
    pub fn load(&self, load: &Load) -> Result<RunningLoad> {
        let mut lines = Lines::open(&self.client())?;
        let _: Reply = lines.ask(&Command::Start(load.clone()))?;
        Ok(RunningLoad::new(lines))
    }

    /// Asks the application.
    pub fn ask(&self, ask: &Ask) -> Result<Counts> {
        Lines::open(&self.app())?.ask(ask)
    }
}
