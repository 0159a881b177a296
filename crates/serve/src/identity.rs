//! The keys of the mesh on disk: the CA that signs leaves and the key that signs tokens.
//!
//! The state folder holds `ca/` in Istio's `cacerts` layout, and `token-key.pem`. Both are made at first start, with
//! modes that let nobody else in, and in one step: a crash leaves all of it or nothing. Two processes that start at
//! once (the daemon and `pilothouse token`) wait for each other, so they never end up with two keys.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pilothouse_ca::token::{MintError, Token, TokenGrant, TokenKey, mint};
use pilothouse_ca::{Authority, CaFiles, KeyError, LoadError, RootError, create_root};
use pilothouse_runtime::entropy;
use pilothouse_runtime::private_file::{self, PrivateFileError};

/// Who mints our tokens: `iss`.
pub const ISSUER: &str = "pilothouse";
/// Whom tokens are meant for unless settings say otherwise: `aud`. Istio's audience, so that manifests keep working.
pub const AUDIENCE: &str = "istio-ca";

const CA_FOLDER: &str = "ca";
const TOKEN_KEY: &str = "token-key.pem";
const LOCK: &str = ".lock";

/// Where the keys are.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The folder of this program. Made when it does not exist.
    pub state: PathBuf,
    /// A folder in Istio's `cacerts` layout, if the mesh was given a CA.
    pub cacerts: Option<PathBuf>,
}

/// The keys of the mesh.
#[derive(Debug)]
pub struct Identity {
    /// Signs leaves.
    pub authority: Authority,
    /// Signs and checks tokens.
    pub tokens: TokenKey,
}

/// The keys could not be loaded or made. Nothing gets better by waiting.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// A file or folder of the state folder could not be used.
    #[error("cannot {what} {}", path.display())]
    Folder {
        /// The step, as a verb.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The CA's material is unusable.
    #[error("the CA in {} cannot be used", folder.display())]
    Authority {
        /// Where it is.
        folder: PathBuf,
        /// What is wrong.
        source: LoadError,
    },
    /// A folder was given that holds none of the files.
    #[error("{} holds no CA; expected {}", folder.display(), CaFiles::NAMES[..4].join(", "))]
    NoAuthority {
        /// The folder.
        folder: PathBuf,
    },
    /// No root could be made.
    #[error("cannot make a CA")]
    Root(#[from] RootError),
    /// The token key is unusable.
    #[error("{} {source}", path.display())]
    TokenKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeyError,
    },
}

/// Loads the keys, and makes those that do not exist yet. `trust_domain` is written into a new root.
pub fn load_or_create(
    folders: &Folders,
    trust_domain: &str,
    now: SystemTime,
) -> Result<Identity, IdentityError> {
    let _lock = lock(&folders.state)?;
    let authority = match &folders.cacerts {
        Some(given) => given_authority(given)?,
        None => own_authority(&folders.state.join(CA_FOLDER), trust_domain, now)?,
    };
    Ok(Identity { authority, tokens: own_token_key(&folders.state.join(TOKEN_KEY))? })
}

/// As [`load_or_create`], for the key that signs tokens alone.
pub fn load_or_create_token_key(state: &Path) -> Result<TokenKey, IdentityError> {
    let _lock = lock(state)?;
    own_token_key(&state.join(TOKEN_KEY))
}

/// Whom a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRequest<'a> {
    /// Who may accept it; [`AUDIENCE`] normally.
    pub audience: &'a str,
    /// Namespace of the pod.
    pub namespace: &'a str,
    /// The service account of the pod.
    pub service_account: &'a str,
    /// Name of the pod.
    pub pod: &'a str,
    /// Uid of the pod, or what [`assumed_uid`] says for a pod object that has none.
    pub pod_uid: &'a str,
    /// How long it is good.
    pub ttl: Duration,
}

