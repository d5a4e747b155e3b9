//! `wasi:keyvalue`: the stores of `spin:key-value`, and numbers in them that are incremented. As in Spin's own on SQLite,
//! a number has 8 bytes, and whoever increments another value goes down with it. Compare-and-swap is not offered: edgate
//! does not use it, since Spin's cannot be relied on.

use wasmtime::component::{Access, HasSelf, Resource};
use wasmtime::{Result, bail};

use crate::bindings::wasi::keyvalue::{atomics, store};
use crate::instance::State;
use crate::key_value::Store;

/// A swap, of which there is none.
pub enum Swap {}

impl From<std::io::Error> for store::Error {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

impl store::Host for State {}
impl store::HostBucket for State {}
impl atomics::Host for State {}
impl atomics::HostCas for State {}

impl store::HostWithStore<State> for HasSelf<State> {
    fn open(mut access: Access<'_, State, Self>, label: String) -> Result<Result<Resource<Store>, store::Error>> {
        let state = access.get();
        if !state.component.key_value_stores.contains(&label) {
            return Ok(Err(store::Error::AccessDenied));
        }
        let opened = Store::new(&state.state_dir, &label);
        Ok(Ok(state.table.push(opened)?))
    }
}

impl store::HostBucketWithStore<State> for HasSelf<State> {
    fn get(
        mut access: Access<'_, State, Self>,
        this: Resource<Store>,
        key: String,
    ) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(access.get().table.get(&this)?.get(&key).map_err(Into::into))
    }

    fn set(
        mut access: Access<'_, State, Self>,
        this: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), store::Error>> {
        Ok(access.get().table.get(&this)?.set(&key, &value).map_err(Into::into))
    }

    fn delete(
        mut access: Access<'_, State, Self>,
        this: Resource<Store>,
        key: String,
    ) -> Result<Result<(), store::Error>> {
        Ok(access.get().table.get(&this)?.delete(&key).map_err(Into::into))
    }

    fn exists(
        mut access: Access<'_, State, Self>,
        this: Resource<Store>,
        key: String,
    ) -> Result<Result<bool, store::Error>> {
        let value = access.get().table.get(&this)?.get(&key);
        Ok(value.map(|value| value.is_some()).map_err(Into::into))
    }

    fn list_keys(
        mut access: Access<'_, State, Self>,
        this: Resource<Store>,
        cursor: Option<String>,
    ) -> Result<Result<store::KeyResponse, store::Error>> {
        if cursor.is_some() {
            return Ok(Err(store::Error::Other("list_keys: cursor not supported".to_owned())));
        }
        let keys = access.get().table.get(&this)?.keys();
        Ok(keys.map(|keys| store::KeyResponse { keys, cursor: None }).map_err(Into::into))
    }

    fn drop(mut access: Access<'_, State, Self>, this: Resource<Store>) -> Result<()> {
        access.get().table.delete(this)?;
        Ok(())
    }
}

impl atomics::HostWithStore<State> for HasSelf<State> {
    fn increment(
        mut access: Access<'_, State, Self>,
        bucket: Resource<Store>,
        key: String,
        delta: i64,
    ) -> Result<Result<i64, store::Error>> {
        let store = access.get().table.get(&bucket)?;
        let mut sum = Some(delta);
        let changed = store.change(&key, |value| {
            if let Some(value) = value {
                sum = value.try_into().ok().and_then(|value| i64::from_le_bytes(value).checked_add(delta));
            }
            sum.map(|sum| sum.to_le_bytes().to_vec())
        });
        match (changed, sum) {
            (Err(error), _) => Ok(Err(error.into())),
            (Ok(_), Some(sum)) => Ok(Ok(sum)),
            (Ok(_), None) => bail!("`{key}` is no number"),
        }
    }

    fn swap(_: Access<'_, State, Self>, _: Resource<Swap>, _: Vec<u8>) -> Result<Result<(), atomics::CasError>> {
        Ok(Err(atomics::CasError::StoreError(not_offered())))
    }
}

impl atomics::HostCasWithStore<State> for HasSelf<State> {
    fn new(_: Access<'_, State, Self>, _: Resource<Store>, _: String) -> Result<Result<Resource<Swap>, store::Error>> {
        Ok(Err(not_offered()))
    }

    fn current(_: Access<'_, State, Self>, _: Resource<Swap>) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(Err(not_offered()))
    }

    fn drop(mut access: Access<'_, State, Self>, this: Resource<Swap>) -> Result<()> {
        access.get().table.delete(this)?;
        Ok(())
    }
}

fn not_offered() -> store::Error {
    store::Error::Other("this host does not offer compare-and-swap".to_owned())
}
