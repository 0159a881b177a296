//! Virtual hosts and their routes.

use pilothouse_base::{Labels, Name, ObjectKey, Selector};
use pilothouse_config::mesh::OutboundPolicy;
use pilothouse_config::traffic_policy::{ClientTlsMode, HashKey, LoadBalancer};
use pilothouse_config::virtual_service::{
    DirectResponse, GatewayRef, HeaderChanges, HttpAction, HttpDestination, HttpMatch, HttpRule, Retry,
    StringMatch,
};
use pilothouse_config::{Mesh, TrafficPolicy};
use pilothouse_world::ServiceRef;

use crate::plan::{
    ActionPlan, HashPlan, MirrorPlan, RouteMatchPlan, RoutePlan, RouteToPlan, VirtualHostPlan, WeightedPlan,
};
use crate::policy::effective;
use crate::query::{Client, HostKey, HostSource, Otherwise};
use crate::reader::Reader;
use crate::{l4, names};

pub(crate) fn virtual_host(key: &HostKey, read: &mut Reader<'_>) -> VirtualHostPlan {
    let HostKey { name, domains, port, source, require_tls } = key;
    let mesh = read.mesh();
    let routes = match source {
        HostSource::Service { service, rules } => vec![default_route(service, rules, *port, &mesh, read)],
        HostSource::VirtualServices { client, objects, otherwise } => {
            let mut routes = Vec::new();
            for (object, gateway) in objects.iter() {
                let at = Place { client, gateway: gateway.as_ref(), port: *port, mesh: &mesh };
                at.routes(object, &mut routes, read);
                if gateway.is_none() && !routes.is_empty() {
                    break;
                }
            }
            if objects.len() > 1 {
                // Several objects may rule one host of a gateway: what takes everything goes last. One that is bound through
                // two Gateways there says the same thing twice.
                routes.sort_by_key(|route| matches!(route.matches, RouteMatchPlan::All));
                routes.dedup();
            }
            match otherwise {
                Otherwise::Service { service, rules } if routes.is_empty() => {
                    vec![default_route(service, rules, *port, &mesh, read)]
                }
                Otherwise::Unknown if routes.is_empty() => vec![unknown_route(&mesh)],
                _ => routes,
            }
        }
        HostSource::Nothing => Vec::new(),
    };
    VirtualHostPlan {
        name: name.clone(),
        domains: domains.to_vec(),
        routes,
        require_tls: *require_tls,
        attempt_count: true,
    }
}

/// The route of a service that nobody wrote routes for.
fn default_route(
    service: &ServiceRef,
    rules: &[ObjectKey],
    port: u16,
    mesh: &Mesh,
    read: &mut Reader<'_>,
) -> RoutePlan {
    let policy = effective(rules, port, None, read).policy;
    let to = send(
        vec![WeightedPlan {
            cluster: names::outbound_cluster(port, None, &service.host),
            weight: 1,
            headers: HeaderChanges::default(),
            foreign_tls: has_own_tls(&policy),
        }],
        &[policy],
        mesh.default_retry.as_ref(),
    );
    RoutePlan {
        name: Name::from("default"),
        origin: None,
        matches: RouteMatchPlan::All,
        action: ActionPlan::Route(Box::new(to)),
        operation: Name::from(format!("{}:{port}/*", service.host)),
        headers: HeaderChanges::default(),
        fault: Default::default(),
        cors: None,
    }
}

/// The route of a host that nobody defines.
fn unknown_route(mesh: &Mesh) -> RoutePlan {
    let (name, action) = match mesh.outbound {
        OutboundPolicy::AllowAny => {
            let cluster = WeightedPlan {
                cluster: Name::from(names::PASSTHROUGH),
                weight: 1,
                headers: HeaderChanges::default(),
                foreign_tls: false,
            };
            let retry = Retry { attempts: 0, ..default_retry() };
            ("allow_any", ActionPlan::Route(Box::new(send(vec![cluster], &[], Some(&retry)))))
        }
        OutboundPolicy::RegistryOnly => {
            ("block_all", ActionPlan::Respond(DirectResponse { status: 502, body: Vec::new() }))
        }
    };
    RoutePlan {
        name: Name::from(name),
        origin: None,
        matches: RouteMatchPlan::All,
        action,
        operation: Name::from(name),
        headers: HeaderChanges::default(),
        fault: Default::default(),
        cors: None,
    }
}

