//! The property that carries the project: what the engine keeps up to date equals what a fresh engine makes from the same
//! objects, and what a proxy has built from the messages it received equals it too.

mod bodies;
#[path = "incremental/run.rs"]
mod run;

use pilothouse_engine::{Engine, Forget};
use pilothouse_testkit::inputs::Inputs;
use pilothouse_testkit::script::{Step, scripts};
use pilothouse_view::QueryKind;
use pilothouse_world::KeyKind;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use run::{run, state};

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_full(script in scripts(60)) {
        if let Err(difference) = run(&script, Forget::default()) {
            return Err(TestCaseError::fail(difference));
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(script in scripts(40), seed in any::<u64>()) {
        let mut inputs = Inputs::default();
        for step in &script {
            inputs.note(step);
        }
        let mut shuffled: Vec<_> = inputs.changes();
        let mut seed = seed;
        for at in (1..shuffled.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, usize::try_from(seed >> 33).unwrap() % (at + 1));
        }
        let mut whole = Engine::new();
        whole.apply(inputs.changes());
        let mut single = Engine::new();
        for change in shuffled {
            single.apply(vec![change]);
        }
        prop_assert_eq!(state(&mut whole), state(&mut single));
    }

    #[test]
    fn adding_and_removing_leaves_nothing_behind(base in scripts(20), extra in scripts(30)) {
        let mut inputs = Inputs::default();
        for step in &base {
            inputs.note(step);
        }
        let mut engine = Engine::new();
        engine.apply(inputs.changes());
        let before = (state(&mut engine), engine.size());
        let mut more = inputs.clone();
        for step in &extra {
            more.note(step);
        }
        engine.apply(inputs.changes_to(&more));
        let _ = state(&mut engine);
        engine.apply(more.changes_to(&inputs));
        prop_assert_eq!(before, (state(&mut engine), engine.size()));
    }
}

/// Runs the property with one kind of read not taken down, and reports whether that was noticed.
fn is_noticed(forget: Forget) -> bool {
    let config = Config { cases: 1_000, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(&scripts(60), |script: Vec<Step>| run(&script, forget).map_err(TestCaseError::fail)).is_err()
}

#[test]
fn a_read_of_the_world_that_is_not_taken_down_is_noticed() {
    let missed: Vec<_> = KeyKind::ALL
        .into_iter()
        .filter(|kind| !is_noticed(Forget { key: Some(*kind), query: None }))
        .collect();
    assert!(missed.is_empty(), "nobody notices when these reads are forgotten: {missed:?}");
}

#[test]
fn a_question_that_is_not_taken_down_is_noticed() {
    // All others feed collections and streams, which hold them; no other question reads them.
    let read_by_questions = [
        QueryKind::Public,
        QueryKind::Targets,
        QueryKind::Target,
        QueryKind::Claims,
        QueryKind::Accounts,
        QueryKind::Clusters,
        QueryKind::Distribution,
        QueryKind::FailsOver,
        QueryKind::Outbound,
        QueryKind::Placed,
    ];
    let missed: Vec<_> = read_by_questions
        .into_iter()
        .filter(|kind| !is_noticed(Forget { key: None, query: Some(*kind) }))
        .collect();
    assert!(missed.is_empty(), "nobody notices when these questions are forgotten: {missed:?}");
}
