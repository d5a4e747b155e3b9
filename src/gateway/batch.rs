//! Many requests in one: each of them goes through the gateway as if it had come by itself, from the same client.

use super::Gateway;
use crate::batch::{Batch, Item, MOST_ANSWERED, MOST_BYTES, write};
use crate::body::Body;
use crate::exchange::Exchange;
use crate::headers::{forwarded, section_size};
use crate::host::{HostError, Incoming, SharedHost, Task};
use crate::race::all;
use crate::reject::Reject;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use std::cell::Cell;
use std::time::Duration;

impl Gateway {
    /// Answers a list of requests.
    pub(super) async fn batch(
        &self,
        host: &SharedHost,
        ex: &mut Exchange,
        batch: &Batch,
    ) -> Result<Response<Body>, Reject> {
        // One of many is not many again.
        if ex.within.is_some() {
            return Err(Reject::Loop);
        }
        let body = ex.content(host, MOST_BYTES).await.map_err(Reject::of_content)?;
        let items = batch.read(body).map_err(Reject::BadBatch)?;
        let outer = &*ex;
        let room = Cell::new(MOST_ANSWERED);
        let task = |(at, item)| Box::pin(self.one(host, (outer, &room), batch, (at, item))) as Task<'_, String>;
        let answers = all(items.into_iter().enumerate().map(task).collect(), batch.at_once).await;
        let mut response = Response::new(Body::bytes(["[", &answers.join(","), "]"].concat()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // What may be kept of it is said of each answer by itself.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    /// The answer to one of the requests, as it stands in the list.
    async fn one(
        &self,
        host: &SharedHost,
        (outer, room): (&Exchange, &Cell<u64>),
        batch: &Batch,
        (at, item): (usize, Item),
    ) -> String {
        let Item { method, path, query, headers: own } = item;
        let mut headers = outer.inherited.clone();
        for name in own.keys() {
            headers.remove(name);
        }
        headers.extend(own);
        // What is known of the client was found out for the whole, and is told as it was then.
        for name in &forwarded::FIELDS {
            for value in outer.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        let incoming = Incoming {
            method,
            scheme: outer.scheme,
            authority: outer.authority.clone(),
            path,
            query,
            headers_size: section_size(&headers),
            headers,
            body: Body::Empty,
            peer: outer.peer,
            facts: outer.facts.clone(),
            version: outer.version,
        };
        let mut ex = self.open(host, incoming);
        ex.client = outer.client.clone();
        ex.id = format!("{}-{}", outer.id, at + 1);
        ex.within = Some(outer.time_left(host.now()).unwrap_or_default());
        let is_head = ex.method == Method::HEAD;
        let (parts, body) = self.run_to_end(host, &mut ex).await.into_parts();
        // RFC 9110, section 6.4.1.
        let bodiless =
            matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
        let read = match is_head || bodiless {
            true => Ok(Bytes::new()),
            false => {
                let left = ex.time_left(host.now()).or(ex.within).unwrap_or_default().max(Duration::from_millis(1));
                host.collect(body, batch.max_size.min(room.get()), left).await
            }
        };
        // What it held is free when the next one begins.
        for task in std::mem::take(&mut ex.afterwards) {
            task.await;
        }
        // Others have been read meanwhile.
        let left = |body: &Bytes| room.get().checked_sub(body.len() as u64).ok_or(HostError::BodyTooLarge);
        match read.and_then(|body| Ok((left(&body)?, body))) {
            Ok((left, body)) => {
                room.set(left);
                write(&ex.method, parts.status, &parts.headers, &body)
            }
            Err(error) => {
                let reject = match error {
                    HostError::Timeout => Reject::DeadlineExceeded,
                    _ => Reject::UpstreamFailed,
                };
                let (parts, body) = self.refuse(&mut ex, &reject).into_parts();
                let body = if let Body::Bytes(body) = body { body } else { Bytes::new() };
                write(&ex.method, parts.status, &parts.headers, &body)
            }
        }
    }
}