/// Where routes are for.
struct Place<'a> {
    client: &'a Client,
    gateway: Option<&'a ObjectKey>,
    port: u16,
    mesh: &'a Mesh,
}

impl Place<'_> {
    /// Adds the routes of a virtual service, up to the first one that takes everything.
    fn routes(&self, object: &ObjectKey, routes: &mut Vec<RoutePlan>, read: &mut Reader<'_>) {
        let Some(virtual_service) = read.virtual_service(object) else { return };
        for rule in &virtual_service.http {
            if rule.matches.is_empty() {
                routes.push(self.route(object, rule, None, read));
                return;
            }
            for one in rule.matches.iter().filter(|one| self.applies(one, &virtual_service.gateways)) {
                routes.push(self.route(object, rule, Some(one), read));
                if one.takes_everything() {
                    return;
                }
            }
        }
    }

    /// Whether a match is for this place. Where it names gateways, only these decide; else the client does.
    fn applies(&self, one: &HttpMatch, of_object: &[GatewayRef]) -> bool {
        if one.port.is_some_and(|port| port != self.port) {
            return false;
        }
        let through = match self.gateway {
            Some(gateway) => GatewayRef::Named(gateway.namespace.clone(), gateway.name.clone()),
            None => GatewayRef::Mesh,
        };
        if let Some(gateways) = &one.gateways {
            return gateways.contains(&through);
        }
        of_object.contains(&through)
            && Selector::new(one.source_labels.clone()).matches(&self.client.labels)
            && one.source_namespace.as_ref().is_none_or(|wanted| *wanted == self.client.namespace)
    }

    fn route(
        &self,
        object: &ObjectKey,
        rule: &HttpRule,
        one: Option<&HttpMatch>,
        read: &mut Reader<'_>,
    ) -> RoutePlan {
        let mut name = rule.name.to_string();
        if let Some(one) = one.filter(|one| one.name != "") {
            name = format!("{name}.{}", one.name);
        }
        let matches = match one {
            Some(one) if !one.takes_everything() || one.stat_prefix != "" => {
                // What was decided here must not make equal routes differ.
                RouteMatchPlan::Http(Box::new(HttpMatch {
                    port: None,
                    gateways: None,
                    source_labels: Labels::default(),
                    source_namespace: None,
                    ..one.clone()
                }))
            }
            _ => RouteMatchPlan::All,
        };
        let (action, headers) = self.action(rule, read);
        RoutePlan {
            name: Name::from(name),
            origin: Some(object.clone()),
            operation: operation(rule, &action, object, self.port, one),
            matches,
            action,
            headers,
            fault: rule.fault.clone(),
            cors: rule.cors.clone(),
        }
    }

    fn action(&self, rule: &HttpRule, read: &mut Reader<'_>) -> (ActionPlan, HeaderChanges) {
        match &rule.action {
            HttpAction::Redirect(redirect) => (
                ActionPlan::Redirect { redirect: redirect.clone(), listener_port: self.port },
                rule.headers.clone(),
            ),
            HttpAction::Respond(response) => (ActionPlan::Respond(response.clone()), rule.headers.clone()),
            HttpAction::Broken => (
                ActionPlan::Respond(DirectResponse {
                    status: 500,
                    body: b"pilothouse: the rule that matches this request could not be understood".to_vec(),
                }),
                HeaderChanges::default(),
            ),
            HttpAction::Route(destinations) => self.send(rule, destinations, read),
        }
    }

    fn send(
        &self,
        rule: &HttpRule,
        destinations: &[HttpDestination],
        read: &mut Reader<'_>,
    ) -> (ActionPlan, HeaderChanges) {
        let mut headers = rule.headers.clone();
        let single = destinations.len() == 1;
        let mut clusters = Vec::new();
        let mut policies = Vec::new();
        for one in destinations.iter().filter(|one| single || one.weight > 0) {
            let policy = l4::policy_of(&one.destination, self.port, self.client, read);
            clusters.push(WeightedPlan {
                cluster: l4::cluster_of(&one.destination, self.port, self.client, read),
                weight: one.weight.max(1),
                headers: if single { HeaderChanges::default() } else { one.headers.clone() },
                foreign_tls: has_own_tls(&policy),
            });
            policies.push(policy);
        }
        if single && let Some(only) = destinations.first() {
            append(&mut headers, &only.headers);
        }
        let mut to = send(clusters, &policies, rule.retries.as_ref().or(self.mesh.default_retry.as_ref()));
        to.timeout = rule.timeout.filter(|timeout| !timeout.is_zero());
        to.path.clone_from(&rule.rewrite.path);
        to.authority = rule.rewrite.authority.clone().or_else(|| headers.authority.clone());
        for mirror in rule.mirrors.iter().filter(|mirror| mirror.share.millionths() > 0) {
            let cluster = l4::cluster_of(&mirror.destination, self.port, self.client, read);
            to.mirrors.push(MirrorPlan { cluster, share: mirror.share });
        }
        (ActionPlan::Route(Box::new(to)), headers)
    }
}

