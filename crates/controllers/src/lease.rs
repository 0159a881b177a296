//! Who of several replicas writes what only one should write.
//!
//! The holder of a `Lease` renews it; another one takes it when it has not changed for as long as it says it is good, by
//! the clock of the one who looks (clocks of machines differ). A holder that could not renew in time stops before others
//! may start. What is written under the lease is the same whoever writes it, so a moment of two writers does no harm.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Error};
use pilothouse_runtime::{Clock, Stop};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use crate::with_causes;

/// How long a lease is good without being renewed, in seconds.
const GOOD: u16 = 15;
/// After how long without a renewal the holder stops to write.
const TRUSTED: Duration = Duration::from_secs(10);
/// How often it is renewed, or looked at.
const ROUND: Duration = Duration::from_secs(3);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A lease and who wants it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The namespace of the control plane.
    pub namespace: String,
    /// The name of the lease.
    pub name: String,
    /// Who we are; the name of our pod. No two replicas may share it.
    pub holder: String,
}

/// What was last seen of the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    holder: String,
    version: Option<String>,
    good: Duration,
    /// Since when it has looked like this.
    since: Instant,
}

/// What to do about the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It does not exist.
    Create,
    /// It is ours, or free, or its holder is silent for too long.
    Take,
    /// It is somebody else's.
    Wait,
}

fn decide(seen: Option<&Seen>, holder: &str, now: Instant) -> Step {
    match seen {
        None => Step::Create,
        Some(seen) if seen.holder == holder || seen.holder.is_empty() => Step::Take,
        Some(seen) if now.saturating_duration_since(seen.since) > seen.good => Step::Take,
        Some(_) => Step::Wait,
    }
}

/// Says in `leads` whether we hold the lease, until stop is said; then gives it back.
pub async fn hold(
    client: Client,
    candidate: Candidate,
    clock: Clock,
    leads: watch::Sender<bool>,
    stop: Stop,
) -> Result<(), Infallible> {
    let api: Api<Lease> = Api::namespaced(client, &candidate.namespace);
    let mut seen: Option<Seen> = None;
    let mut renewed: Option<Instant> = None;
    let mut failing = false;
    loop {
        let asked = Instant::now();
        match timeout(PATIENCE, round(&api, &candidate, &clock, &mut seen)).await {
            Ok(Ok(ours)) => {
                failing = false;
                renewed = ours.then_some(asked);
            }
            Ok(Err(error)) => complain(&mut failing, &with_causes(&error)),
            Err(_) => complain(&mut failing, "no answer in time"),
        }
        let ours = renewed.is_some_and(|at| at.elapsed() < TRUSTED);
        leads.send_if_modified(|known| {
            let news = *known != ours;
            if news {
                info!(lease = candidate.name, leads = ours, "who writes has changed");
            }
            *known = ours;
            news
        });
        tokio::select! {
            () = stop.stopped() => break,
            () = sleep(ROUND) => {}
        }
    }
    if leads.send_replace(false) {
        let free = timeout(PATIENCE, release(&api, &candidate)).await;
        debug!(released = matches!(free, Ok(Ok(()))), "gave the lease back");
    }
    Ok(())
}

fn complain(failing: &mut bool, why: &str) {
    if !std::mem::replace(failing, true) {
        warn!(why, "the lease cannot be renewed; nothing is written without it");
    }
}

/// Looks at the lease and takes or renews it if we may; whether it is ours now.
async fn round(
    api: &Api<Lease>,
    candidate: &Candidate,
    clock: &Clock,
    seen: &mut Option<Seen>,
) -> Result<bool, Error> {
    let lease = api.get_opt(&candidate.name).await?;
    let now = Instant::now();
    let looked = lease.as_ref().map(|lease| look(lease, now));
    // Unchanged: it is as old as when it was first seen like this.
    if !matches!((&*seen, &looked), (Some(before), Some(after)) if before.version == after.version) {
        *seen = looked;
    }
    let step = decide(seen.as_ref(), &candidate.holder, now);
    let written = match (step, lease) {
        (Step::Wait, _) => return Ok(false),
        (_, None) => api.create(&PostParams::default(), &claim(None, candidate, clock.now())).await,
        (_, Some(lease)) => {
            let claimed = claim(Some(lease), candidate, clock.now());
            api.replace(&candidate.name, &PostParams::default(), &claimed).await
        }
    };
    match written {
        Ok(lease) => {
            *seen = Some(look(&lease, now));
            Ok(true)
        }
        // Somebody was faster.
        Err(Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

fn look(lease: &Lease, now: Instant) -> Seen {
    let spec = lease.spec.as_ref();
    let good = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|good| u64::try_from(good).ok());
    Seen {
        holder: spec.and_then(|spec| spec.holder_identity.clone()).unwrap_or_default(),
        version: lease.metadata.resource_version.clone(),
        good: good.map_or(Duration::from_secs(GOOD.into()), Duration::from_secs),
        since: now,
    }
}

/// The lease as ours. The version of the one that was seen goes along, so that only one of several succeeds.
fn claim(before: Option<Lease>, candidate: &Candidate, now: SystemTime) -> Lease {
    let mut lease = before.unwrap_or_else(|| Lease {
        metadata: ObjectMeta { name: Some(candidate.name.clone()), ..ObjectMeta::default() },
        ..Lease::default()
    });
    let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
    let moment = micro(now);
    if spec.holder_identity.as_deref() != Some(candidate.holder.as_str()) {
        spec.holder_identity = Some(candidate.holder.clone());
        spec.acquire_time.clone_from(&moment);
        spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
    }
    spec.lease_duration_seconds = Some(GOOD.into());
    spec.renew_time = moment;
    lease
}

async fn release(api: &Api<Lease>, candidate: &Candidate) -> Result<(), Error> {
    let Some(mut lease) = api.get_opt(&candidate.name).await? else { return Ok(()) };
    let Some(spec) = lease.spec.as_mut() else { return Ok(()) };
    if spec.holder_identity.as_deref() != Some(candidate.holder.as_str()) {
        return Ok(());
    }
    spec.holder_identity = Some(String::new());
    api.replace(&candidate.name, &PostParams::default(), &lease).await.map(drop)
}

fn micro(at: SystemTime) -> Option<MicroTime> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let at = k8s_openapi::jiff::Timestamp::from_microsecond(i64::try_from(since.as_micros()).ok()?).ok()?;
    Some(MicroTime(at))
}

#[cfg(test)]
mod tests;
