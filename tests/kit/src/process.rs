//! A child process: its output is collected, and it ends when it is dropped.

use crate::lines::{Lines, collect};
use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// A running child process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    ending: Ending,
    collecting: JoinSet<()>,
}

/// How a process is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// At once: it has no children of its own.
    Kill,
    /// It is asked first, so that it can end its children, and killed after [`GRACE`].
    Ask,
}

/// How long a process may take to end when it is asked.
pub const GRACE: Duration = Duration::from_secs(2);

impl Process {
    /// Starts a process, with its output and its errors going to these lines.
    pub fn start(mut command: Command, ending: Ending, output: &Lines, errors: &Lines) -> Result<Process> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(ending == Ending::Kill);
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let mut collecting = JoinSet::new();
        if let Some(pipe) = child.stdout.take() {
            collecting.spawn(collect(pipe, output.clone()));
        }
        if let Some(pipe) = child.stderr.take() {
            collecting.spawn(collect(pipe, errors.clone()));
        }
        Ok(Process { name, child, ending, collecting })
    }

    /// Its identifier, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the process ends by itself, which is always too early, and all it said is collected.
    pub async fn ended(&mut self) -> anyhow::Error {
        let ended = self.child.wait().await;
        while self.collecting.join_next().await.is_some() {}
        match ended {
            Ok(status) => anyhow!("{} ended with {status}", self.name),
            Err(error) => anyhow!("{} is lost: {error}", self.name),
        }
    }

    /// Ends it, and waits until it has ended.
    pub async fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill().await;
    }

    /// Whether it has not ended yet.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.with_context(|| format!("{} has ended", self.name))?;
        kill_process(pid, signal).with_context(|| format!("{} cannot be sent a signal", self.name))
    }

    fn ask_to_end(&mut self) {
        let asked = Instant::now();
        if self.signal(Signal::TERM).is_err() {
            return;
        }
        while self.runs() && asked.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ending == Ending::Ask {
            self.ask_to_end();
        }
        // It may have ended already.
        let _ = self.child.start_kill();
    }
}

/// Starts a program again at the port that it had. Meanwhile a connection may have got that port for its own end, as those do
/// that look whether somebody listens there: it is free again in a moment.
pub async fn start_again<T>(start: impl AsyncFn() -> Result<T>) -> Result<T> {
    let until = Instant::now() + PORT_FREE;
    loop {
        match start().await {
            Err(error) if Instant::now() < until && format!("{error:#}").contains("Address already in use") => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            result => return result,
        }
    }
}

/// How long a port may be somebody else's.
const PORT_FREE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[tokio::test]
    async fn a_port_that_is_taken_for_a_moment_is_waited_for() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let again = start_again(async || TcpListener::bind(address).context("it does not start"));
        let release = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            drop(held);
        };
        let (again, ()) = tokio::join!(again, release);
        assert_eq!(again.unwrap().local_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn what_fails_otherwise_is_not_tried_again() {
        let begun = Instant::now();
        assert!(start_again(async || Err::<(), _>(anyhow!("no such file"))).await.is_err());
        assert!(begun.elapsed() < PORT_FREE);
    }
}
