//! Which endpoint is picked.

use pilothouse_config::traffic_policy::LoadBalancer;
use pilothouse_envoy_api as envoy;

/// Envoy refuses rings larger than this.
const LARGEST_RING: u64 = 8_388_608;

/// Sets the policy. Clusters to the dialled address have no choice and keep theirs.
pub(super) fn apply(load_balancer: &LoadBalancer, cluster: &mut envoy::cluster::Cluster) {
    use envoy::cluster::cluster::{
        ClusterDiscoveryType, DiscoveryType, LbConfig, LbPolicy, RingHashLbConfig,
    };
    if cluster.lb_policy == i32::from(LbPolicy::ClusterProvided) {
        return;
    }
    let policy = match load_balancer {
        LoadBalancer::LeastRequest => LbPolicy::LeastRequest,
        LoadBalancer::RoundRobin => LbPolicy::RoundRobin,
        LoadBalancer::Random => LbPolicy::Random,
        LoadBalancer::Passthrough => {
            cluster.cluster_discovery_type =
                Some(ClusterDiscoveryType::Type(DiscoveryType::OriginalDst.into()));
            cluster.eds_cluster_config = None;
            cluster.load_assignment = None;
            LbPolicy::ClusterProvided
        }
        // What is hashed is said by the route.
        LoadBalancer::ConsistentHash { key: _, minimum_ring_size } => {
            cluster.lb_config = Some(LbConfig::RingHashLbConfig(RingHashLbConfig {
                minimum_ring_size: Some(envoy::uint64((*minimum_ring_size).min(LARGEST_RING))),
                ..Default::default()
            }));
            LbPolicy::RingHash
        }
    };
    cluster.lb_policy = policy.into();
}
