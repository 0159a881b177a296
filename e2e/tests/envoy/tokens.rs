//! Who is not let in: a real Envoy with a token that is not good for it hears why, and gets nothing.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use pilothouse_ca::token::{TokenGrant, TokenKey, mint};
use pilothouse_e2e::both;
use pilothouse_e2e::checks::same;
use pilothouse_e2e::mesh::{Mesh, Version, until};
use pilothouse_e2e::world;

const GUEST: &str = "guest.shop";
const GUEST_ADDRESS: &str = "10.1.0.20";
const GUEST_UID: &str = "6f0e2f0a-5b6c-4c39-9d2e-0f6d4f1f7a11";
const HOUR: Duration = Duration::from_hours(1);

fn tokens_that_are_refused(version: Version) -> Result<()> {
    world::run(version, &["tokens"], |mesh, checks| {
        let own = TokenKey::from_pem(mesh.token_key()?.as_bytes())?;
        let foreign = TokenKey::from_pem(TokenKey::generate()?.expose().as_bytes())?;
        let now = SystemTime::now();
        let good = TokenGrant {
            issuer: "pilothouse",
            audience: "istio-ca",
            namespace: "shop",
            service_account: "guest",
            pod: "guest",
            pod_uid: GUEST_UID,
            ttl: HOUR,
        };
        let client = TokenGrant { service_account: "client", pod: "client", ..good.clone() };
        let earlier = TokenGrant { pod_uid: "0c9a8e57-0000-4c39-9d2e-0f6d4f1f7a11", ..good.clone() };
        let account = TokenGrant { service_account: "echo", ..good.clone() };
        let elsewhere = TokenGrant { audience: "api", ..good.clone() };
        for (what, key, grant, at, reason) in [
            ("an expired token", &own, &good, now - 2 * HOUR, "the token has expired"),
            ("a token of the future", &own, &good, now + HOUR, "the token is not valid yet"),
            ("a token for another audience", &own, &elsewhere, now, "meant for another audience"),
            ("a token of a foreign key", &foreign, &good, now, "a key that this control plane does not know"),
            ("the token of another pod", &own, &client, now, "the node id names another pod than the token"),
            ("the token of an earlier pod", &own, &earlier, now, "bound to an earlier pod of this name"),
            ("the token of another account", &own, &account, now, "under another service account"),
        ] {
            let token = mint(key, grant, [7; 16], at)?;
            checks.show(what, refused(mesh, token.expose(), reason));
        }
        checks.show("no token at all", refused(mesh, "let-me-in", "not a JWT with the claims"));
        // Else nothing was shown: the same Envoy, the same way, with a token that is good.
        let token = mint(&own, &good, [7; 16], now)?;
        checks.show("a good token", admitted(mesh, token.expose()));
        let answer = mesh.pod("client.shop")?.get("http://tokens/")?;
        same("who answers the others", answer.who().as_str(), "echo-v1")
    })
}

both!(tokens_that_are_refused);

fn refused(mesh: &mut Mesh, token: &str, reason: &str) -> Result<()> {
    mesh.start_envoy_with_token(GUEST, token)?;
    until("the refusal to be logged with its reason", Duration::from_secs(20), || {
        let log = mesh.control_plane_log();
        let told = |line: &str| {
            line.contains("refused a stream") && line.contains(GUEST_ADDRESS) && line.contains(reason)
        };
        ensure!(log.lines().any(told), "nothing is logged");
        Ok(())
    })?;
    let envoy = mesh.envoy(GUEST)?;
    until("the Envoy to hear the reason", Duration::from_secs(20), || {
        let heard = envoy.process.log().replace("%20", " ");
        ensure!(heard.contains(reason), "it heard nothing");
        Ok(())
    })?;
    for kind in ["cluster_manager.cds.update_success", "listener_manager.lds.update_success"] {
        same(kind, envoy.stat(kind)?, 0_u64)?;
    }
    ensure!(envoy.admin("/ready").is_err(), "it is ready");
    for page in ["/config_dump?include_eds", "/clusters", "/certs"] {
        let text = envoy.admin(page)?;
        for secret in ["outbound|", "spiffe://", "BEGIN"] {
            ensure!(!text.contains(secret), "{page} holds `{secret}`: {text}");
        }
    }
    ensure!(status(mesh)?.is_none(), "the guest counts as connected");
    let signature = token.rsplit('.').next().context("a token has parts")?;
    ensure!(!mesh.control_plane_log().contains(signature), "the token stands in the log");
    Ok(())
}

fn admitted(mesh: &mut Mesh, token: &str) -> Result<()> {
    mesh.start_envoy_with_token(GUEST, token)?;
    until("the Envoy to be let in", Duration::from_secs(20), || {
        mesh.envoy(GUEST)?.admin("/ready")?;
        ensure!(status(mesh)?.is_some(), "the guest is not connected");
        Ok(())
    })?;
    let certificates = mesh.envoy(GUEST)?.admin("/certs")?;
    ensure!(certificates.contains("spiffe://cluster.local/ns/shop/sa/guest"), "it has {certificates}");
    Ok(())
}

/// What `proxy-status` says of the guest, if anything.
fn status(mesh: &Mesh) -> Result<Option<serde_json::Value>> {
    let report = mesh.proxy_status()?;
    let mut proxies = report["proxies"].as_array().into_iter().flatten();
    Ok(proxies.find(|proxy| proxy["proxy"] == GUEST).cloned())
}
