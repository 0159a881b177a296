//! Which virtual hosts may be different for a client than for a stranger, without looking at all there are.
//!
//! A virtual host depends on what its host and its other names mean, on the virtual services that rule it and what these send
//! to, on whether it may be called by a bare name, and on who else wants one of its domains. Where the latter cannot be told
//! in short, all hosts are compared.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pilothouse_base::Hostname;
use pilothouse_config::service::Resolution;
use pilothouse_config::virtual_service::GatewayRef;
use pilothouse_world::VirtualServiceHeader;

use super::hosts::domains;
use super::seen::Seen;

impl Seen<'_> {
    /// The hosts that may differ; every other one is as for a stranger. None if that cannot be told in short.
    pub(super) fn affected(&self) -> Option<BTreeSet<Hostname>> {
        let (public, own, http) = (&self.view.public, &self.view.own.hosts, &self.claims.http);
        if own.keys().any(|host| http.is_covered(host)) {
            return None;
        }
        let mut hosts: BTreeSet<Hostname> = own.keys().cloned().collect();
        hosts.extend(public.named(&self.client.namespace).iter().cloned());
        let mut rule = |header: &VirtualServiceHeader| {
            hosts.extend(header.hosts.iter().cloned());
            !header.hosts.iter().any(Hostname::is_wildcard)
        };
        let limited = self.claims.limited().iter();
        for header in limited.filter(|one| one.http && one.gateways.contains(&GatewayRef::Mesh)) {
            rule(header).then_some(())?;
        }
        for at in &http.asking {
            rule(&http.all[*at]).then_some(())?;
        }
        for host in own.keys() {
            let aliases = public.aliases(host).iter().flat_map(|alias| http.sending_to(alias));
            let naming = http.naming(host.as_str()).iter();
            for at in http.sending_to(host).iter().chain(aliases).chain(naming) {
                rule(&http.all[*at]).then_some(())?;
            }
        }
        self.add_aliases(&mut hosts);
        let contested = hosts.iter().any(|host| self.is_contested(host, &hosts));
        (!contested).then_some(hosts)
    }

    /// A host goes with its other names.
    fn add_aliases(&self, hosts: &mut BTreeSet<Hostname>) {
        let mut new: Vec<Hostname> = hosts.iter().cloned().collect();
        while let Some(host) = new.pop() {
            let mut related: Vec<Hostname> = self.view.public.aliases(&host).to_vec();
            for target in self.meanings(host.as_str()) {
                if let Resolution::Alias(real) = &target.service.resolution {
                    related.push(real.clone());
                }
            }
            new.extend(related.into_iter().filter(|one| hosts.insert(one.clone())));
        }
    }

    /// Whether a host that is not one of these may want a domain of this one.
    fn is_contested(&self, host: &Hostname, hosts: &BTreeSet<Hostname>) -> bool {
        let public = &self.view.public;
        let other = |name: &str| {
            !hosts.contains(name)
                && (public.by_host.contains_key(name) || !self.claims.http.naming(name).is_empty())
        };
        let wanted = |domain: &str| {
            let domain = domain.strip_suffix('.').unwrap_or(domain);
            let bare = domain.strip_prefix("*.").unwrap_or(domain);
            other(domain)
                || other(bare)
                || other(&format!("{bare}.svc.{}", self.domain))
                || bare.strip_suffix(".svc").is_some_and(|_| other(&format!("{bare}.{}", self.domain)))
        };
        let at = |address: IpAddr| public.at(address).iter().any(|one| !hosts.contains(one));
        wanted(host.as_str())
            || host.as_str().parse().is_ok_and(at)
            || self.meanings(host.as_str()).any(|target| {
                target.service.addresses.iter().any(|range| range.is_host() && at(range.address))
                    || domains(&target.service, self.client, self.domain).iter().any(|domain| wanted(domain))
            })
    }
}
