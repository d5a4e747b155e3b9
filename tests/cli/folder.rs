//! A folder for one test, gone after it.

use edgate::cli::world::World;
use edgate::cli::{self, Outcome};
use std::path::PathBuf;

pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// An empty folder, named after its test.
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("edgate-cli-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder { path }
    }

    /// A folder with the example's document, named after the thread.
    pub fn example() -> Folder {
        let thread = std::thread::current().name().unwrap_or("main").replace(':', "-");
        let folder = Folder::new(&thread);
        folder.write("edgate.toml", include_str!("../../edgate.toml"));
        folder
    }

    pub fn write(&self, name: &str, text: &str) -> &Folder {
        self.write_bytes(name, text.as_bytes())
    }

    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> &Folder {
        std::fs::write(self.path.join(name), bytes).unwrap();
        self
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path.join(name)).unwrap()
    }

    pub fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    /// Runs a command, without colours.
    pub fn run(&self, command: &[&str]) -> Outcome {
        let (outcome, _) = self.run_raw(command);
        let plain = |text: &str| anstream::adapter::strip_str(text).to_string();
        Outcome { exit: outcome.exit, out: plain(&outcome.out), err: plain(&outcome.err) }
    }

    /// Runs a command in a world of the test's, without colours.
    pub fn run_in(&self, world: &World, command: &[&str]) -> Outcome {
        cli::run_in(world, ["edgate"].iter().chain(command), &self.path).0
    }

    /// Runs a command.
    pub fn run_raw(&self, command: &[&str]) -> (Outcome, anstream::ColorChoice) {
        cli::run(["edgate"].iter().chain(command), &self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
