//! `wasi:keyvalue`: the stores of `spin:key-value`, and changes to them that are atomic. They are as Spin's own are, on
//! SQLite, with what is not as the interface's description has it:
//!
//! - a swap that has seen no value puts its own there, whatever is there meanwhile;
//! - what a swap took is never given back, and an instance can have 256;
//! - `increment` wants a value of 8 bytes, and ends where there is another one.
//!
//! A store whose label begins with `redis` is as Spin's are on Redis: no swap there ever says that it took place.

use wasmtime::component::{Access, HasSelf, Resource};
use wasmtime::{Result, bail};

use crate::bindings::wasi::keyvalue::{atomics, store};
use crate::instance::State;
use crate::key_value::Store;

/// How many swaps an instance can begin.
const MOST: usize = 256;

/// A swap: the value that was read last, and where.
pub struct Swap {
    store: Store,
    key: String,
    seen: Option<Vec<u8>>,
}

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

    fn swap(
        mut access: Access<'_, State, Self>,
        cas: Resource<Swap>,
        value: Vec<u8>,
    ) -> Result<Result<(), atomics::CasError>> {
        let state = access.get();
        let Swap { store, key, seen } = state.table.delete(cas)?;
        let mut swapped = false;
        let before = store.change(&key, |now| {
            swapped = seen.is_none() || seen.as_deref() == now;
            swapped.then_some(value)
        });
        let seen = match before {
            Ok(_) if swapped && !store.label().starts_with("redis") => return Ok(Ok(())),
            Ok(_) => store.get(&key).unwrap_or_default(),
            Err(error) => return Ok(Err(atomics::CasError::StoreError(error.into()))),
        };
        Ok(Err(match begin(state, Swap { store, key, seen })? {
            Ok(again) => atomics::CasError::CasFailed(again),
            Err(error) => atomics::CasError::StoreError(error),
        }))
    }
}

impl atomics::HostCasWithStore<State> for HasSelf<State> {
    fn new(
        mut access: Access<'_, State, Self>,
        bucket: Resource<Store>,
        key: String,
    ) -> Result<Result<Resource<Swap>, store::Error>> {
        let state = access.get();
        let store = state.table.get(&bucket)?.clone();
        begin(state, Swap { store, key, seen: None })
    }

    fn current(
        mut access: Access<'_, State, Self>,
        this: Resource<Swap>,
    ) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        let swap = access.get().table.get_mut(&this)?;
        Ok(match swap.store.get(&swap.key) {
            Ok(value) => {
                swap.seen.clone_from(&value);
                Ok(value)
            }
            Err(error) => Err(error.into()),
        })
    }

    fn drop(mut access: Access<'_, State, Self>, this: Resource<Swap>) -> Result<()> {
        let state = access.get();
        state.table.delete(this)?;
        state.swaps -= 1;
        Ok(())
    }
}

fn begin(state: &mut State, swap: Swap) -> Result<Result<Resource<Swap>, store::Error>> {
    if state.swaps == MOST {
        return Ok(Err(store::Error::Other("too many compare_and_swaps opened".to_owned())));
    }
    state.swaps += 1;
    Ok(Ok(state.table.push(swap)?))
}
