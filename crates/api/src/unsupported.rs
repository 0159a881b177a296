//! Published fields that have no effect here, and why.
//!
//! A path covers itself and everything below it. Together with the structs of this crate these lists cover the whole
//! catalogue: a test demands that each field of it is in exactly one of the two places.

/// Why a published field has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Not supported; the rest of the object applies.
    Unsupported,
    /// Not supported, and ignoring it would widen what the user meant: it is read, and what holds it is left out or
    /// closed. `config` reports it.
    Refused,
    /// Without effect in Istio too.
    Ineffective,
    /// Written or read by others (tools, the control plane of Istio itself); never reported.
    Elsewhere,
}

/// Fields of one kind.
pub(crate) struct Fields {
    /// `kind:`, `MeshConfig` or `annotation`.
    pub(crate) kind: &'static str,
    /// Why.
    pub(crate) reason: Reason,
    /// What each path starts with.
    pub(crate) below: &'static [&'static str],
    /// The paths.
    pub(crate) paths: &'static [&'static str],
}

/// Where a whole `trafficPolicy` may stand.
const POLICIES: &[&str] = &["spec.trafficPolicy.", "spec.subsets[].trafficPolicy."];
/// Where the blocks of a traffic policy may stand, port-level settings included.
const BLOCKS: &[&str] = &[
    "spec.trafficPolicy.",
    "spec.trafficPolicy.portLevelSettings[].",
    "spec.subsets[].trafficPolicy.",
    "spec.subsets[].trafficPolicy.portLevelSettings[].",
];
/// No common beginning.
const HERE: &[&str] = &[""];

