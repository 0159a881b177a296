//! References to secrets, turned from discovered into static ones.

use std::collections::{BTreeMap, BTreeSet};

use pilothouse_envoy_api as envoy;

/// The secrets that are there, and which of them were referred to.
pub(super) struct Secrets {
    given: BTreeMap<String, envoy::tls::Secret>,
    used: BTreeSet<String>,
}

impl Secrets {
    pub(super) fn new(given: impl IntoIterator<Item = envoy::tls::Secret>) -> Self {
        Self {
            given: given.into_iter().map(|secret| (secret.name.clone(), secret)).collect(),
            used: BTreeSet::new(),
        }
    }

    /// Those that were referred to. Envoy checks all that it gets, so others stay out.
    pub(super) fn used(mut self) -> Vec<envoy::tls::Secret> {
        self.used.iter().filter_map(|name| self.given.remove(name)).collect()
    }

    /// Turns the references of a client's TLS; false if one of the secrets is not there.
    pub(super) fn upstream(&mut self, socket: &mut envoy::core::TransportSocket) -> bool {
        self.socket::<envoy::tls::UpstreamTlsContext>(socket, |context| context.common_tls_context.as_mut())
    }

    /// Turns the references of a server's TLS; false if one of the secrets is not there.
    pub(super) fn downstream(&mut self, socket: &mut envoy::core::TransportSocket) -> bool {
        self.socket::<envoy::tls::DownstreamTlsContext>(socket, |context| context.common_tls_context.as_mut())
    }

    fn socket<Context: envoy::Name + Default>(
        &mut self,
        socket: &mut envoy::core::TransportSocket,
        common: impl FnOnce(&mut Context) -> Option<&mut envoy::tls::CommonTlsContext>,
    ) -> bool {
        use envoy::core::transport_socket::ConfigType;
        let Some(ConfigType::TypedConfig(any)) = &mut socket.config_type else { return true };
        // Another kind of socket, such as plain text, refers to nothing.
        let Ok(mut context) = envoy::unpack::<Context>(any) else { return true };
        let complete = common(&mut context).is_none_or(|common| self.context(common));
        *any = envoy::pack(&context);
        complete
    }

    fn context(&mut self, common: &mut envoy::tls::CommonTlsContext) -> bool {
        use envoy::tls::common_tls_context::ValidationContextType;
        let validation = match &mut common.validation_context_type {
            Some(ValidationContextType::ValidationContextSdsSecretConfig(reference)) => Some(reference),
            Some(ValidationContextType::CombinedValidationContext(combined)) => {
                combined.validation_context_sds_secret_config.as_mut()
            }
            _ => None,
        };
        let mut complete = true;
        // Each of them is turned, also behind one that is not there.
        for reference in common.tls_certificate_sds_secret_configs.iter_mut().chain(validation) {
            complete &= self.reference(reference);
        }
        complete
    }

    fn reference(&mut self, reference: &mut envoy::tls::SdsSecretConfig) -> bool {
        // A reference without a source is one to a static secret.
        reference.sds_config = None;
        let there = self.given.contains_key(&reference.name);
        if there {
            self.used.insert(reference.name.clone());
        }
        there
    }
}
