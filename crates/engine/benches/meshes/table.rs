//! Rows of text.

use std::time::Duration;

use pilothouse_engine::Counts;

/// Prints a row: a wide first column, then narrow ones.
pub(crate) fn row(first: &str, rest: &[String]) {
    print!("{first:<30}");
    for one in rest {
        print!("{one:>12}");
    }
    println!();
}

/// A time with three digits that count.
pub(crate) fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        micros if micros < 1e3 => format!("{micros:.1} µs"),
        micros if micros < 1e6 => format!("{:.2} ms", micros / 1e3),
        micros => format!("{:.2} s", micros / 1e6),
    }
}

/// A number of bytes.
#[expect(clippy::cast_precision_loss, reason = "for reading")]
pub(crate) fn bytes(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Questions answered, resources encoded, their bytes, snapshots made.
pub(crate) fn counts(counts: &Counts) -> [String; 4] {
    [
        counts.answered.values().sum::<usize>().to_string(),
        counts.encoded.values().sum::<usize>().to_string(),
        bytes(counts.bytes),
        counts.snapshots.to_string(),
    ]
}
