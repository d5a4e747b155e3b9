//! An HTTP/1.1 client that sends what it is told, byte for byte, and says exactly what came back, when, and whether it
//! was all. It makes one connection for each request, from the address that the request names; where there are very many
//! requests, [`Connection`] sends one after the other.

use crate::scenario::{Abandon, Request};
use crate::seen::{End, Fields, SeenBody, SeenResponse};
use crate::websocket;
use crate::wire::{Framing, Head, read_body, read_head, write_chunk, write_head, write_last_chunk};
use anyhow::{Context, Result};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// The longest that a request may take, from connecting to the last byte.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Sends a request to the server at `address`. A response that is not complete is no error, but [`End::Truncated`].
///
/// # Errors
///
/// There was no connection, no response head, or no end within [`LIMIT`].
pub async fn send(address: SocketAddr, request: &Request) -> Result<SeenResponse> {
    let place = || format!("{} {} at {address}", request.method, request.target);
    let exchange = timeout(LIMIT, exchange(address, request)).await;
    exchange.with_context(|| format!("no end within {LIMIT:?}")).flatten().with_context(place)
}

async fn exchange(address: SocketAddr, request: &Request) -> Result<SeenResponse> {
    let mut stream = connect(address, request.peer).await?;
    let mut fields = request.fields();
    let key = request.websocket.is_some().then(|| {
        let (opening, key) = websocket::opening_fields();
        fields.extend(opening);
        key
    });
    let (read, write) = stream.split();
    let mut response = Response { request, begin: Instant::now(), reader: BufReader::with_capacity(64 * 1024, read) };
    let mut seen = {
        let upload = upload(write, request, &fields);
        let download = response.receive();
        tokio::pin!(upload, download);
        tokio::select! {
            // An early response ends the exchange even where the request was not read to its end.
            seen = &mut download => seen,
            sent = &mut upload => match (download.await, sent) {
                (Err(received), Err(sent)) => Err(received.context(format!("after sending failed: {sent}"))),
                (seen, _) => seen,
            },
        }?
    };
    if let (101, Some(text), Some(key)) = (seen.status, &request.websocket, &key) {
        let head = Head { start: String::new(), fields: seen.headers.clone() };
        websocket::is_accepted(&head, key)?;
        let unread = response.reader.buffer().to_vec();
        seen.websocket = Some(websocket::echo(stream, unread, text).await?);
    }
    Ok(seen)
}

/// A connection that is kept: for requests without a body, one after the other.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to the server at `address`.
    pub async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = timeout(LIMIT, connect(address, Ipv4Addr::LOCALHOST.into())).await.context("no connection")??;
        Ok(Connection { address, stream: BufReader::with_capacity(64 * 1024, stream) })
    }

    /// Sends a request and reads its response to the end. After an error the connection is of no more use.
    ///
    /// # Errors
    ///
    /// As those of [`send`].
    pub async fn send(&mut self, request: &Request) -> Result<SeenResponse> {
        let place = format!("{} {} at {}", request.method, request.target, self.address);
        let exchange = async {
            upload(self.stream.get_mut(), request, &request.fields()).await.context("cannot send")?;
            Response { request, begin: Instant::now(), reader: &mut self.stream }.receive().await
        };
        let exchange = timeout(LIMIT, exchange).await;
        exchange.with_context(|| format!("no end within {LIMIT:?}")).flatten().context(place)
    }
}

async fn connect(address: SocketAddr, from: IpAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4().context("cannot make a socket")?;
    socket.bind(SocketAddr::new(from, 0)).with_context(|| format!("cannot send from {from}"))?;
    let stream = socket.connect(address).await.context("cannot connect")?;
    stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
    Ok(stream)
}

async fn upload(mut writer: impl AsyncWrite + Unpin, request: &Request, fields: &Fields) -> std::io::Result<()> {
    write_head(&mut writer, &format!("{} {} HTTP/1.1", request.method, request.target), fields).await?;
    let chunked = request.body.as_ref().is_some_and(|body| body.chunked);
    let content = request.content();
    let mut sent = 0;
    while let Some(block) = content.block(sent) {
        if chunked {
            write_chunk(&mut writer, block).await?
        } else {
            writer.write_all(block).await?
        }
        sent += block.len() as u64;
    }
    if chunked { write_last_chunk(&mut writer, &[]).await } else { writer.flush().await }
}

/// A response that is being received.
struct Response<'a, R> {
    request: &'a Request,
    begin: Instant,
    reader: R,
}

impl<R: AsyncBufRead + Unpin> Response<'_, R> {
    async fn receive(&mut self) -> Result<SeenResponse> {
        let (status, head) = self.receive_head().await?;
        let mut seen = SeenResponse {
            status,
            headers: head.fields.clone(),
            body: SeenBody::empty(),
            trailers: Fields::new(),
            end: End::Complete,
            chunk_times: Vec::new(),
            websocket: None,
        };
        if self.request.abandon == Some(Abandon::AfterHead) {
            seen.end = End::Abandoned;
            return Ok(seen);
        }
        let framing = self.framing(status, &head)?;
        let begin = self.begin;
        let body = read_body(&mut self.reader, framing, |bytes| {
            seen.body.push(bytes);
            seen.chunk_times.push(begin.elapsed());
        });
        match body.await {
            Ok(trailers) => seen.trailers = trailers,
            Err(error) => seen.end = End::Truncated(error.to_string()),
        }
        Ok(seen)
    }

    /// Reads the final head: the informational ones before it are only announcements.
    async fn receive_head(&mut self) -> Result<(u16, Head)> {
        loop {
            let head = read_head(&mut self.reader).await.context("no response")?;
            let head = head.context("the connection was closed without a response")?;
            let status = head.start.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
            let status = status.with_context(|| format!("`{}` is no status line", head.start))?;
            if status >= 200 || status == 101 {
                return Ok((status, head));
            }
        }
    }

    /// RFC 9112, 6.3: an answer to HEAD, and one of these statuses, ends with its head whatever its fields say.
    fn framing(&self, status: u16, head: &Head) -> Result<Framing> {
        match status {
            101 | 204 | 304 => Ok(Framing::Length(0)),
            _ if self.request.method == "HEAD" => Ok(Framing::Length(0)),
            _ => head.framing(Framing::Close).context("a body without end"),
        }
    }
}
