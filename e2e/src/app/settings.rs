//! What an application is called and which ports it serves, from the one-line form used in pod annotations.

use anyhow::{Context as _, Result, bail};

/// Identity and ports of one test application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Name given back in every answer.
    pub name: String,
    /// Version given back in every answer.
    pub version: String,
    /// Ports with HTTP/1.1, h2c and gRPC.
    pub http: Vec<u16>,
    /// Ports that echo lines over TCP, prefixed with name and version.
    pub tcp: Vec<u16>,
    /// Ports on which the server speaks first.
    pub banner: Vec<u16>,
    /// Ports with HTTP over TLS, certificate made at start.
    pub tls: Vec<u16>,
    /// DNS names of that certificate.
    pub hosts: Vec<String>,
    /// Whether it listens on IPv6.
    pub v6: bool,
}

impl std::str::FromStr for Settings {
    type Err = anyhow::Error;

    /// Reads `name=reviews,version=v1,http=9080,tcp=9000,banner=9001,tls=8443,host=reviews.example`; keys of ports
    /// and hosts repeat; `ip=6` listens on IPv6.
    fn from_str(text: &str) -> Result<Self> {
        let mut settings = Self { version: "v1".into(), ..Self::default() };
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (key, value) = part.split_once('=').with_context(|| format!("`{part}` is not key=value"))?;
            let port = || value.parse::<u16>().with_context(|| format!("`{value}` is no port"));
            match key {
                "name" => settings.name = value.into(),
                "version" => settings.version = value.into(),
                "http" => settings.http.push(port()?),
                "tcp" => settings.tcp.push(port()?),
                "banner" => settings.banner.push(port()?),
                "tls" => settings.tls.push(port()?),
                "host" => settings.hosts.push(value.into()),
                "ip" => settings.v6 = value == "6",
                _ => bail!(
                    "`{key}` is no setting of the test application (name, version, http, tcp, banner, tls, host, ip)"
                ),
            }
        }
        if settings.name.is_empty() {
            bail!("the test application needs a name: `{text}`");
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_annotation_form() {
        let settings: Settings = "name=reviews, version=v2,http=80,http=81,tcp=9".parse().unwrap();
        assert_eq!(settings.name, "reviews");
        assert_eq!(settings.version, "v2");
        assert_eq!(settings.http, [80, 81]);
        assert_eq!(settings.tcp, [9]);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!("name=x,htpp=80".parse::<Settings>().is_err());
        assert!("http=80".parse::<Settings>().is_err());
    }
}
