//! What the platform's error codes mean.

use crate::host::HostError;
use spin_sdk::wasip3::http::types::ErrorCode;

/// What the platform's codes mean.
pub fn failure(error: &ErrorCode) -> HostError {
    let words = error.to_string();
    match error {
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => HostError::Unreachable(words),
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => HostError::Disconnected(words),
        ErrorCode::ConnectionReadTimeout | ErrorCode::ConnectionWriteTimeout | ErrorCode::HttpResponseTimeout => {
            HostError::Timeout
        }
        ErrorCode::DestinationIpProhibited | ErrorCode::HttpRequestDenied => HostError::Denied(words),
        ErrorCode::HttpProtocolError
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_)
        | ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed => HostError::Protocol(words),
        _ => HostError::Other(words),
    }
}
