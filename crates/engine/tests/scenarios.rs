//! Scenarios: a folder with objects and a proxy, and what the proxy gets and the user hears for them.
//!
//! Adding one needs no Rust: make `scenarios/<area>/<case>/input.yaml` and run `make golden`. The first document is the case
//! itself (see `scenarios/case.rs`), the others are objects; the cast of `testkit/fixtures/shop.yaml` comes first unless the
//! case says `cast: none`.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "scenarios/case.rs"]
mod case;
#[path = "scenarios/real_envoy.rs"]
mod real_envoy;
#[path = "scenarios/show.rs"]
mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use case::Case;
use pilothouse_diag::{catalogue, render};

#[test]
fn every_scenario_has_its_resources_and_diagnostics() {
    let mut failed = Vec::new();
    for case in Case::all() {
        let folder = case.folder.clone();
        let seen = catch_unwind(AssertUnwindSafe(|| compare(&case)));
        if seen.is_err() {
            failed.push(case.name());
        }
        for file in files(&folder) {
            let known = ["input.yaml", "resources.snap", "diagnostics.snap"].contains(&file.as_str());
            let pending = Path::new(&file).extension().is_some_and(|extension| extension == "new");
            if !known && !pending {
                failed.push(format!("{}: nothing makes {file}", case.name()));
            }
        }
    }
    assert!(failed.is_empty(), "make golden shows what changed in:\n{}", failed.join("\n"));
}

fn compare(case: &Case) {
    let compiled = case.compile();
    let shown = show::all(&case.show, &compiled.snapshot);
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(&case.folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.remove_input_file();
    settings.bind(|| {
        if !case.show.is_empty() {
            insta::assert_yaml_snapshot!("resources", shown);
        }
        let said: Vec<_> = compiled.diagnostics.iter().map(render::text).collect();
        let file = case.folder.join("diagnostics.snap");
        if said.is_empty() {
            // Nobody reads a snapshot of nothing, and one that was left behind would look as if something was said.
            if std::env::var_os("INSTA_FORCE_PASS").is_some() {
                let _ = std::fs::remove_file(&file);
            }
            assert!(!file.exists(), "nothing is said any more; remove {}", file.display());
        } else {
            insta::assert_snapshot!("diagnostics", said.join("\n"));
        }
    });
}

fn files(folder: &Path) -> Vec<String> {
    let items = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap());
    items.map(|item| item.file_name().into_string().unwrap()).collect()
}

#[test]
fn both_ends_of_the_supported_range_of_envoy_accept_every_scenario() {
    let cases = Case::all();
    let halves: Vec<_> = cases.chunks(cases.len().div_ceil(2)).collect();
    let refused: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = halves
            .into_iter()
            .map(|half| scope.spawn(move || half.iter().filter_map(real_envoy::refusal).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// Codes that no scenario can produce, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("PH0501", "comes from a running proxy"),
    ("PH0502", "comes from watching the pods of a cluster"),
    ("PH0601", "a bug that a scenario knew would be mended; the engine's own tests wish for some"),
];

#[test]
fn every_code_of_the_catalogue_has_a_scenario() {
    let mut heard: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for case in Case::all() {
        for one in case.compile().diagnostics {
            heard.entry(one.code.id).or_default().insert(case.name());
        }
    }
    let elsewhere: BTreeMap<_, _> = ELSEWHERE.iter().copied().collect();
    let mut wrong = Vec::new();
    for code in catalogue::ALL {
        match (heard.get(code.id), elsewhere.get(code.id)) {
            (Some(cases), Some(why)) => {
                wrong.push(format!("{} comes from {cases:?}, though the list says: {why}", code.id));
            }
            (None, None) => wrong.push(format!("no scenario produces {} ({})", code.id, code.title)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
