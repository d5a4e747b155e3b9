//! HTTP/1.1 messages on a connection (RFC 9112), for both ends: heads, bodies and their end, trailers. It reads
//! strictly where the end of a body is concerned, since truncation must be seen exactly, and leniently elsewhere.
//! Nothing here knows requests from responses.

use crate::seen::Fields;
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

/// The longest head that is read.
const HEAD_LIMIT: usize = 256 * 1024;

/// The first line of a message and its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub start: String,
    pub fields: Fields,
}

/// How a body's end is known (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Chunked,
    /// Until the connection closes: responses only.
    Close,
}

impl Head {
    /// The first value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// How the body is framed; `otherwise` where no field says so.
    pub fn framing(&self, otherwise: Framing) -> Result<Framing> {
        let chunked = |coding: &str| coding.to_ascii_lowercase().ends_with("chunked");
        match (self.field("transfer-encoding"), self.field("content-length")) {
            (Some(coding), _) if chunked(coding) => Ok(Framing::Chunked),
            (Some(_), _) => Ok(Framing::Close),
            (None, Some(length)) => length.parse().map(Framing::Length).map_err(|_| invalid("content-length", length)),
            (None, None) => Ok(otherwise),
        }
    }
}

/// Reads a head. `None` where the connection ended before its first byte.
pub async fn read_head<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<Option<Head>> {
    let mut room = HEAD_LIMIT;
    let Some(start) = read_line(reader, &mut room).await? else { return Ok(None) };
    let fields = read_fields(reader, &mut room).await?;
    Ok(Some(Head { start, fields }))
}

/// Reads a body and gives its pieces, as they come, to `take`. Returns the trailers. An error of the kind
/// `UnexpectedEof` means that the connection ended before the body did.
pub async fn read_body<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    framing: Framing,
    mut take: impl FnMut(&[u8]),
) -> Result<Fields> {
    match framing {
        Framing::Length(length) => read_exactly(reader, length, &mut take).await.map(|()| Fields::new()),
        Framing::Close => read_to_end(reader, &mut take).await.map(|()| Fields::new()),
        Framing::Chunked => read_chunks(reader, &mut take).await,
    }
}

async fn read_chunks<R: AsyncBufRead + Unpin>(reader: &mut R, take: &mut impl FnMut(&[u8])) -> Result<Fields> {
    let mut room = HEAD_LIMIT;
    loop {
        let line = read_line(reader, &mut 4096).await?.ok_or_else(|| ended("a chunk"))?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = u64::from_str_radix(digits, 16).map_err(|_| invalid("chunk size", &line))?;
        if length == 0 {
            return read_fields(reader, &mut room).await;
        }
        read_exactly(reader, length, take).await?;
        match read_line(reader, &mut 2).await? {
            Some(line) if line.is_empty() => {}
            Some(line) => return Err(invalid("end of a chunk", &line)),
            None => return Err(ended("the end of a chunk")),
        }
    }
}

async fn read_exactly<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    mut length: u64,
    take: &mut impl FnMut(&[u8]),
) -> Result<()> {
    while length > 0 {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Err(ended(&format!("{length} more bytes of the body")));
        }
        let used = available.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        take(&available[..used]);
        reader.consume(used);
        length -= used as u64;
    }
    Ok(())
}

async fn read_to_end<R: AsyncBufRead + Unpin>(reader: &mut R, take: &mut impl FnMut(&[u8])) -> Result<()> {
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Ok(());
        }
        let used = available.len();
        take(available);
        reader.consume(used);
    }
}

async fn read_fields<R: AsyncBufRead + Unpin>(reader: &mut R, room: &mut usize) -> Result<Fields> {
    let mut fields = Fields::new();
    loop {
        let line = read_line(reader, room).await?.ok_or_else(|| ended("a field"))?;
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("field line", &line))?;
        fields.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
    }
}

/// Reads one line without its end. `None` where the connection ended before its first byte.
async fn read_line<R: AsyncBufRead + Unpin>(reader: &mut R, room: &mut usize) -> Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return if line.is_empty() { Ok(None) } else { Err(ended("the end of a line")) };
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(available.len(), |at| at + 1);
        *room = room.checked_sub(used).ok_or_else(|| invalid("head", "too long"))?;
        line.extend_from_slice(&available[..used]);
        reader.consume(used);
        if end.is_some() {
            line.pop();
            line.pop_if(|last| *last == b'\r');
            return Ok(Some(text(line)));
        }
    }
}

/// Writes a head.
pub async fn write_head<W: AsyncWrite + Unpin>(writer: &mut W, start: &str, fields: &[(String, String)]) -> Result<()> {
    let mut head = format!("{start}\r\n");
    push_fields(&mut head, fields);
    writer.write_all(head.as_bytes()).await?;
    writer.flush().await
}

/// Writes one chunk, unless it is empty: an empty chunk would end the body.
pub async fn write_chunk<W: AsyncWrite + Unpin>(writer: &mut W, bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    writer.write_all(&chunk).await?;
    writer.flush().await
}

/// Ends a chunked body.
pub async fn write_last_chunk<W: AsyncWrite + Unpin>(writer: &mut W, trailers: &[(String, String)]) -> Result<()> {
    let mut end = String::from("0\r\n");
    push_fields(&mut end, trailers);
    writer.write_all(end.as_bytes()).await?;
    writer.flush().await
}

fn push_fields(head: &mut String, fields: &[(String, String)]) {
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
}

/// UTF-8 where it is, else Latin-1, so that nothing is lost.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect())
}

fn invalid(what: &str, found: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("invalid {what}: {found}"))
}

fn ended(before: &str) -> Error {
    Error::new(ErrorKind::UnexpectedEof, format!("the connection ended before {before}"))
}
