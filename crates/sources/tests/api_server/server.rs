//! etcd and kube-apiserver on ports of their own, gone when dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::core::ApiResource;
use kube::{Api, Client, Config};
use pilothouse_sources::{Access, connect};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// How long something may take to come up or to come about.
pub(crate) const LONGEST: Duration = Duration::from_mins(2);
/// How often a condition is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(50);
/// The token of somebody who may do everything.
const TOKEN: &str = "all-powerful";
/// The token of somebody who may do what roles say, and the name that they are bound to.
const READER_TOKEN: &str = "reader-of-much";
pub(crate) const READER: &str = "reader";

/// An API server.
pub(crate) struct ApiServer {
    folder: TempDir,
    programs: PathBuf,
    flags: Vec<String>,
    client: Client,
    store: Client,
    server: Child,
    /// Ended by being dropped.
    _etcd: Child,
}

impl ApiServer {
    /// Starts one, with further flags.
    pub(crate) async fn start(flags: &[&str]) -> Result<Self> {
        let programs = programs().await?;
        let folder = tempfile::tempdir()?;
        let [etcd_port, peer_port, port] = free_ports()?;
        let (etcd, peer) = (format!("http://127.0.0.1:{etcd_port}"), format!("http://127.0.0.1:{peer_port}"));
        let data = path(&folder, "etcd");
        let etcd_flags = [
            ("--data-dir", data.as_str()),
            ("--listen-client-urls", &etcd),
            ("--advertise-client-urls", &etcd),
            ("--listen-peer-urls", &peer),
            ("--initial-advertise-peer-urls", &peer),
        ];
        let mut etcd_flags: Vec<String> =
            etcd_flags.iter().map(|(flag, value)| format!("{flag}={value}")).collect();
        etcd_flags.push(format!("--initial-cluster=default={peer}"));
        etcd_flags.push("--unsafe-no-fsync".to_owned());
        let running_etcd = spawn(&programs, "etcd", &etcd_flags, &folder)?;

        let key = rcgen::KeyPair::generate()?;
        std::fs::write(folder.path().join("accounts.key"), key.serialize_pem())?;
        std::fs::write(folder.path().join("accounts.pub"), key.public_key_pem())?;
        std::fs::write(
            folder.path().join("tokens.csv"),
            format!("{TOKEN},admin,admin,\"system:masters\"\n{READER_TOKEN},{READER},{READER}\n"),
        )?;
        for (file, token) in [("kubeconfig", TOKEN), (READER, READER_TOKEN)] {
            let config = json!({
                "apiVersion": "v1", "kind": "Config", "current-context": "x",
                "clusters": [{"name": "x", "cluster": {"server": format!("https://127.0.0.1:{port}"), "insecure-skip-tls-verify": true}}],
                "users": [{"name": "x", "user": {"token": token}}],
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            });
            std::fs::write(folder.path().join(file), config.to_string())?;
        }
        let accounts = path(&folder, "accounts.key");
        let own = [
            ("--etcd-servers", etcd.as_str()),
            ("--secure-port", &port.to_string()),
            ("--bind-address", "127.0.0.1"),
            ("--advertise-address", "127.0.0.1"),
            ("--endpoint-reconciler-type", "none"),
            ("--cert-dir", &path(&folder, "certificates")),
            ("--token-auth-file", &path(&folder, "tokens.csv")),
            ("--service-account-key-file", &path(&folder, "accounts.pub")),
            ("--service-account-signing-key-file", &accounts),
            ("--service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
            ("--authorization-mode", "RBAC"),
            ("--disable-admission-plugins", "ServiceAccount"),
            ("--service-cluster-ip-range", "10.96.0.0/16"),
            ("--profiling", "false"),
        ];
        let own = own.iter().map(|(flag, value)| format!("{flag}={value}"));
        let flags: Vec<String> = own.chain(flags.iter().map(|flag| (*flag).to_owned())).collect();
        let server = spawn(&programs, "kube-apiserver", &flags, &folder)?;
        let access = Access::Kubeconfig(folder.path().join("kubeconfig"));
        let client = connect(&access).await?;
        let store = Client::try_from(Config::new(etcd.parse()?))?;
        let server = Self { folder, programs, flags, client, store, server, _etcd: running_etcd };
        server.ready().await?;
        Ok(server)
    }

    /// How it is reached.
    pub(crate) fn access(&self) -> Access {
        Access::Kubeconfig(self.folder.path().join("kubeconfig"))
    }

    /// How it is reached by somebody who may do what roles say.
    pub(crate) fn reader(&self) -> Access {
        Access::Kubeconfig(self.folder.path().join(READER))
    }

    /// Takes an object away behind the back of the API server, as nobody should, and lets its store forget all that was.
    pub(crate) async fn take_away_and_compact(&self, key: &str) -> Result<()> {
        let key = STANDARD.encode(key);
        let gone = self.ask_store("/v3/kv/deleterange", &json!({ "key": key })).await?;
        if gone["deleted"] != json!("1") {
            bail!("nothing was deleted: {gone}");
        }
        let revision = &gone["header"]["revision"];
        self.ask_store("/v3/kv/compaction", &json!({"revision": revision, "physical": true})).await?;
        Ok(())
    }

    async fn ask_store(&self, path: &str, body: &Value) -> Result<Value> {
        let request = http::Request::post(path).body(body.to_string().into_bytes())?;
        Ok(self.store.request(request).await?)
    }

    /// The newest version of the objects of a kind.
    pub(crate) async fn version(&self, like: &Value) -> Result<String> {
        let all = self.api(like).list(&ListParams::default()).await?;
        Ok(all.metadata.resource_version.unwrap_or_default())
    }

    /// What the API server answers to somebody who wants to hear what happened since a version.
    pub(crate) async fn since(&self, object: &Value, version: &str) -> Result<String> {
        let mut events = std::pin::pin!(self.api(object).watch(&WatchParams::default(), version).await?);
        match timeout(LONGEST, events.next()).await? {
            Some(Ok(WatchEvent::Error(status))) => Ok(format!("{} {}", status.code, status.reason)),
            other => bail!("{other:?}"),
        }
    }

    /// Kills it; etcd stays.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.server.kill().await.context("killing kube-apiserver")
    }