/// Mints a token that the daemon of the same state folder accepts.
pub fn mint_token(key: &TokenKey, request: TokenRequest<'_>, now: SystemTime) -> Result<Token, MintError> {
    let TokenRequest { audience, namespace, service_account, pod, pod_uid, ttl } = request;
    let grant = TokenGrant { issuer: ISSUER, audience, namespace, service_account, pod, pod_uid, ttl };
    mint(key, &grant, entropy::bytes(), now)
}

/// The uid that stands for a pod whose object has none, as in a folder of manifests written by hand. The name is then
/// all that tells pods apart.
pub fn assumed_uid(namespace: &str, pod: &str) -> String {
    format!("{namespace}.{pod}")
}

/// Who may be able to read the key file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Ours: mode 0600 or it is refused.
    Own,
    /// The operator's: a mounted Kubernetes secret is readable inside its container.
    Operator,
}

fn own_authority(folder: &Path, trust_domain: &str, now: SystemTime) -> Result<Authority, IdentityError> {
    if let Some(authority) = load_authority(folder, Trust::Own)? {
        return Ok(authority);
    }
    let root = create_root(trust_domain, entropy::bytes(), now)?;
    let beside = folder.with_extension("new");
    match std::fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", &beside)(error));
        }
        _ => {}
    }
    private_file::create_folder(&beside)?;
    let [ca_cert, ca_key, root_cert, cert_chain, _] = CaFiles::NAMES;
    private_file::write(&beside.join(ca_key), root.key.expose().as_bytes())?;
    private_file::write(&beside.join(ca_cert), root.certificate_pem.as_bytes())?;
    private_file::write(&beside.join(root_cert), root.certificate_pem.as_bytes())?;
    private_file::write(&beside.join(cert_chain), b"")?;
    std::fs::rename(&beside, folder).map_err(failed("create", folder))?;
    let parent = folder.parent().unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed("flush", parent))?;
    load_authority(folder, Trust::Own)?
        .ok_or_else(|| IdentityError::NoAuthority { folder: folder.to_owned() })
}

/// The CA that an operator keeps in a folder.
pub(crate) fn given_authority(folder: &Path) -> Result<Authority, IdentityError> {
    load_authority(folder, Trust::Operator)?
        .ok_or_else(|| IdentityError::NoAuthority { folder: folder.to_owned() })
}

/// The CA of a folder; `None` if it holds none of the files.
fn load_authority(folder: &Path, trust: Trust) -> Result<Option<Authority>, IdentityError> {
    let read = |name: &str, key: bool| {
        let path = folder.join(name);
        let content = match trust {
            Trust::Own if key => private_file::read(&path),
            _ => private_file::read_public(&path),
        };
        match content {
            Ok(content) => Ok(Some(content)),
            Err(PrivateFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    };
    let [ca_cert, ca_key, root_cert, cert_chain, ca_crl] = CaFiles::NAMES;
    let files = CaFiles {
        ca_cert: read(ca_cert, false)?,
        ca_key: read(ca_key, true)?,
        root_cert: read(root_cert, false)?,
        cert_chain: read(cert_chain, false)?,
        ca_crl: read(ca_crl, false)?,
    };
    if files.is_absent() {
        return Ok(None);
    }
    Authority::load(&files)
        .map(Some)
        .map_err(|source| IdentityError::Authority { folder: folder.to_owned(), source })
}

fn own_token_key(path: &Path) -> Result<TokenKey, IdentityError> {
    let bad = |source| IdentityError::TokenKey { path: path.to_owned(), source };
    let content = match private_file::read(path) {
        Err(PrivateFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            let key = TokenKey::generate().map_err(bad)?;
            private_file::write(path, key.expose().as_bytes())?;
            private_file::read(path)?
        }
        read => read?,
    };
    TokenKey::from_pem(&zeroize::Zeroizing::new(content)).map_err(bad)
}

/// Waits until no other process is in the folder. The lock goes with the returned file.
fn lock(state: &Path) -> Result<File, IdentityError> {
    private_file::create_folder(state)?;
    let path = state.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed("open", &path))?;
    file.lock().map_err(failed("lock", &path))?;
    Ok(file)
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> IdentityError {
    move |source| IdentityError::Folder { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
