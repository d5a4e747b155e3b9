//! The program `edgate`: the command line, on machines that are no edge. The wasm builds have no program.

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    let (outcome, color) = edgate::cli::run(std::env::args_os(), std::path::Path::new("."));
    edgate::cli::print(&outcome, color)
}

#[cfg(target_family = "wasm")]
fn main() {}
