//! tmp
#![allow(clippy::disallowed_methods, clippy::print_stdout)]
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let all: Vec<serde_json::Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let settings =
        pilothouse_config::CheckSettings { domain: "cluster.local".into(), parse_yaml: |_| Err("no".into()) };
    let start = std::time::Instant::now();
    for value in &all {
        let j = pilothouse_config::judge(value, &settings);
        let list = j.diagnostics.finish(None);
        println!(
            "{} {} -> {}",
            value["kind"],
            value["metadata"]["name"],
            match j.outcome {
                pilothouse_config::Outcome::Object(..) => "object",
                pilothouse_config::Outcome::Nothing(_) => "nothing",
                pilothouse_config::Outcome::Undecodable(_) => "undecodable",
                pilothouse_config::Outcome::Workload(_) => "workload",
                pilothouse_config::Outcome::Foreign => "foreign",
            }
        );
        for one in list {
            print!("{}", pilothouse_diag::render::text(&one));
        }
    }
    println!("{:?}", start.elapsed());
}
