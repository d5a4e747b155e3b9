//! What the programs of this folder share: `edgate-bench`, which `scripts/bench` runs, and `edgate-accuracy`, which
//! `scripts/accuracy` does.

pub mod machine;
pub mod page;
pub mod program;
pub mod table;
