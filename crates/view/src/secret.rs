//! Secrets that gateways ask for.

use pilothouse_base::{Name, Namespace};

use crate::names;
use crate::plan::{SecretMaterial, SecretPlan};
use crate::query::{SecretKey, SecretSource};
use crate::reader::Reader;

/// The secret as it is sent; none if it does not exist or holds nothing of use, so that the proxy keeps what it has.
pub(crate) fn secret(key: &SecretKey, read: &mut Reader<'_>) -> Option<SecretPlan> {
    let material = match &key.source {
        SecretSource::Certificate { namespace, name } => {
            SecretMaterial::Certificate(read.secret(namespace, name)?.certificate.clone()?)
        }
        // A secret of the roots' own goes first, also when it holds nothing of use: nobody meant the other one then.
        SecretSource::Roots { namespace, name } => {
            let own = read.secret(namespace, &names::roots(name));
            SecretMaterial::Roots(own.or_else(|| read.secret(namespace, name))?.ca.clone()?)
        }
        SecretSource::CertificateFiles { certificate, key } => {
            SecretMaterial::CertificateFiles { certificate: certificate.clone(), key: key.clone() }
        }
        SecretSource::RootFiles { roots, revoked } => {
            SecretMaterial::RootFiles { roots: roots.clone(), revoked: revoked.clone() }
        }
    };
    Some(SecretPlan { name: key.resource.clone(), material })
}

impl SecretKey {
    /// The certificate of a secret.
    pub(crate) fn certificate(namespace: &Namespace, name: &Name) -> Self {
        let (namespace, name) = (namespace.clone(), name.clone());
        Self { resource: names::credential(&name), source: SecretSource::Certificate { namespace, name } }
    }

    /// The roots that belong to the name of a secret.
    pub(crate) fn roots(namespace: &Namespace, name: &Name) -> Self {
        let base = name.as_str().strip_suffix(names::ROOTS).filter(|base| !base.is_empty());
        let name = base.map_or_else(|| name.clone(), Name::from);
        let resource = names::credential(&names::roots(&name));
        Self { resource, source: SecretSource::Roots { namespace: namespace.clone(), name } }
    }

    /// A certificate and its key in files.
    pub(crate) fn certificate_files(certificate: &Name, key: &Name) -> Self {
        Self {
            resource: Name::from(format!("file-cert:{certificate}~{key}")),
            source: SecretSource::CertificateFiles { certificate: certificate.clone(), key: key.clone() },
        }
    }

    /// Roots in a file, and what is revoked in another one.
    pub(crate) fn root_files(roots: &Name, revoked: Option<&Name>) -> Self {
        let resource = match revoked {
            None => format!("file-root:{roots}"),
            Some(revoked) => format!("file-root:{roots}~{revoked}"),
        };
        let source = SecretSource::RootFiles { roots: roots.clone(), revoked: revoked.cloned() };
        Self { resource: Name::from(resource), source }
    }
}
