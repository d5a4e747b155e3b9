//! `orders`: `GET /v1/orders`, `POST /v1/orders`, `GET /v1/orders/{id}`. New ones are kept in memory.

use super::{Body, answer, not_found};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The longest order, in bytes.
const LIMIT: usize = 64 * 1024;

/// All orders; the number of each is its place, from 1 on.
#[derive(Debug)]
pub(super) struct Orders(Mutex<Vec<Value>>);

impl Orders {
    pub(super) fn new() -> Orders {
        Orders(Mutex::new(vec![
            json!({ "id": 1, "user": 7, "item": "lamp", "total": 4900 }),
            json!({ "id": 2, "user": 7, "item": "desk", "total": 24900 }),
            json!({ "id": 3, "user": 8, "item": "chair", "total": 12900 }),
        ]))
    }

    pub(super) async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        match (request.method(), path.strip_prefix("/v1/orders").map(|rest| rest.trim_start_matches('/'))) {
            (&Method::GET | &Method::HEAD, Some("")) => answer(StatusCode::OK, &json!({ "orders": *self.lock() })),
            (&Method::POST, Some("")) => self.create(request).await,
            (&Method::GET | &Method::HEAD, Some(id)) => self.find(id),
            (_, Some(_)) => {
                answer(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "orders are only read and created" }))
            }
            (_, None) => not_found("such path: orders are at /v1/orders"),
        }
    }

    fn find(&self, id: &str) -> Response<Body> {
        let found = id.parse::<usize>().ok().and_then(|id| self.lock().get(id.checked_sub(1)?).cloned());
        found.map_or_else(|| not_found(&format!("order {id}")), |order| answer(StatusCode::OK, &order))
    }

    async fn create(&self, request: Request<Incoming>) -> Response<Body> {
        let Ok(body) = Limited::new(request.into_body(), LIMIT).collect().await else {
            return answer(StatusCode::PAYLOAD_TOO_LARGE, &json!({ "error": "the order is too large" }));
        };
        let Ok(Value::Object(mut order)) = serde_json::from_slice(&body.to_bytes()) else {
            return answer(StatusCode::BAD_REQUEST, &json!({ "error": "an order is a JSON object" }));
        };
        let mut orders = self.lock();
        let id = orders.len() + 1;
        order.insert("id".to_owned(), id.into());
        let order = Value::Object(order);
        orders.push(order.clone());
        let mut response = answer(StatusCode::CREATED, &order);
        if let Ok(place) = HeaderValue::from_str(&format!("/v1/orders/{id}")) {
            response.headers_mut().insert(LOCATION, place);
        }
        response
    }

    /// Another task's panic leaves the orders as good as they were.
    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
