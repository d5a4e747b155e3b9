//! Native benchmarks: `cargo bench --bench gateway`, or `scripts/bench --native`. They say what edgate's own code costs,
//! with the optimizations of the release profile, which are those of the wasm; scripts/bench says what a request costs.

mod common;
mod load;
mod request;
mod routing;

fn main() {
    divan::main();
}
