//! The largest request body a route takes. A declared length is refused before anything is read (RFC 9110, section
//! 15.5.14); a body of unknown length is counted by the host while it passes.

use crate::body::Body;
use crate::config::units::Size;
use crate::exchange::Exchange;
use crate::headers::content_length;
use crate::reject::Reject;

/// The largest request body, in bytes.
#[derive(Debug)]
pub struct LimitBody {
    pub most: u64,
}

impl LimitBody {
    pub fn describe(&self) -> String {
        format!("request bodies up to {}", Size(self.most))
    }

    pub fn on_request(&self, ex: &mut Exchange) -> Result<(), Reject> {
        let declared = content_length(&ex.headers).map_err(|_| Reject::BadLength)?;
        ex.notes.request_bytes = declared.or(ex.body.length());
        if declared.or(ex.body.length()).is_some_and(|length| length > self.most) {
            return Err(Reject::BodyTooLarge);
        }
        if let Body::Host(body) = &mut ex.body
            && body.length.is_none()
        {
            body.limit = Some(self.most);
        }
        Ok(())
    }
}