/// Sends requests to clusters with what their policies and the retry settings say.
fn send(clusters: Vec<WeightedPlan>, policies: &[TrafficPolicy], retry: Option<&Retry>) -> RouteToPlan {
    let hash: Vec<HashPlan> = policies.iter().filter_map(hash_of).cloned().map(HashPlan).collect();
    let retry = retry.cloned().unwrap_or_else(default_retry);
    // Trying another endpoint defeats the purpose of a hash that always picks the same one.
    let sticky = clusters.len() == 1 && !hash.is_empty();
    RouteToPlan {
        clusters,
        timeout: None,
        inbound: false,
        avoid_previous_hosts: retry.ignore_previous_hosts.unwrap_or(!sticky),
        retry: (retry.attempts > 0).then_some(retry),
        path: None,
        authority: None,
        mirrors: Vec::new(),
        hash,
    }
}

/// Retries where nobody said otherwise: two, for failures that certainly did not reach the application.
fn default_retry() -> Retry {
    Retry {
        attempts: 2,
        per_try_timeout: None,
        retry_on: Name::default(),
        status_codes: Vec::new(),
        remote_localities: false,
        ignore_previous_hosts: None,
        backoff: None,
    }
}

fn hash_of(policy: &TrafficPolicy) -> Option<&HashKey> {
    match &policy.load_balancer {
        Some(LoadBalancer::ConsistentHash { key, .. }) => Some(key),
        _ => None,
    }
}

/// Whether the cluster does TLS of its own, to whose server the marker of the mesh means nothing.
fn has_own_tls(policy: &TrafficPolicy) -> bool {
    policy.tls.as_ref().is_some_and(|tls| {
        matches!(
            tls.mode,
            ClientTlsMode::Simple { .. } | ClientTlsMode::Mutual { .. } | ClientTlsMode::Closed
        )
    })
}

/// The name of spans: the only destination with its path, else the object.
fn operation(
    rule: &HttpRule,
    action: &ActionPlan,
    object: &ObjectKey,
    port: u16,
    one: Option<&HttpMatch>,
) -> Name {
    let path = match one.and_then(|one| one.uri.as_ref()) {
        Some(StringMatch::Prefix(prefix)) => format!("{prefix}*"),
        Some(StringMatch::Exact(text) | StringMatch::Regex(text)) => text.to_string(),
        None => "/*".to_owned(),
    };
    match (&rule.action, action) {
        (HttpAction::Route(to), ActionPlan::Route(plan)) if to.len() == 1 => {
            let port = plan.clusters[0].cluster.as_str().split('|').nth(1).unwrap_or_default();
            Name::from(format!("{}:{port}{path}", to[0].destination.host))
        }
        _ => Name::from(format!("{}:{port}{path}", object.name)),
    }
}

/// Lays the changes of the only destination over those of the rule.
fn append(all: &mut HeaderChanges, own: &HeaderChanges) {
    for (into, from) in [(&mut all.request, &own.request), (&mut all.response, &own.response)] {
        into.set.extend(from.set.clone());
        into.add.extend(from.add.clone());
        for name in &from.remove {
            if !into.remove.contains(name) {
                into.remove.push(name.clone());
            }
        }
    }
    all.authority = all.authority.take().or_else(|| own.authority.clone());
}
