//! The command line. There is none in wasm.

fn main() {}
