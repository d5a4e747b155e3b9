//! Where a component's stdout and stderr go: to a file each and, unless the host is to be quiet, to
//! the host's own.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::error::Context as _;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// The host's own stream that shows the output too.
#[derive(Clone, Copy)]
pub enum Echo {
    None,
    Stdout,
    Stderr,
}

/// One of the two outputs, shared by all instances of a component.
#[derive(Clone)]
pub struct Log {
    file: Arc<File>,
    echo: Echo,
}

impl Log {
    /// Empties the file, or makes it.
    pub fn create(path: &Path, echo: Echo) -> wasmtime::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let file = std::fs::create_dir_all(folder).and_then(|()| File::create(path));
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: Arc::new(file), echo })
    }

    /// Writes through to the file: nothing is buffered. A reader who closed the host's own output
    /// is no reason to fail.
    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        (&*self.file).write_all(bytes)?;
        let _ = match self.echo {
            Echo::None => Ok(()),
            Echo::Stdout => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
            Echo::Stderr => io::stderr().write_all(bytes),
        };
        Ok(())
    }
}

impl IsTerminal for Log {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Log {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Log {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes).map_err(|error| StreamError::LastOperationFailed(error.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

#[async_trait::async_trait]
impl Pollable for Log {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Log {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.put(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
