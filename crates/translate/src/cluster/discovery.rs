//! Where endpoints of a cluster come from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use pilothouse_base::Name;
use pilothouse_envoy_api as envoy;
use pilothouse_view::plan::{Discovery, DnsEndpoint};

use crate::{address, assignment, time, weight};

/// How often names are resolved when their records say nothing about it.
const DNS_REFRESH: Duration = Duration::from_mins(1);
/// Sockets of the resolver are renewed after so many queries, which lets it move to other servers of the DNS.
const DNS_QUERIES_PER_SOCKET: u32 = 100;
/// Never: with Envoy's default of 5 s an address that is idle for a moment is thrown away with its statistics.
const KEEP_IDLE_ADDRESSES: Duration = Duration::from_secs(9_223_372_035);

/// Sets type and endpoints.
pub(super) fn apply(name: &Name, discovery: &Discovery, cluster: &mut envoy::cluster::Cluster) {
    use envoy::cluster::cluster::{DiscoveryType, LbConfig, LbPolicy, OriginalDstLbConfig};
    match discovery {
        Discovery::Endpoints => {
            set(cluster, DiscoveryType::Eds);
            cluster.eds_cluster_config = Some(envoy::cluster::cluster::EdsClusterConfig {
                eds_config: Some(crate::discovery::ads(crate::discovery::ENDPOINTS)),
                service_name: name.to_string(),
            });
        }
        Discovery::StrictDns(endpoints) => dns(name, DiscoveryType::StrictDns, endpoints, cluster),
        // One name is all that such a cluster can have.
        Discovery::LogicalDns(endpoints) if endpoints.is_empty() => set(cluster, DiscoveryType::Static),
        Discovery::LogicalDns(endpoints) => dns(name, DiscoveryType::LogicalDns, &endpoints[..1], cluster),
        Discovery::OriginalDestination { port } => {
            set(cluster, DiscoveryType::OriginalDst);
            cluster.lb_policy = LbPolicy::ClusterProvided.into();
            cluster.lb_config = port.map(|port| {
                LbConfig::OriginalDstLbConfig(OriginalDstLbConfig {
                    upstream_port_override: Some(envoy::uint32(u32::from(port))),
                    ..Default::default()
                })
            });
        }
        Discovery::Inbound => {
            set(cluster, DiscoveryType::OriginalDst);
            cluster.lb_policy = LbPolicy::ClusterProvided.into();
            cluster.cleanup_interval = Some(envoy::duration(KEEP_IDLE_ADDRESSES));
            cluster.upstream_bind_config = Some(own_source());
        }
        Discovery::Nothing => set(cluster, DiscoveryType::Static),
    }
}

/// The source address that capture lets through to the workload; the second one is used for IPv6 destinations.
fn own_source() -> envoy::core::BindConfig {
    let socket = |ip: IpAddr| address::socket(ip.to_string(), 0);
    envoy::core::BindConfig {
        source_address: Some(socket(Ipv4Addr::new(127, 0, 0, 6).into())),
        extra_source_addresses: vec![envoy::core::ExtraSourceAddress {
            address: Some(socket(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6).into())),
            socket_options: None,
        }],
        ..Default::default()
    }
}

// The successor of the deprecated fields is a cluster extension that hides the type from everyone who reads a
// configuration dump; every supported Envoy takes both.
#[expect(
    deprecated,
    reason = "keeps `type: STRICT_DNS` readable; goes when an Envoy we support refuses the fields"
)]
fn dns(
    name: &Name,
    kind: envoy::cluster::cluster::DiscoveryType,
    endpoints: &[DnsEndpoint],
    cluster: &mut envoy::cluster::Cluster,
) {
    set(cluster, kind);
    cluster.dns_refresh_rate = Some(time::duration(DNS_REFRESH));
    cluster.respect_dns_ttl = true;
    // IPv6 where a name has no IPv4 address.
    cluster.dns_lookup_family = envoy::cluster::cluster::DnsLookupFamily::V4Preferred.into();
    cluster.typed_dns_resolver_config = Some(envoy::core::TypedExtensionConfig {
        name: "envoy.network.dns_resolver.cares".into(),
        typed_config: Some(envoy::pack(&envoy::cares::CaresDnsResolverConfig {
            udp_max_queries: Some(envoy::uint32(DNS_QUERIES_PER_SOCKET)),
            ..Default::default()
        })),
    });
    cluster.load_assignment = Some(envoy::endpoint::ClusterLoadAssignment {
        cluster_name: name.to_string(),
        endpoints: by_locality(endpoints),
        ..Default::default()
    });
}

/// Groups neighbours of the same locality; the order stays.
fn by_locality(endpoints: &[DnsEndpoint]) -> Vec<envoy::endpoint::LocalityLbEndpoints> {
    let mut weights = weight::fit(endpoints.iter().map(|endpoint| endpoint.weight)).into_iter();
    endpoints
        .chunk_by(|one, next| one.locality == next.locality)
        .map(|group| {
            let members = group.iter().zip(weights.by_ref()).map(|(endpoint, weight)| {
                let DnsEndpoint { host, port, weight: _, locality: _, mtls } = endpoint;
                assignment::lb_endpoint(
                    address::tcp(host.as_str(), *port),
                    weight,
                    envoy::core::HealthStatus::Unknown,
                    *mtls,
                    &Name::default(),
                )
            });
            assignment::locality(&group[0].locality, 0, members.collect())
        })
        .collect()
}

fn set(cluster: &mut envoy::cluster::Cluster, kind: envoy::cluster::cluster::DiscoveryType) {
    cluster.cluster_discovery_type = Some(envoy::cluster::cluster::ClusterDiscoveryType::Type(kind.into()));
}
