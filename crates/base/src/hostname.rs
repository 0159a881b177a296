//! Host names of services, exact or with a leading wildcard label.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Namespace;
use crate::name::shared_text;

shared_text! {
    /// A DNS name, lower case by construction through [`Hostname::parse`]; `*` or `*.suffix` is a wildcard.
    Hostname
}

impl Hostname {
    /// Lower-cases a name as DNS compares it.
    pub fn parse(text: &str) -> Self {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            Self::new(text.to_ascii_lowercase())
        } else {
            Self::new(text)
        }
    }

    /// Resolves a host as written in an object of `namespace`: a name without a dot is a service of that
    /// namespace, everything else is taken literally (Istio's rule for destinations).
    pub fn resolve(text: &str, namespace: &Namespace, domain: &str) -> Self {
        if text.contains('.') || text.contains('*') || text.is_empty() {
            Self::parse(text)
        } else {
            Self::parse(&format!("{text}.{namespace}.svc.{domain}"))
        }
    }

    /// The name of a Kubernetes service.
    pub fn of_service(name: &str, namespace: &Namespace, domain: &str) -> Self {
        Self::parse(&format!("{name}.{namespace}.svc.{domain}"))
    }

    /// Whether the name is `*` or starts with `*.`.
    pub fn is_wildcard(&self) -> bool {
        self.as_str().starts_with('*')
    }

    /// Whether every name that `other` stands for is also named by `self`.
    pub fn covers(&self, other: &Self) -> bool {
        let (own, other) = (self.as_str(), other.as_str());
        match own.strip_prefix('*') {
            None => own == other,
            Some("") => true,
            Some(suffix) => {
                let other = other.strip_prefix('*').unwrap_or(other);
                other.len() >= suffix.len() && other.ends_with(suffix)
            }
        }
    }

    /// Whether some name is named by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// Order of specificity: exact names before wildcards, longer wildcards before shorter ones; a smaller
    /// value is more specific.
    pub fn specificity(&self) -> (bool, std::cmp::Reverse<usize>) {
        (self.is_wildcard(), std::cmp::Reverse(self.as_str().len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_by_suffix_of_whole_labels() {
        for (wide, narrow, expected) in [
            ("*", "a.b", true),
            ("*.b", "a.b", true),
            ("*.b", "x.a.b", true),
            ("*.b", "*.a.b", true),
            ("*.a.b", "*.b", false),
            ("*.b", "b", false),
            ("*.b", "ab", false),
            ("a.b", "a.b", true),
            ("a.b", "*.b", false),
        ] {
            assert_eq!(
                Hostname::parse(wide).covers(&Hostname::parse(narrow)),
                expected,
                "{wide} covers {narrow}"
            );
        }
    }

    #[test]
    fn short_names_resolve_in_their_namespace() {
        let ns = Namespace::from("shop");
        assert_eq!(Hostname::resolve("cart", &ns, "cluster.local").as_str(), "cart.shop.svc.cluster.local");
        assert_eq!(Hostname::resolve("cart.other", &ns, "cluster.local").as_str(), "cart.other");
        assert_eq!(Hostname::resolve("*.example.com", &ns, "cluster.local").as_str(), "*.example.com");
    }

    #[test]
    fn exact_names_sort_before_wildcards() {
        let mut hosts: Vec<_> = ["*", "*.b", "*.a.b", "a.b"].map(Hostname::parse).into();
        hosts.sort_by_key(Hostname::specificity);
        assert_eq!(hosts.iter().map(Hostname::as_str).collect::<Vec<_>>(), ["a.b", "*.a.b", "*.b", "*"]);
    }
}
