//! Fixtures, builders, golden and property helpers.
