//! What a port speaks, as far as it is declared.

use serde::{Deserialize, Serialize};

/// The declared protocol of a port; [`Protocol::Auto`] means nobody said and the first bytes decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// Undeclared: sniffed at run time.
    Auto,
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
    /// gRPC-Web.
    GrpcWeb,
    /// TLS whose content is HTTP; never terminated by a sidecar.
    Https,
    /// TLS with unknown content.
    Tls,
    /// Bytes.
    Tcp,
    /// MongoDB: bytes to us.
    Mongo,
    /// MySQL: bytes, and the server speaks first.
    Mysql,
    /// Redis: bytes to us.
    Redis,
    /// Not carried by the mesh.
    Udp,
}

impl Protocol {
    /// Reads a protocol name as used in `appProtocol`, Gateway and ServiceEntry ports; the case does not matter.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "http" | "kubernetes.io/ws" => Self::Http,
            "http2" | "kubernetes.io/h2c" => Self::Http2,
            "grpc" => Self::Grpc,
            "grpc-web" => Self::GrpcWeb,
            "https" | "kubernetes.io/wss" => Self::Https,
            "tls" => Self::Tls,
            "tcp" => Self::Tcp,
            "mongo" => Self::Mongo,
            "mysql" => Self::Mysql,
            "redis" => Self::Redis,
            "udp" => Self::Udp,
            _ => return None,
        })
    }

    /// The protocol of a service port: `appProtocol`, else the port name up to its first dash, else a few
    /// well-known server-first ports, else undeclared.
    pub fn of_port(app_protocol: Option<&str>, name: &str, number: u16, udp: bool) -> Self {
        if udp {
            return Self::Udp;
        }
        if let Some(declared) = app_protocol.and_then(Self::parse) {
            return declared;
        }
        if name == "grpc-web" || name.starts_with("grpc-web-") {
            return Self::GrpcWeb;
        }
        let prefix = name.split('-').next().unwrap_or_default();
        match Self::parse(prefix) {
            Some(Self::Udp) | None => match number {
                25 | 53 | 3306 | 27017 => Self::Tcp,
                _ => Self::Auto,
            },
            Some(named) => named,
        }
    }

    /// Whether requests are routed one by one.
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2 | Self::Grpc | Self::GrpcWeb)
    }

    /// Whether upstream connections speak HTTP/2 from the first byte.
    pub fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Grpc | Self::GrpcWeb)
    }

    /// Whether routing may look at the server name of a TLS hello.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }

    /// Whether the mesh only carries bytes for it.
    pub fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::Mongo | Self::Mysql | Self::Redis) || self.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_by_app_protocol_then_name_then_number() {
        for (app, name, number, expected) in [
            (Some("kubernetes.io/h2c"), "http-web", 80, Protocol::Http2),
            (Some("mycompany.com/own"), "http-web", 80, Protocol::Http),
            (None, "http", 80, Protocol::Http),
            (None, "http2-x", 80, Protocol::Http2),
            (None, "grpc-web-x", 80, Protocol::GrpcWeb),
            (None, "grpc-x", 80, Protocol::Grpc),
            (None, "httpx", 80, Protocol::Auto),
            (None, "", 3306, Protocol::Tcp),
            (None, "web", 8080, Protocol::Auto),
            (None, "udp-like", 8080, Protocol::Auto),
        ] {
            assert_eq!(Protocol::of_port(app, name, number, false), expected, "{app:?} {name} {number}");
        }
        assert_eq!(Protocol::of_port(None, "http", 80, true), Protocol::Udp);
    }
}