/// All lists.
pub(crate) const LISTS: &[Fields] = &[
    Fields {
        kind: "VirtualService",
        reason: Reason::Refused,
        below: HERE,
        paths: &[
            "spec.http[].delegate",
            "spec.http[].redirect.prefixRewrite",
            "spec.tcp[].match[].destinationSubnets",
            "spec.tls[].match[].destinationSubnets",
        ],
    },
    Fields {
        kind: "VirtualService",
        reason: Reason::Ineffective,
        below: HERE,
        paths: &[
            "spec.http[].fault.abort.http2Error",
            "spec.http[].fault.delay.exponentialDelay",
            "spec.tcp[].match[].sourceSubnet",
        ],
    },
    Fields {
        kind: "DestinationRule",
        reason: Reason::Refused,
        below: HERE,
        paths: &["spec.workloadSelector"],
    },
    Fields { kind: "DestinationRule", reason: Reason::Refused, below: BLOCKS, paths: &["tls.caCrl"] },
    Fields {
        kind: "DestinationRule",
        reason: Reason::Unsupported,
        below: POLICIES,
        paths: &["proxyProtocol", "retryBudget", "tunnel"],
    },
    Fields {
        kind: "DestinationRule",
        reason: Reason::Unsupported,
        below: BLOCKS,
        paths: &[
            "connectionPool.http.http2KeepAlive",
            "connectionPool.http.maxConcurrentStreams",
            "connectionPool.http.useClientProtocol",
            "loadBalancer.consistentHash.httpCookie.attributes",
            "loadBalancer.consistentHash.maglev",
            "loadBalancer.localityLbSetting",
            "loadBalancer.warmup",
            "loadBalancer.warmupDurationSecs",
            "loadBalancer.zoneAwareLbSetting",
            "outlierDetection.outlierDetectionHttpErrorCodes",
        ],
    },
    Fields {
        kind: "DestinationRule",
        reason: Reason::Ineffective,
        below: BLOCKS,
        paths: &["loadBalancer.backendUtilization", "outlierDetection.consecutiveErrors"],
    },
    Fields {
        kind: "Gateway",
        reason: Reason::Refused,
        below: &["spec.servers[].tls."],
        paths: &["tlsCertificates[].caCertificates"],
    },
    Fields {
        kind: "Gateway",
        reason: Reason::Unsupported,
        below: &["spec.servers[].tls."],
        paths: &[
            "cipherSuites",
            "ecdhCurves",
            "insecureSkipVerify",
            "maxProtocolVersion",
            "minProtocolVersion",
        ],
    },
    Fields {
        kind: "Gateway",
        reason: Reason::Ineffective,
        below: HERE,
        paths: &["spec.servers[].defaultEndpoint", "spec.servers[].port.targetPort"],
    },
    Fields {
        kind: "MeshConfig",
        reason: Reason::Ineffective,
        below: HERE,
        paths: &[
            "ca",
            "certificates",
            "configSources[].subscribedResources",
            "defaultConfig.availabilityZone",
            "defaultConfig.connectionSettings.clusterPerConnectionBufferLimitBytes",
            "defaultConfig.connectionSettings.listenerConnectionLimit",
            "defaultConfig.discoveryRefreshDelay",
            "defaultConfig.tracing.openCensusAgent",
            "defaultInboundHttpRetryPolicy.perTryTimeout",
            "defaultInboundHttpRetryPolicy.retryIgnorePreviousHosts",
            "defaultInboundHttpRetryPolicy.retryRemoteLocalities",
            "defaultTrafficPolicy.outlierDetection.consecutiveErrors",
            "extensionProviders[].envoyExtAuthzGrpc.clearRouteCache",
            "extensionProviders[].envoyExtAuthzHttp.clearRouteCache",
            "extensionProviders[].skywalking.accessToken",
            "meshMTLS.ecdhCurves",
            "verifyCertificateAtClient",
        ],
    },
    Fields {
        kind: "MeshConfig",
        reason: Reason::Unsupported,
        below: HERE,
        paths: &[
            "caCertificates",
            "configSources",
            "defaultConfig",
            "defaultInboundHttpRetryPolicy",
            "defaultProviders",
            "defaultTrafficPolicy",
            "disableEnvoyListenerLog",
            "dnsRefreshRate",
            "enableEnvoyAccessLogService",
            "enablePrometheusMerge",
            "enableTracing",
            "extensionProviders",
            "h2UpgradePolicy",
            "hboneIdleTimeout",
            "inboundClusterStatName",
            "inboundTrafficPolicy",
            "ingressClass",
            "ingressControllerMode",
            "ingressSelector",
            "ingressService",
            "localityLbSetting",
            "meshMTLS",
            "outboundClusterStatName",
            "outboundTrafficPolicy.tls",
            "proxyHttpPort",
            "proxyInboundListenPort",
            "proxyListenPort",
            "serviceEntryVisibility",
            "serviceScopeConfigs",
            "serviceSettings",
            "tcpKeepalive",
            "tlsDefaults",
            "zoneAwareLbSetting",
        ],
    },
    Fields {
        kind: "annotation",
        reason: Reason::Ineffective,
        below: HERE,
        paths: &["readiness.status.sidecar.istio.io/applicationPorts", "sidecar.istio.io/statsHistogramBins"],
    },
    Fields {
        kind: "annotation",
        reason: Reason::Elsewhere,
        below: HERE,
        paths: &[
            "ambient.istio.io/redirection",
            "galley.istio.io/analyze-suppress",
            "gateway.istio.io/agentgatewayImage",
            "gateway.istio.io/controller-version",
            "gateway.istio.io/name-override",
            "gateway.istio.io/service-account",
            "internal.istio.io/gateway-semantics",
            "internal.istio.io/gateway-service",
            "internal.istio.io/parent-namespace",
            "internal.istio.io/parents",
            "internal.istio.io/route-semantics",
            "internal.istio.io/service-account-name",
            "internal.istio.io/service-semantics",
            "internal.istio.io/webhook-always-reject",
            "istio.io/autoRegistrationGroup",
            "istio.io/connectedAt",
            "istio.io/disconnectedAt",
            "istio.io/rev (annotation)",
            "istio.io/workloadController",
            "kubernetes.io/ingress.class",
            "prometheus.io/path",
            "prometheus.io/port",
            "prometheus.io/scrape",
            "prometheus.istio.io/secure-port",
            "proxy.istio.io/overrides",
            "sidecar.istio.io/status",
        ],
    },
    Fields {
        kind: "annotation",
        reason: Reason::Unsupported,
        below: HERE,
        paths: &[
            "alpha.istio.io/canonical-serviceaccounts",
            "alpha.istio.io/kubernetes-serviceaccounts",
            "ambient.istio.io/bypass-inbound-capture",
            "ambient.istio.io/dns-capture",
            "ambient.istio.io/waypoint-inbound-binding",
            "ambient.istio.io/xfcc-include-client-identity",
            "envoyfilter.istio.io/referenced-services",
            "istio.io/connect-strategy",
            "istio.io/dry-run",
            "istio.io/ignore-policy-attachment",
            "istio.io/use-waypoint-canary-weight",
            "networking.istio.io/service-type",
            "prometheus.istio.io/scrape-targets",
            "proxy.istio.io/health-checks-enabled",
            "resource.opentelemetry.io/service.name",
            "sidecar.istio.io/agentLogLevel",
            "sidecar.istio.io/extraStatTags",
            "sidecar.istio.io/statsInclusionPrefixes",
            "sidecar.istio.io/statsInclusionRegexps",
            "sidecar.istio.io/statsInclusionSuffixes",
            "topology.istio.io/controlPlaneClusters",
            "traffic.istio.io/nodeSelector",
        ],
    },
];
