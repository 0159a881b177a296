use std::path::Path;
use std::time::Duration;

use pilothouse_ca::{CaFiles, NewRoot, create_root};
use pilothouse_envoy_api::discovery::DeltaDiscoveryRequest;
use pilothouse_envoy_api::tls::secret;
use pilothouse_runtime::{Clock, entropy};
use pilothouse_xds::ResourceType::Secret;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::mesh::Mesh;
use super::secrets::{bytes, leaf, next_secret, secret};

fn root(name: &str) -> NewRoot {
    create_root(name, entropy::bytes(), Clock::system().now()).unwrap()
}

fn write(folder: &Path, root: &NewRoot) {
    let certificate = root.certificate_pem.as_bytes();
    let contents: [&[u8]; 4] = [certificate, root.key.expose().as_bytes(), certificate, b""];
    for (name, content) in CaFiles::NAMES.iter().zip(contents) {
        std::fs::write(folder.join(name), content).unwrap();
    }
}

fn trusted(resource: &pilothouse_envoy_api::discovery::Resource) -> String {
    let secret::Type::ValidationContext(roots) = secret(resource) else { panic!("roots") };
    String::from_utf8(bytes(roots.trusted_ca.as_ref()).to_vec()).unwrap()
}

fn organization(chain: &[u8], name: &str) -> bool {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain).map(Result::unwrap).collect();
    chain[0].windows(name.len()).any(|window| window == name.as_bytes())
}

/// The bundle with both roots first; only when it was taken, a leaf of the new one.
#[tokio::test]
async fn a_new_root_is_trusted_by_all_before_it_signs() {
    let given = tempfile::tempdir().unwrap();
    let (old, new) = (root("old.example"), root("new.example"));
    write(given.path(), &old);
    let mut mesh = Mesh::start_with(|settings| {
        settings.cacerts = Some(given.path().to_owned());
        settings.root_hold = Duration::ZERO;
    })
    .await;
    let mut quick = mesh.delta().await;
    quick.hello(Secret, &["ROOTCA", "default"]).await;
    let (chain, _) = leaf(&next_secret(&mut quick, "default").await);
    assert!(organization(&chain, "old.example"));
    let mut slow = mesh.delta().await;
    slow.hello(Secret, &["ROOTCA"]).await;
    assert_eq!(trusted(&next_secret(&mut slow, "ROOTCA").await), old.certificate_pem);

    write(given.path(), &new);
    let both = old.certificate_pem.clone() + &new.certificate_pem;
    let first = loop {
        let response = quick.accept().await;
        if let Some(roots) = response.resources.iter().find(|one| one.name == "ROOTCA")
            && trusted(roots) != old.certificate_pem
        {
            break response;
        }
    };
    assert!(first.resources.iter().all(|one| one.name == "ROOTCA"), "no leaf together with the roots");
    assert_eq!(trusted(&first.resources[0]), both);
    let held = slow.next().await.unwrap();
    assert_eq!(trusted(&held.resources[0]), both);
    // One has not answered, so the old one goes on signing, for newcomers too.
    let mut newcomer = mesh.delta().await;
    newcomer.hello(Secret, &["default"]).await;
    let (chain, _) = leaf(&next_secret(&mut newcomer, "default").await);
    assert!(organization(&chain, "old.example"));

    let taken = DeltaDiscoveryRequest {
        type_url: held.type_url,
        response_nonce: held.nonce,
        ..DeltaDiscoveryRequest::default()
    };
    slow.send(taken).await;
    for stream in [&mut quick, &mut newcomer] {
        let (chain, _) = leaf(&next_secret(stream, "default").await);
        assert!(organization(&chain, "new.example"));
    }
    // The port itself is certified by the new one as well.
    mesh.root.clone_from(&new.certificate_pem);
    let mut late = mesh.delta().await;
    late.hello(Secret, &["ROOTCA"]).await;
    assert_eq!(
        trusted(&next_secret(&mut late, "ROOTCA").await),
        new.certificate_pem + &old.certificate_pem,
        "leaves of the old root are still about"
    );
}