    /// Starts it again.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.server = spawn(&self.programs, "kube-apiserver", &self.flags, &self.folder)?;
        self.ready().await
    }

    /// Starts it again with further flags.
    pub(crate) async fn restart_with(&mut self, flags: &[&str]) -> Result<()> {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self.restart().await
    }

    /// Waits until it answers, and serves what it was made with.
    async fn ready(&self) -> Result<()> {
        let ready = async {
            let request = || http::Request::get("/readyz").body(Vec::new()).expect("the request is sound");
            while self.client.request_text(request()).await.is_err() {
                sleep(LOOK).await;
            }
        };
        if timeout(LONGEST, ready).await.is_err() {
            let log = std::fs::read(self.folder.path().join("kube-apiserver.log"))?;
            let log = String::from_utf8_lossy(&log);
            let end: Vec<&str> = log.lines().rev().take(5).collect();
            bail!("kube-apiserver did not become ready; its log ends backwards with {end:#?}");
        }
        Ok(())
    }

    /// Applies an object as its server side does; waits where its kind or namespace is still coming up.
    pub(crate) async fn apply(&self, object: &Value) -> Result<()> {
        let apply = async {
            loop {
                match self.try_apply(object).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => sleep(LOOK).await,
                    other => return other,
                }
            }
        };
        let name = &object["metadata"]["name"];
        timeout(LONGEST, apply).await.context("it took too long")?.with_context(|| format!("applying {name}"))
    }

    /// Applies an object as its server side does.
    pub(crate) async fn try_apply(&self, object: &Value) -> Result<(), kube::Error> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let how = PatchParams::apply("test").force();
        self.api(object).patch(name, &how, &Patch::Apply(object)).await.map(drop)
    }

    /// Writes a part of an object, such as its status.
    pub(crate) async fn merge_status(&self, object: &Value, status: &Value) -> Result<()> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let patch = json!({ "status": status });
        self.api(object).patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// Waits until an object does not exist any more.
    pub(crate) async fn gone(&self, object: &Value) -> Result<()> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let api = self.api(object);
        let gone = async {
            while !matches!(api.get_opt(name).await, Ok(None)) {
                sleep(LOOK).await;
            }
        };
        timeout(LONGEST, gone).await.with_context(|| format!("{name} is still there"))
    }

    /// Deletes an object at once.
    pub(crate) async fn delete(&self, object: &Value) -> Result<()> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        self.api(object).delete(name, &DeleteParams::default().grace_period(0)).await?;
        Ok(())
    }

    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let lower = kind.to_lowercase();
        let plural = match lower.strip_suffix('y') {
            Some(stem) if !lower.ends_with("ay") => format!("{stem}ies"),
            _ => format!("{lower}s"),
        };
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.clone(),
            kind,
            plural,
        };
        match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

/// The programs of the test cluster; it is known to the script that builds them.
async fn programs() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../hack/cluster/build.sh");
    let output =
        Command::new(&script).arg("folders").output().await.context("asking hack/cluster/build.sh")?;
    let folders = String::from_utf8(output.stdout)?;
    let programs = folders.trim().split(':').next().map(PathBuf::from).unwrap_or_default();
    if !programs.join("kube-apiserver").is_file() {
        bail!("kube-apiserver is not built yet: hack/cluster/build.sh builds it");
    }
    Ok(programs)
}

fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let all = [(); N].map(|()| std::net::TcpListener::bind(("127.0.0.1", 0)));
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(all) {
        *port = listener?.local_addr()?.port();
    }
    Ok(ports)
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn spawn(programs: &Path, program: &str, flags: &[String], folder: &TempDir) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.path().join(format!("{program}.log")))?;
    Command::new(programs.join(program))
        .args(flags)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {program}"))
}
