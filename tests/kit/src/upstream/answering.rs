//! Sends one answer, well or badly.

use crate::scenario::answer::{Answer, AnswerBody, Fault};
use crate::websocket;
use crate::wire::{Head, write_chunk, write_head, write_last_chunk};
use std::io::Result;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Answers the request with this head. Returns the connection where it may carry another one.
pub(super) async fn answer(mut stream: TcpStream, request: &Head, answer: &Answer) -> Option<TcpStream> {
    if let Some(delay) = answer.delay {
        sleep(delay).await;
    }
    match answer.fault {
        Some(Fault::Refuse | Fault::Close) => None,
        Some(Fault::Reset) => reset(&stream),
        Some(Fault::Hang) => hang(stream).await,
        Some(Fault::BadStatusLine) => finish(stream, b"NONSENSE 200 OK\r\n\r\n").await,
        Some(Fault::HugeHeader) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-huge: {}\r\n\r\n", "h".repeat(1_000_000));
            finish(stream, head.as_bytes()).await
        }
        None if answer.websocket => {
            // The peer sees how it ends.
            let _ = websocket::serve_echo(stream, request, &answer.fields()).await;
            None
        }
        None | Some(Fault::Short | Fault::ResetMidBody) => {
            send(&mut stream, request, answer).await.ok()?;
            let closes = request.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            match answer.fault {
                Some(Fault::ResetMidBody) => reset(&stream),
                Some(_) => None,
                None => (!closes).then_some(stream),
            }
        }
    }
}

async fn send(stream: &mut TcpStream, request: &Head, answer: &Answer) -> Result<()> {
    write_head(stream, &format!("HTTP/1.1 {} Scripted", answer.status), &answer.fields()).await?;
    // RFC 9112, 6.3: an answer to HEAD, and one of these statuses, ends with its head.
    if request.start.starts_with("HEAD ") || answer.status == 204 || answer.status == 304 {
        return Ok(());
    }
    match &answer.body {
        AnswerBody::Chunks { chunks, every } => {
            for chunk in chunks {
                write_chunk(stream, chunk.as_bytes()).await?;
                sleep(*every).await;
            }
        }
        AnswerBody::Whole(content) => {
            let mut sent = 0;
            while let Some(block) = content.block(sent) {
                if answer.is_chunked() {
                    write_chunk(stream, block).await?
                } else {
                    stream.write_all(block).await?
                }
                sent += block.len() as u64;
            }
        }
    }
    if answer.is_chunked() && answer.fault.is_none() {
        write_last_chunk(stream, &answer.trailers.0).await?;
    }
    stream.flush().await
}

/// Closing with a linger time of zero sends RST instead of FIN.
fn reset(stream: &TcpStream) -> Option<TcpStream> {
    let _ = stream.set_zero_linger();
    None
}

/// Waits until the peer gives up, or for longer than any test.
async fn hang(mut stream: TcpStream) -> Option<TcpStream> {
    let mut byte = [0];
    let _ = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut byte)).await;
    None
}

async fn finish(mut stream: TcpStream, bytes: &[u8]) -> Option<TcpStream> {
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    // Closing with unread input would send RST; the peer must see what was written first.
    hang(stream).await
}
