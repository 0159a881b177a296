//! Type URLs of the resources that discovery carries.

/// What every type URL starts with; the full name of the message follows.
pub const PREFIX: &str = "type.googleapis.com/";

/// `Cluster`, CDS.
pub const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/// `ClusterLoadAssignment`, EDS.
pub const ENDPOINTS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// `Listener`, LDS.
pub const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
/// `RouteConfiguration`, RDS.
pub const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
/// `VirtualHost`, VHDS.
pub const VIRTUAL_HOST: &str = "type.googleapis.com/envoy.config.route.v3.VirtualHost";
/// `Secret`, SDS.
pub const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
/// `TypedExtensionConfig`, ECDS.
pub const EXTENSION: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/// The message name of a type URL: what follows the last slash. A bare name is its own message name.
#[must_use]
pub fn message_name(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use prost::Name;

    use super::*;

    #[test]
    fn constants_are_what_the_messages_say() {
        assert_eq!(CLUSTER, crate::cluster::Cluster::type_url());
        assert_eq!(ENDPOINTS, crate::endpoint::ClusterLoadAssignment::type_url());
        assert_eq!(LISTENER, crate::listener::Listener::type_url());
        assert_eq!(ROUTES, crate::route::RouteConfiguration::type_url());
        assert_eq!(VIRTUAL_HOST, crate::route::VirtualHost::type_url());
        assert_eq!(SECRET, crate::tls::Secret::type_url());
        assert_eq!(EXTENSION, crate::core::TypedExtensionConfig::type_url());
    }

    #[test]
    fn name_follows_the_last_slash() {
        assert_eq!(message_name(CLUSTER), "envoy.config.cluster.v3.Cluster");
        assert_eq!(message_name("a.B"), "a.B");
        assert_eq!(message_name("a.B/"), "");
    }
}
