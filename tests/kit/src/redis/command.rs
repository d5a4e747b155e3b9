//! One command to a Redis, and its answer, in RESP: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

type Connection = BufStream<TcpStream>;

/// Gives a command, on a connection of its own.
pub async fn command(address: SocketAddr, words: &[&str]) -> Result<String> {
    let mut connection = BufStream::new(TcpStream::connect(address).await?);
    connection.write_all(format!("*{}\r\n", words.len()).as_bytes()).await?;
    for word in words {
        connection.write_all(format!("${}\r\n{word}\r\n", word.len()).as_bytes()).await?;
    }
    connection.flush().await?;
    let mut answers = Vec::new();
    // How many are still to come.
    let mut rest = 1;
    while rest > 0 {
        rest -= 1;
        let line = line(&mut connection).await?;
        let (kind, line) = line.split_at_checked(1).context("an empty line")?;
        match kind {
            "+" | ":" => answers.push(line.to_owned()),
            "-" => bail!("{line}"),
            "$" if line == "-1" => {}
            "$" => answers.push(bytes(&mut connection, line.parse()?).await?),
            "*" => rest += line.parse::<usize>().unwrap_or_default(),
            _ => bail!("an answer that begins with `{kind}`"),
        }
    }
    Ok(answers.join("\n"))
}

async fn line(connection: &mut Connection) -> Result<String> {
    let mut line = String::new();
    connection.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

async fn bytes(connection: &mut Connection, length: usize) -> Result<String> {
    let mut bytes = vec![0; length + "\r\n".len()];
    connection.read_exact(&mut bytes).await?;
    bytes.truncate(length);
    String::from_utf8(bytes).context("an answer that is no text")
}
