use super::*;
use prometheus_client::metrics::counter::Counter;
use std::time::Duration;

#[test]
fn parts_register_under_their_prefix_with_help() {
    let metrics = Metrics::new();
    let pushes: Counter = metrics.part("xds", |registry| {
        let pushes = Counter::default();
        registry.register("pushes", "Responses sent because a snapshot changed", pushes.clone());
        pushes
    });
    pushes.inc();
    let text = metrics.render();
    assert!(
        text.contains("# HELP pilothouse_xds_pushes Responses sent because a snapshot changed."),
        "{text}"
    );
    assert!(text.contains("pilothouse_xds_pushes_total 1\n"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test(start_paused = true)]
async fn a_timer_records_once_however_its_scope_is_left() {
    let metrics = Metrics::new();
    let compile = metrics.part("engine", |registry| {
        let compile = seconds();
        registry.register("compile_seconds", "From a batch to its snapshots", compile.clone());
        compile
    });
    let left_early = async {
        let _timer = DurationTimer::start(&compile);
        tokio::time::advance(Duration::from_secs(3)).await;
        Err::<(), _>("gave up")
    };
    assert!(left_early.await.is_err());
    let text = metrics.render();
    assert!(text.contains("pilothouse_engine_compile_seconds_sum 3.0"), "{text}");
    assert!(text.contains("pilothouse_engine_compile_seconds_count 1"), "{text}");
}
