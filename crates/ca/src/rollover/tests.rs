use std::time::UNIX_EPOCH;

use super::*;
use crate::{CaFiles, NewRoot, create_root};

const SETTINGS: RolloverSettings = RolloverSettings {
    hold: Duration::from_secs(10),
    patience: Duration::from_mins(1),
    keep: Duration::from_hours(24),
};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn root(name: &str) -> NewRoot {
    create_root(name, [1; 16], UNIX_EPOCH + Duration::from_hours(500_000)).unwrap()
}

/// A CA that signs with one root and has others in its bundle.
fn authority(signer: &NewRoot, others: &[&NewRoot]) -> Authority {
    let mut roots = signer.certificate_pem.clone();
    for other in others {
        roots.push_str(&other.certificate_pem);
    }
    Authority::load(&CaFiles {
        ca_cert: Some(signer.certificate_pem.clone().into_bytes()),
        ca_key: Some(signer.key.expose().as_bytes().to_vec()),
        root_cert: Some(roots.into_bytes()),
        cert_chain: Some(Vec::new()),
        ca_crl: None,
    })
    .unwrap()
}

/// Whether a root signs, and which of some are trusted.
fn state(rollover: &Rollover, roots: &[&NewRoot]) -> (Vec<bool>, Vec<bool>) {
    let trust = rollover.trust();
    let alone: Vec<Authority> = roots.iter().map(|root| authority(root, &[])).collect();
    (
        alone.iter().map(|one| one.fingerprint() == trust.signer().fingerprint()).collect(),
        alone.iter().map(|one| trust.roots().contains(one.roots())).collect(),
    )
}

#[test]
fn a_new_root_is_trusted_first_signs_later_and_the_old_one_stays_for_a_while() {
    let (old, new) = (root("old"), root("new"));
    let both = [&old, &new];
    let mut rollover = Rollover::new(authority(&old, &[]), SETTINGS);
    assert_eq!(rollover.offer(authority(&new, &[]), at(100)), Offered::Trusted);
    assert_eq!(rollover.offer(authority(&new, &[]), at(101)), Offered::Known);
    assert_eq!(state(&rollover, &both), (vec![true, false], vec![true, true]));
    for (now, taken) in [(109, true), (120, false), (159, false)] {
        rollover.advance(taken, at(now));
        assert!(rollover.is_moving(), "{now}");
        assert_eq!(state(&rollover, &both), (vec![true, false], vec![true, true]), "{now}");
    }
    rollover.advance(true, at(159));
    assert!(!rollover.is_moving());
    assert_eq!(state(&rollover, &both), (vec![false, true], vec![true, true]));
    let day = 24 * 3600;
    rollover.advance(true, at(158 + day));
    assert_eq!(state(&rollover, &both), (vec![false, true], vec![true, true]));
    rollover.advance(true, at(159 + day));
    assert_eq!(state(&rollover, &both), (vec![false, true], vec![false, true]));
}

#[test]
fn one_that_never_takes_it_is_not_waited_for_for_ever() {
    let (old, new) = (root("old"), root("new"));
    let mut rollover = Rollover::new(authority(&old, &[]), SETTINGS);
    rollover.offer(authority(&new, &[]), at(0));
    rollover.advance(false, at(59));
    assert!(rollover.is_moving());
    rollover.advance(false, at(60));
    assert!(!rollover.is_moving());
}

#[test]
fn what_is_trusted_already_signs_at_once() {
    let (old, new) = (root("old"), root("new"));
    let both = [&old, &new];
    // The three steps of an operator who does it by hand.
    let mut rollover = Rollover::new(authority(&old, &[]), SETTINGS);
    assert_eq!(rollover.offer(authority(&old, &[&new]), at(0)), Offered::Signs);
    assert_eq!(state(&rollover, &both), (vec![true, false], vec![true, true]));
    assert_eq!(rollover.offer(authority(&new, &[&old]), at(1)), Offered::Signs);
    assert_eq!(state(&rollover, &both), (vec![false, true], vec![true, true]));
    assert_eq!(rollover.offer(authority(&new, &[]), at(2)), Offered::Signs);
    // Leaves of the old one may be about for a day.
    assert_eq!(state(&rollover, &both), (vec![false, true], vec![true, true]));
    rollover.advance(true, at(2) + SETTINGS.keep);
    assert_eq!(state(&rollover, &both), (vec![false, true], vec![false, true]));
}

#[test]
fn what_is_taken_back_in_time_leaves_no_trace() {
    let (old, new, third) = (root("old"), root("new"), root("third"));
    let all = [&old, &new, &third];
    let mut rollover = Rollover::new(authority(&old, &[]), SETTINGS);
    let before = rollover.trust();
    rollover.offer(authority(&new, &[]), at(0));
    assert_eq!(rollover.offer(authority(&third, &[]), at(1)), Offered::Trusted);
    assert_eq!(state(&rollover, &all).1, [true, false, true]);
    rollover.advance(true, at(10));
    assert!(rollover.is_moving(), "the third has its own time");
    assert_eq!(rollover.offer(authority(&old, &[]), at(10)), Offered::Known);
    assert!(before.same(&rollover.trust()));
    rollover.advance(true, at(1000));
    assert!(before.same(&rollover.trust()));
}
