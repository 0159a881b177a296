//! The rules one by one (`delta`, `sotw`, `hosts`), and all of them at random (`converge`).

mod converge;
mod delta;
mod hosts;
mod mesh;
mod sotw;
mod stream;
