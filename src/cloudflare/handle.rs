//! The streams that `entry.js` holds for the core, by what the core has of them.

use super::fields::Fields;
use crate::body::HostBody;

/// A body that is not in the wasm.
pub enum Handle {
    /// The client's body.
    Request,
    /// That of a response.
    Response(Held),
}

/// A response that `entry.js` holds: it has the identifier of the request that it answers. Where this is dropped, the
/// response is let go: it would hold one of the few connections that a request may have.
pub struct Held {
    id: u32,
    /// The fields as they came in, where the answer to the client can be made of them.
    pub fields: Option<Fields>,
}

impl Handle {
    /// The handle of a body, if it is one of this host's.
    pub fn of(body: HostBody) -> Option<Handle> {
        body.handle.downcast().ok().map(|handle| *handle)
    }
}

impl Held {
    pub fn new(id: u32) -> Held {
        Held { id, fields: None }
    }

    /// Its identifier and its fields, for a step that takes the response over.
    pub fn take(mut self) -> (u32, Option<Fields>) {
        (std::mem::take(&mut self.id), self.fields.take())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.id != 0 {
            super::HOST.with(|host| host.talk.let_go(self.id));
        }
    }
}
