//! The file layout of Istio's `cacerts` secret and folder.

use std::fmt;

use zeroize::Zeroize;

/// The bytes of each file, `None` where it does not exist.
#[derive(Default)]
pub struct CaFiles {
    /// `ca-cert.pem`: the certificate that signs.
    pub ca_cert: Option<Vec<u8>>,
    /// `ca-key.pem`: its key.
    pub ca_key: Option<Vec<u8>>,
    /// `root-cert.pem`: one or more roots that proxies trust.
    pub root_cert: Option<Vec<u8>>,
    /// `cert-chain.pem`: from the certificate that signs up to the root; may be empty when that is itself a root.
    pub cert_chain: Option<Vec<u8>>,
    /// `ca-crl.pem`: revoked certificates, optional.
    pub ca_crl: Option<Vec<u8>>,
}

impl CaFiles {
    /// The names of the files, in the order of the fields.
    pub const NAMES: [&'static str; 5] =
        ["ca-cert.pem", "ca-key.pem", "root-cert.pem", "cert-chain.pem", "ca-crl.pem"];

    /// True if no file exists at all: then the mesh makes a root of its own.
    pub fn is_absent(&self) -> bool {
        let Self { ca_cert, ca_key, root_cert, cert_chain, ca_crl } = self;
        [ca_cert, ca_key, root_cert, cert_chain, ca_crl].into_iter().all(Option::is_none)
    }

    /// Which required files do not exist.
    pub fn missing(&self) -> Vec<&'static str> {
        let Self { ca_cert, ca_key, root_cert, cert_chain, ca_crl: _ } = self;
        Self::NAMES
            .into_iter()
            .zip([ca_cert, ca_key, root_cert, cert_chain])
            .filter(|(_, file)| file.is_none())
            .map(|(name, _)| name)
            .collect()
    }
}

impl Drop for CaFiles {
    fn drop(&mut self) {
        self.ca_key.zeroize();
    }
}

impl fmt::Debug for CaFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ca_cert, ca_key, root_cert, cert_chain, ca_crl } = self;
        let present = Self::NAMES
            .into_iter()
            .zip([ca_cert, ca_key, root_cert, cert_chain, ca_crl])
            .filter(|(_, file)| file.is_some())
            .map(|(name, _)| name);
        out.write_str("CaFiles")?;
        out.debug_list().entries(present).finish()
    }
}
