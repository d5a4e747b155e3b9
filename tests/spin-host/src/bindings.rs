//! The interfaces of Spin that this host implements itself, generated from `wit/`.

wasmtime::component::bindgen!({
    path: "wit",
    world: "edgate:spin-host/imports",
    imports: { default: store | trappable },
    with: {
        "spin:key-value/key-value.store": crate::key_value::Store,
        "spin:redis/redis.connection": crate::redis::Connection,
        "wasi:keyvalue/store.bucket": crate::key_value::Store,
        "wasi:keyvalue/atomics.cas": crate::increments::Swap,
    },
});
