//! A site is told again: by pages, and when the API server has forgotten where a watch was.

use std::collections::BTreeSet;

use anyhow::Result;
use pilothouse_sources::load_site;
use serde_json::json;

use crate::server::ApiServer;
use crate::site::{Heard, definition, namespace, routes, set, site, virtual_service, word};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_is_told_again_without_a_gap() -> Result<()> {
    let mut server = ApiServer::start(&[]).await?;
    server.apply(&namespace("shop")).await?;
    server.apply(&definition("VirtualService")).await?;
    for name in ["a", "b", "c"] {
        server.apply(&virtual_service(name)).await?;
    }
    let mut heard = Heard::new(site(&server));
    let first = heard.batch().await?;
    assert!(first.contains(&"+VirtualService shop/a".to_owned()), "{first:?}");
    let version = server.version(&virtual_service("a")).await?;

    // While the API server is away, an object goes, and the store forgets that it ever was.
    server.kill().await?;
    server.take_away_and_compact("/registry/networking.istio.io/virtualservices/shop/b").await?;
    server.restart().await?;
    server.apply(&virtual_service("d")).await?;
    assert_eq!(server.since(&virtual_service("a"), &version).await?, "410 Expired");

    // What goes and what comes is told, in whatever order, and nothing else: what stays is never gone.
    let mut told = heard.until("+VirtualService shop/d").await?;
    if !told.contains("-VirtualService shop/b") {
        told.extend(heard.until("-VirtualService shop/b").await?);
    }
    assert_eq!(routes(told), set(&["-VirtualService shop/b", "+VirtualService shop/d"]));
    server.apply(&virtual_service("e")).await?;
    assert_eq!(routes(heard.until("+VirtualService shop/e").await?), set(&["+VirtualService shop/e"]));
    heard.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_many_pages_and_streams_tell_the_same() -> Result<()> {
    const MANY: usize = 1_100;
    let mut server = ApiServer::start(&[]).await?;
    server.apply(&namespace("shop")).await?;
    let service = |index: usize| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("s{index}"), "namespace": "shop"},
            "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]}
        })
    };
    for chunk in (0..MANY).collect::<Vec<_>>().chunks(50) {
        futures::future::try_join_all(chunk.iter().map(|index| {
            let service = service(*index);
            let server = &server;
            async move { server.apply(&service).await }
        }))
        .await?;
    }
    let expected: BTreeSet<String> = (0..MANY).map(|index| format!("+Service shop/s{index}")).collect();
    let services = |changes: &[pilothouse_world::Change]| -> BTreeSet<String> {
        changes.iter().map(word).filter(|word| word.starts_with("+Service shop/")).collect()
    };
    let streamed = load_site(&site(&server)).await?;
    assert_eq!(services(&streamed.changes), expected);
    server.kill().await?;
    server.restart_with(&["--feature-gates=WatchList=false"]).await?;
    let paged = load_site(&site(&server)).await?;
    assert_eq!(services(&paged.changes), expected);
    Ok(())
}
