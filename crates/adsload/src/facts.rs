//! What a resource refers to, read once for all proxies that receive it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pilothouse_envoy_api as envoy;
use pilothouse_envoy_api::cluster::{Cluster, cluster};
use pilothouse_envoy_api::core::{self, config_source::ConfigSourceSpecifier, transport_socket};
use pilothouse_envoy_api::hcm::{HttpConnectionManager, http_connection_manager::RouteSpecifier};
use pilothouse_envoy_api::listener::{FilterChain, Listener, filter};
use pilothouse_envoy_api::tls::{
    CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, UpstreamTlsContext,
    common_tls_context::ValidationContextType,
};
use prost::{Message as _, Name};
use xxhash_rust::xxh3::xxh3_128;

use crate::kind::Kind;

/// Bodies and names that are remembered; more are forgotten together and read again.
const REMEMBERED: usize = 1 << 18;

/// What a resource refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Of a cluster: the assignment it waits for.
    pub(crate) assignment: Option<Arc<str>>,
    /// Of a listener: its route tables that come by themselves.
    pub(crate) tables: Vec<Arc<str>>,
    /// Of clusters and listeners: secrets that come over the same stream.
    pub(crate) secrets: Vec<Arc<str>>,
    /// Of a route table: whether its hosts come by themselves.
    pub(crate) split: bool,
}

/// Reads resources. All proxies share one: most of what they receive is the same bytes.
#[derive(Debug, Default)]
pub struct Reader {
    known: Mutex<HashMap<u128, Arc<Facts>>>,
    names: Mutex<HashSet<Arc<str>>>,
}

impl Reader {
    /// What a body refers to; the text says why it cannot be read.
    pub(crate) fn read(&self, kind: Kind, body: &Bytes) -> Result<Arc<Facts>, String> {
        let hash = xxh3_128(body) ^ kind.index() as u128;
        if let Some(facts) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            return Ok(facts.clone());
        }
        let facts = match kind {
            Kind::Cluster => self.cluster(&decode(body)?)?,
            Kind::Listener => self.listener(&decode(body)?)?,
            Kind::Routes => {
                let Table { vhds } = Table::decode(body.clone()).map_err(|error| error.to_string())?;
                Facts { split: vhds.is_some(), ..Facts::default() }
            }
            Kind::Endpoints | Kind::VirtualHost | Kind::Secret => Facts::default(),
        };
        let facts = Arc::new(facts);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(hash, facts.clone());
        Ok(facts)
    }

    /// A name, kept once for all proxies.
    pub(crate) fn name(&self, name: &str) -> Arc<str> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return known.clone();
        }
        if names.len() >= REMEMBERED {
            names.clear();
        }
        let new: Arc<str> = name.into();
        names.insert(new.clone());
        new
    }

    fn cluster(&self, cluster: &Cluster) -> Result<Facts, String> {
        let by_eds = matches!(
            &cluster.cluster_discovery_type,
            Some(cluster::ClusterDiscoveryType::Type(kind)) if *kind == cluster::DiscoveryType::Eds as i32
        );
        let named = cluster.eds_cluster_config.as_ref().map_or("", |eds| eds.service_name.as_str());
        let assignment = if named.is_empty() { &cluster.name } else { named };
        let mut secrets = Vec::new();
        let matches = cluster.transport_socket_matches.iter().map(|one| one.transport_socket.as_ref());
        for socket in matches.chain([cluster.transport_socket.as_ref()]).flatten() {
            self.socket::<UpstreamTlsContext>(socket, |tls| tls.common_tls_context.as_ref(), &mut secrets)?;
        }
        let assignment = by_eds.then(|| self.name(assignment));
        Ok(Facts { assignment, secrets: unique(secrets), ..Facts::default() })
    }

    fn listener(&self, listener: &Listener) -> Result<Facts, String> {
        let (mut tables, mut secrets) = (Vec::new(), Vec::new());
        for chain in listener.filter_chains.iter().chain(&listener.default_filter_chain) {
            self.chain(chain, &mut tables)?;
            if let Some(socket) = &chain.transport_socket {
                self.socket::<DownstreamTlsContext>(
                    socket,
                    |tls| tls.common_tls_context.as_ref(),
                    &mut secrets,
                )?;
            }
        }
        Ok(Facts { tables: unique(tables), secrets: unique(secrets), ..Facts::default() })
    }

    fn chain(&self, chain: &FilterChain, tables: &mut Vec<Arc<str>>) -> Result<(), String> {
        for filter in &chain.filters {
            let Some(filter::ConfigType::TypedConfig(config)) = &filter.config_type else { continue };
            if config.type_url != HttpConnectionManager::type_url() {
                continue;
            }
            let manager: HttpConnectionManager = decode(&config.value)?;
            if let Some(RouteSpecifier::Rds(rds)) = &manager.route_specifier
                && by_ads(rds.config_source.as_ref())
            {
                tables.push(self.name(&rds.route_config_name));
            }
        }
        Ok(())
    }

    /// The secrets of a transport socket, if it is TLS.
    fn socket<T: Name + Default>(
        &self,
        socket: &core::TransportSocket,
        common: impl Fn(&T) -> Option<&CommonTlsContext>,
        secrets: &mut Vec<Arc<str>>,
    ) -> Result<(), String> {
        let Some(transport_socket::ConfigType::TypedConfig(config)) = &socket.config_type else {
            return Ok(());
        };
        if config.type_url != T::type_url() {
            return Ok(());
        }
        let context: T = decode(&config.value)?;
        let Some(common) = common(&context) else { return Ok(()) };
        let validation = match &common.validation_context_type {
            Some(ValidationContextType::ValidationContextSdsSecretConfig(secret)) => Some(secret),
            Some(ValidationContextType::CombinedValidationContext(combined)) => {
                combined.validation_context_sds_secret_config.as_ref()
            }
            _ => None,
        };
        let named = common.tls_certificate_sds_secret_configs.iter().chain(validation);
        let wanted = named.filter(|SdsSecretConfig { sds_config, .. }| by_ads(sds_config.as_ref()));
        secrets.extend(wanted.map(|SdsSecretConfig { name, .. }| self.name(name)));
        Ok(())
    }
}

/// `RouteConfiguration`, as far as it matters here; the hosts of a large table are not looked at.
#[derive(Clone, PartialEq, prost::Message)]
struct Table {
    #[prost(message, optional, tag = "9")]
    vhds: Option<envoy::Empty>,
}

fn decode<M: prost::Message + Default>(body: &[u8]) -> Result<M, String> {
    M::decode(body).map_err(|error| error.to_string())
}

/// Whether something comes over the aggregated stream.
fn by_ads(source: Option<&core::ConfigSource>) -> bool {
    let specifier = source.and_then(|source| source.config_source_specifier.as_ref());
    matches!(specifier, Some(ConfigSourceSpecifier::Ads(_)))
}

fn unique(mut names: Vec<Arc<str>>) -> Vec<Arc<str>> {
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
