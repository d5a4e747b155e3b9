//! `spin:redis`: connections to the servers that `allowed_outbound_hosts` lists. Whatever a component wants, it says
//! with `execute`; the functions that do one thing each are not offered.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value};
use wasmtime::Result;
use wasmtime::component::{Access, Accessor, HasSelf, Resource};

use crate::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
};
use crate::instance::State;

/// An open connection. Its clones share it.
#[derive(Clone)]
pub struct Connection(MultiplexedConnection);

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        Self::Other(error.to_string())
    }
}

impl Host for State {}
impl HostConnection for State {}

impl HostConnectionWithStore<State> for HasSelf<State> {
    async fn open(store: &Accessor<State, Self>, address: String) -> Result<Result<Resource<Connection>, Error>> {
        let url = address.parse::<http::Uri>();
        let allowed = store.with(|mut access| url.is_ok_and(|url| access.get().component.allowed_hosts.allow(&url)));
        let Some(client) = redis::Client::open(address).ok().filter(|_| allowed) else {
            return Ok(Err(Error::InvalidAddress));
        };
        match client.get_multiplexed_async_connection().await {
            Ok(connection) => store.with(|mut access| Ok(Ok(access.get().table.push(Connection(connection))?))),
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn execute(
        store: &Accessor<State, Self>,
        this: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Result<Vec<RedisResult>, Error>> {
        let Connection(mut connection) = store.with(|mut access| access.get().table.get(&this).cloned())?;
        let mut command = Cmd::new().arg(command).to_owned();
        for argument in arguments {
            match argument {
                RedisParameter::Int64(number) => command.arg(number),
                RedisParameter::Binary(bytes) => command.arg(bytes),
            };
        }
        let value = command.query_async::<Value>(&mut connection).await.map_err(Error::from);
        Ok(value.and_then(|value| {
            let mut results = Vec::new();
            flatten(value, &mut results).map(|()| results)
        }))
    }

    async fn publish(
        _: &Accessor<State, Self>,
        _: Resource<Connection>,
        _: String,
        _: Vec<u8>,
    ) -> Result<Result<(), Error>> {
        Ok(Err(not_offered()))
    }

    async fn get(
        _: &Accessor<State, Self>,
        _: Resource<Connection>,
        _: String,
    ) -> Result<Result<Option<Vec<u8>>, Error>> {
        Ok(Err(not_offered()))
    }

    async fn set(
        _: &Accessor<State, Self>,
        _: Resource<Connection>,
        _: String,
        _: Vec<u8>,
    ) -> Result<Result<(), Error>> {
        Ok(Err(not_offered()))
    }

    async fn incr(_: &Accessor<State, Self>, _: Resource<Connection>, _: String) -> Result<Result<i64, Error>> {
        Ok(Err(not_offered()))
    }

    async fn del(_: &Accessor<State, Self>, _: Resource<Connection>, _: Vec<String>) -> Result<Result<u32, Error>> {
        Ok(Err(not_offered()))
    }

    async fn sadd(
        _: &Accessor<State, Self>,
        _: Resource<Connection>,
        _: String,
        _: Vec<String>,
    ) -> Result<Result<u32, Error>> {
        Ok(Err(not_offered()))
    }

    async fn smembers(
        _: &Accessor<State, Self>,
        _: Resource<Connection>,
        _: String,
    ) -> Result<Result<Vec<String>, Error>> {
        Ok(Err(not_offered()))
    }

    async fn srem(
        _: &Accessor<State, Self>,
        _: Resource<Connection>,
        _: String,
        _: Vec<String>,
    ) -> Result<Result<u32, Error>> {
        Ok(Err(not_offered()))
    }

    fn drop(mut access: Access<'_, State, Self>, this: Resource<Connection>) -> Result<()> {
        access.get().table.delete(this)?;
        Ok(())
    }
}

fn not_offered() -> Error {
    Error::Other("this host offers `execute` alone".to_owned())
}

/// Spin's form of an answer: a list is its elements, one after the other.
fn flatten(value: Value, results: &mut Vec<RedisResult>) -> Result<(), Error> {
    results.push(match value {
        Value::Nil => RedisResult::Nil,
        Value::Int(number) => RedisResult::Int64(number),
        Value::BulkString(bytes) => RedisResult::Binary(bytes),
        Value::SimpleString(status) => RedisResult::Status(status),
        Value::Okay => RedisResult::Status("OK".to_owned()),
        Value::Array(values) => return values.into_iter().try_for_each(|value| flatten(value, results)),
        Value::ServerError(error) => return Err(Error::Other(RedisError::from(error).to_string())),
        _ => return Err(Error::Other("an answer that Spin has no form for".to_owned())),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_flattened() {
        let value = Value::Array(vec![Value::Okay, Value::Array(vec![Value::Int(1), Value::Nil])]);
        let mut results = Vec::new();
        flatten(value, &mut results).unwrap();
        assert!(
            matches!(&results[..], [RedisResult::Status(ok), RedisResult::Int64(1), RedisResult::Nil] if ok == "OK")
        );
        assert!(flatten(Value::Double(1.5), &mut results).is_err());
    }
}
