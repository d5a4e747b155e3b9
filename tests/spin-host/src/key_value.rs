//! `spin:key-value`: a store is a folder, a value a file named after its key in hexadecimal.
//!
//! Values are replaced by renaming a finished file over the old one, so that readers see either.
//! A test may do the same from outside, while the host serves. Nothing is cached, and nothing is
//! synced to the disk: the values need to outlive the host's process, not the machine's.
//!
//! Writers wait for each other, also those of other processes that have the same folder for their
//! state: Spin keeps its values in a SQLite file there, which several processes may open too.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Error as IoError, ErrorKind, Result as IoResult};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::Result;
use wasmtime::component::{Access, Accessor, FutureReader, HasSelf, Resource, StreamReader};

use crate::bindings::spin::key_value::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::instance::State;

/// A key-value store in a folder, which exists from the first write on.
#[derive(Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    pub fn new(state_dir: &Path, label: &str) -> Self {
        Self { folder: state_dir.join("kv").join(label) }
    }

    pub fn get(&self, key: &str) -> IoResult<Option<Vec<u8>>> {
        none_if_missing(std::fs::read(self.file(key)?))
    }

    pub fn set(&self, key: &str, value: &[u8]) -> IoResult<()> {
        self.change(key, |_| Some(value.to_vec())).map(drop)
    }

    /// Puts another value in the place of the one that is there, unless there is none to put. Gives back the one that was
    /// there.
    pub fn change(&self, key: &str, next: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>) -> IoResult<Option<Vec<u8>>> {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        let file = self.file(key)?;
        let _writing = self.lock()?;
        let value = self.get(key)?;
        if let Some(next) = next(value.as_deref()) {
            let write = WRITES.fetch_add(1, Ordering::Relaxed);
            let unfinished = self.folder.join(format!(".{}-{write}", std::process::id()));
            std::fs::write(&unfinished, next)?;
            std::fs::rename(unfinished, file)?;
        }
        Ok(value)
    }

    pub fn delete(&self, key: &str) -> IoResult<()> {
        let file = self.file(key)?;
        let _writing = self.lock()?;
        none_if_missing(std::fs::remove_file(file)).map(drop)
    }

    /// Whoever writes holds this, as long as it is not dropped.
    fn lock(&self) -> IoResult<File> {
        std::fs::create_dir_all(&self.folder)?;
        let lock = File::options().create(true).append(true).open(self.folder.join(".lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    pub fn keys(&self) -> IoResult<Vec<String>> {
        let Some(entries) = none_if_missing(std::fs::read_dir(&self.folder))? else {
            return Ok(Vec::new());
        };
        let mut keys = Vec::new();
        for entry in entries {
            keys.extend(entry?.file_name().to_str().and_then(from_hex));
        }
        Ok(keys)
    }

    /// A file's name has room for 255 bytes.
    fn file(&self, key: &str) -> IoResult<PathBuf> {
        if key.len() > 127 {
            return Err(IoError::other("this host has no room for keys of more than 127 bytes"));
        }
        Ok(self.folder.join(to_hex(key)))
    }
}

fn none_if_missing<T>(result: IoResult<T>) -> IoResult<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// The empty key needs a name too, and `-` is no hexadecimal digit.
fn to_hex(key: &str) -> String {
    if key.is_empty() {
        return "-".to_owned();
    }
    key.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn from_hex(name: &str) -> Option<String> {
    if name == "-" {
        return Some(String::new());
    }
    let bytes: Option<Vec<u8>> =
        (0..name.len()).step_by(2).map(|at| u8::from_str_radix(name.get(at..at + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

impl From<IoError> for Error {
    fn from(error: IoError) -> Self {
        Self::Other(error.to_string())
    }
}

impl Host for State {}
impl HostStore for State {}

impl HostStoreWithStore<State> for HasSelf<State> {
    async fn open(store: &Accessor<State, Self>, label: String) -> Result<Result<Resource<Store>, Error>> {
        store.with(|mut access| {
            let state = access.get();
            if !state.component.key_value_stores.contains(&label) {
                return Ok(Err(Error::AccessDenied));
            }
            let opened = Store::new(&state.state_dir, &label);
            Ok(Ok(state.table.push(opened)?))
        })
    }

    async fn get(
        store: &Accessor<State, Self>,
        this: Resource<Store>,
        key: String,
    ) -> Result<Result<Option<Vec<u8>>, Error>> {
        Ok(find(store, &this)?.get(&key).map_err(Error::from))
    }

    async fn set(
        store: &Accessor<State, Self>,
        this: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), Error>> {
        Ok(find(store, &this)?.set(&key, &value).map_err(Error::from))
    }

    async fn delete(store: &Accessor<State, Self>, this: Resource<Store>, key: String) -> Result<Result<(), Error>> {
        Ok(find(store, &this)?.delete(&key).map_err(Error::from))
    }

    async fn exists(store: &Accessor<State, Self>, this: Resource<Store>, key: String) -> Result<Result<bool, Error>> {
        let value = find(store, &this)?.get(&key);
        Ok(value.map(|value| value.is_some()).map_err(Error::from))
    }

    async fn get_keys(
        store: &Accessor<State, Self>,
        this: Resource<Store>,
    ) -> Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let (keys, outcome) = match find(store, &this)?.keys() {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(Error::from(error))),
        };
        store.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let outcome = FutureReader::new(&mut access, async { wasmtime::error::Ok(outcome) })?;
            Ok((keys, outcome))
        })
    }

    fn drop(mut access: Access<'_, State, Self>, this: Resource<Store>) -> Result<()> {
        access.get().table.delete(this)?;
        Ok(())
    }
}

fn find(store: &Accessor<State, HasSelf<State>>, this: &Resource<Store>) -> Result<Store> {
    store.with(|mut access| Ok(access.get().table.get(this)?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_live_in_files_named_after_their_keys() {
        let folder = std::env::temp_dir().join(format!("edgate-spin-host-kv-{}", std::process::id()));
        let store = Store::new(&folder, "default");
        assert_eq!(store.get("a/b").unwrap(), None);
        assert!(store.keys().unwrap().is_empty());

        store.set("a/b", b"1").unwrap();
        store.set("", b"2").unwrap();
        assert_eq!(std::fs::read(folder.join("kv/default/612f62")).unwrap(), b"1");
        std::fs::write(folder.join("kv/default/612f62"), "changed from outside").unwrap();
        assert_eq!(store.get("a/b").unwrap().unwrap(), b"changed from outside");
        let mut keys = store.keys().unwrap();
        keys.sort();
        assert_eq!(keys, ["", "a/b"]);

        store.delete("a/b").unwrap();
        store.delete("a/b").unwrap();
        assert_eq!(store.keys().unwrap(), [""]);
        assert!(store.set(&"k".repeat(128), b"").is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn no_change_is_lost_among_several_writers() {
        let folder = std::env::temp_dir().join(format!("edgate-spin-host-kv-writers-{}", std::process::id()));
        let store = Store::new(&folder, "default");
        let add = |value: Option<&[u8]>| {
            let number = value.map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap());
            Some((number + 1u32).to_string().into_bytes())
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| drop(store.change("sum", add).unwrap())));
            }
        });
        assert_eq!(store.get("sum").unwrap().unwrap(), b"200");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
