//! WebSockets (RFC 6455): an upstream that sends every message back, and a client that sends one and waits for it.
//! The handshakes are ordinary HTTP heads, read and written here; frames are tungstenite's.

use crate::scenario::Request;
use crate::wire::{Head, write_head};
use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Opens a WebSocket at `path`, sends a text and returns the one that comes back.
pub async fn websocket_echo(address: SocketAddr, path: &str, host: &str) -> Result<String> {
    let mut request = Request::new("GET", path);
    request.host = host.to_owned();
    request.websocket = Some("hello".to_owned());
    let seen = crate::client::send(address, &request).await?;
    seen.websocket.with_context(|| format!("no WebSocket, but status {}: {}", seen.status, seen.body.text()))
}

/// The fields with which a client asks for a WebSocket (RFC 6455, 4.1), and the key among them.
pub(crate) fn opening_fields() -> (Vec<(String, String)>, String) {
    let key = generate_key();
    let fields = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", key.as_str()),
    ];
    (fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(), key)
}

/// Whether the head of a response accepts the key (RFC 6455, 4.2.2).
pub(crate) fn is_accepted(head: &Head, key: &str) -> Result<()> {
    let accept = head.field("sec-websocket-accept").context("101 without Sec-WebSocket-Accept")?;
    ensure!(accept == derive_accept_key(key.as_bytes()), "Sec-WebSocket-Accept `{accept}` does not fit the key");
    Ok(())
}

/// Sends a text on an open WebSocket and waits for the next one. `unread` is what came after the handshake.
pub(crate) async fn echo(stream: TcpStream, unread: Vec<u8>, text: &str) -> Result<String> {
    let mut socket = WebSocketStream::from_partially_read(stream, unread, Role::Client, None).await;
    socket.send(Message::text(text)).await.context("cannot send on the WebSocket")?;
    let message = socket.next().await.context("the WebSocket closed without an answer")?;
    let text = message.context("the WebSocket broke")?.into_text().context("the answer is no text")?.to_string();
    // The answer is there; how the connection ends is not what is tested.
    let _ = socket.close(None).await;
    Ok(text)
}

/// Accepts a WebSocket and sends every message back until the peer closes it.
pub(crate) async fn serve_echo(mut stream: TcpStream, request: &Head, more: &[(String, String)]) -> Result<()> {
    let Some(key) = request.field("sec-websocket-key") else {
        let fields = [("content-length".to_owned(), "0".to_owned())];
        write_head(&mut stream, "HTTP/1.1 400 No WebSocket", &fields).await?;
        bail!("the request is none for a WebSocket");
    };
    let mut fields = vec![
        ("connection".to_owned(), "Upgrade".to_owned()),
        ("upgrade".to_owned(), "websocket".to_owned()),
        ("sec-websocket-accept".to_owned(), derive_accept_key(key.as_bytes())),
    ];
    fields.extend(more.iter().filter(|(name, _)| name != "content-length").cloned());
    write_head(&mut stream, "HTTP/1.1 101 Switching Protocols", &fields).await?;
    echo_all(stream).await
}

/// Sends every message back, on a connection whose handshake is done, until the peer closes it.
pub(crate) async fn echo_all(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(message) = socket.next().await {
        if let message @ (Message::Text(_) | Message::Binary(_)) = message? {
            socket.send(message).await?;
        }
    }
    Ok(())
}
