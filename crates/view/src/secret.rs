//! Secrets that gateways ask for.

use crate::plan::SecretPlan;
use crate::query::SecretKey;
use crate::reader::Reader;

/// The secret as it is sent; none if it does not exist or holds nothing of use, so that the proxy keeps what it has.
pub(crate) fn secret(key: &SecretKey, read: &mut Reader<'_>) -> Option<SecretPlan> {
    let object = read.secret(&key.namespace, &key.name)?;
    let name = key.resource.clone();
    let plan = if key.resource.as_str().ends_with("-cacert") {
        SecretPlan { name, certificate: None, ca: object.ca.clone() }
    } else {
        SecretPlan { name, certificate: object.certificate.clone(), ca: None }
    };
    (plan.certificate.is_some() || plan.ca.is_some()).then_some(plan)
}
