//! The real `kubectl`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::Said;

/// `kubectl` for one cluster, and for one namespace if told so.
#[derive(Clone, Debug)]
pub struct Kubectl {
    pub(super) program: PathBuf,
    pub(super) config: PathBuf,
    pub(super) namespace: Option<String>,
}

impl Kubectl {
    /// The same for another namespace.
    #[must_use]
    pub fn namespaced(&self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self.clone() }
    }

    /// A call whose end and words are for the caller to judge.
    pub fn say(&self, arguments: &[&str], input: &str) -> Result<Said> {
        Said::by(self.command(arguments), input)
    }

    /// A call that has to succeed; gives its output.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        self.run_with(arguments, "")
    }

    /// A call with standard input that has to succeed; gives its output.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let said = self.say(arguments, input)?;
        if !said.fine {
            bail!("kubectl {}: {}{}", arguments.join(" "), said.err, said.out);
        }
        Ok(said.out)
    }

    /// Applies manifests, in YAML or JSON.
    pub fn apply(&self, manifests: &str) -> Result<String> {
        self.run_with(&["apply", "-f", "-"], manifests)
    }

    /// Whatever `get … -o json` gives.
    pub fn get(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = vec!["get", "-o", "json"];
        all.extend(arguments);
        let text = self.run(&all)?;
        serde_json::from_str(&text).with_context(|| format!("kubectl get printed no JSON: {text}"))
    }

    /// Waits for a condition as `kubectl wait --for=…` understands it.
    pub fn wait(&self, condition: &str, what: &str, limit_seconds: u32) -> Result<()> {
        let (condition, limit) = (format!("--for={condition}"), format!("--timeout={limit_seconds}s"));
        self.run(&["wait", &condition, what, &limit]).map(drop)
    }

    /// Waits until a rollout is complete.
    pub fn rolled_out(&self, what: &str, limit_seconds: u32) -> Result<()> {
        self.run(&["rollout", "status", what, &format!("--timeout={limit_seconds}s")]).map(drop)
    }

    /// The command itself, for a caller that lets it run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // Files are named as from the root of the tree.
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).arg("--kubeconfig").arg(&self.config);
        if let Some(namespace) = &self.namespace {
            command.args(["--namespace", namespace]);
        }
        command.args(arguments);
        command
    }
}
