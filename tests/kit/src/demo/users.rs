//! `users`: `GET /users/{id}`.

use super::{Body, answer, not_found};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::json;

const USERS: [(u32, &str); 3] = [(7, "Ada"), (8, "Grace"), (9, "Barbara")];

pub(super) fn respond(request: &Request<Incoming>) -> Response<Body> {
    let Some(id) = request.uri().path().strip_prefix("/users/") else {
        return not_found("such path: users are at /users/7 to /users/9");
    };
    match USERS.iter().find(|(user, _)| id.parse() == Ok(*user)) {
        Some((id, name)) => answer(StatusCode::OK, &json!({ "id": id, "name": name })),
        None => not_found(&format!("user {id}")),
    }
}
