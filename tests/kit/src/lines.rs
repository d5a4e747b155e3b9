//! Lines that a process writes, as they come: what was logged so far, and waiting for what comes later.

use anyhow::{Result, bail};
use std::io::SeekFrom;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeekExt, BufReader};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Lines from one or several sources, shared by its clones.
#[derive(Debug, Clone, Default)]
pub struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Vec<String>>,
    grown: Notify,
}

/// How often a file is looked at again.
const PAUSE: Duration = Duration::from_millis(10);

impl Lines {
    /// How many there are: a mark from which to wait for later ones.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Those from `mark` on.
    pub fn since(&self, mark: usize) -> Vec<String> {
        self.lock().iter().skip(mark).cloned().collect()
    }

    /// Waits for a line from `mark` on that `wanted` accepts, and returns the first.
    pub async fn wait_for(&self, mark: usize, patience: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let find = || self.lock().iter().skip(mark).find(|line| wanted(line)).cloned();
        let found = async {
            loop {
                let grown = self.0.grown.notified();
                if let Some(line) = find() {
                    return line;
                }
                grown.await;
            }
        };
        match timeout(patience, found).await {
            Ok(line) => Ok(line),
            Err(_) => bail!("no such line within {patience:?}; there were: {:#?}", self.since(mark)),
        }
    }

    fn push(&self, line: String) {
        self.lock().push(line);
        self.0.grown.notify_waiters();
    }

    /// Another task's panic leaves the lines as good as they were.
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collects the lines of a pipe until it closes.
pub(crate) async fn collect(pipe: impl AsyncRead + Unpin, lines: Lines) {
    let mut reader = BufReader::new(pipe);
    while let Some(line) = next_line(&mut reader).await {
        lines.push(line);
    }
}

async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).await.ok().filter(|read| *read > 0)?;
    line.pop_if(|last| *last == b'\n');
    Some(String::from_utf8_lossy(&line).into_owned())
}

/// Collects the lines of a file that another process appends to, and that need not exist yet. It never ends.
pub(crate) async fn follow(path: PathBuf, lines: Lines) {
    let mut read = 0;
    let mut rest = Vec::new();
    loop {
        // A file that is not there yet has nothing new.
        if let Ok(new) = read_from(&path, read).await {
            read += new.len() as u64;
            rest.extend_from_slice(&new);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                lines.push(String::from_utf8_lossy(&line[..end]).into_owned());
            }
        }
        sleep(PAUSE).await;
    }
}

async fn read_from(path: &PathBuf, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(offset)).await?;
    let mut new = Vec::new();
    file.read_to_end(&mut new).await?;
    Ok(new)
}
