//! Addresses and ranges.

use std::net::IpAddr;

use pilothouse_config::service::Cidr;
use pilothouse_envoy_api as envoy;

/// A TCP address. Hosts may be names where Envoy resolves them (DNS clusters).
pub(crate) fn socket(host: impl Into<String>, port: u16) -> envoy::core::SocketAddress {
    envoy::core::SocketAddress {
        address: host.into(),
        port_specifier: Some(envoy::core::socket_address::PortSpecifier::PortValue(port.into())),
        ..Default::default()
    }
}

/// The same as an `Address`.
pub(crate) fn tcp(host: impl Into<String>, port: u16) -> envoy::core::Address {
    envoy::core::Address { address: Some(envoy::core::address::Address::SocketAddress(socket(host, port))) }
}

/// The `Address` of an IP address and port.
pub(crate) fn ip(address: IpAddr, port: u16) -> envoy::core::Address {
    tcp(address.to_string(), port)
}

/// An address range.
pub(crate) fn range(cidr: &Cidr) -> envoy::core::CidrRange {
    let Cidr { address, prefix } = cidr;
    envoy::core::CidrRange {
        address_prefix: address.to_string(),
        prefix_len: Some(envoy::uint32(u32::from(*prefix))),
    }
}
