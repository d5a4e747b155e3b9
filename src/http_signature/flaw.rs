//! Why a request is not signed as it must be. A closed list; what a client is told of it is not decided here.

use std::fmt;

/// Why a request is not signed as it must be. Components are written as the signature has them: `"@method"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// `Signature-Input` and `Signature` do not have the same labels.
    Unpaired,
    /// `Signature-Input` or `Signature` is not written as it must be.
    Malformed,
    /// There are more signatures, or longer ones, than edgate reads.
    TooLarge,
    /// A component that no request has, or that edgate does not understand.
    UnknownComponent(String),
    /// A component is covered twice.
    RepeatedComponent(String),
    /// A component that the request does not have.
    MissingComponent(String),
    /// A component whose value cannot be written down in one way only.
    UnclearComponent(String),
    /// A component that must be covered is not.
    UncoveredComponent(String),
    /// It does not say when it was made.
    NoCreated,
    /// It was made in the future.
    FromFuture,
    /// It was made too long ago.
    TooOld,
    /// Its own time is over.
    Expired,
    /// It was made for something else.
    WrongTag,
    /// It has no nonce.
    NoNonce,
    /// It names another algorithm than its key's.
    WrongAlgorithm,
    /// It is not the key's over this request.
    WrongSignature,
    /// There is no digest of the content in SHA-256 or SHA-512.
    NoDigest,
    /// `Content-Digest` is not written as it must be.
    MalformedDigest,
    /// The content is not what its digest says.
    WrongDigest,
}

impl Flaw {
    /// Its stable name, for logs.
    pub fn code(&self) -> &'static str {
        match self {
            Flaw::Unpaired => "unpaired-signature",
            Flaw::Malformed => "malformed-signature",
            Flaw::TooLarge => "signatures-too-large",
            Flaw::UnknownComponent(_) => "unknown-component",
            Flaw::RepeatedComponent(_) => "repeated-component",
            Flaw::MissingComponent(_) => "missing-component",
            Flaw::UnclearComponent(_) => "unclear-component",
            Flaw::UncoveredComponent(_) => "uncovered-component",
            Flaw::NoCreated => "no-created",
            Flaw::FromFuture => "signature-from-future",
            Flaw::TooOld => "signature-too-old",
            Flaw::Expired => "signature-expired",
            Flaw::WrongTag => "wrong-tag",
            Flaw::NoNonce => "no-nonce",
            Flaw::WrongAlgorithm => "wrong-algorithm",
            Flaw::WrongSignature => "wrong-signature",
            Flaw::NoDigest => "no-digest",
            Flaw::MalformedDigest => "malformed-digest",
            Flaw::WrongDigest => "wrong-digest",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flaw::Unpaired => "Signature-Input and Signature do not have the same labels",
            Flaw::Malformed => "Signature-Input or Signature is not written as RFC 9421 has it",
            Flaw::TooLarge => "there are more signatures, or longer ones, than are read",
            Flaw::UnknownComponent(component) => return write!(f, "the signature covers {component}: not understood"),
            Flaw::RepeatedComponent(component) => return write!(f, "the signature covers {component} twice"),
            Flaw::MissingComponent(component) => {
                return write!(f, "the signature covers {component}, which the request does not have");
            }
            Flaw::UnclearComponent(component) => {
                return write!(f, "the signature covers {component}, whose value cannot be signed");
            }
            Flaw::UncoveredComponent(component) => return write!(f, "the signature does not cover {component}"),
            Flaw::NoCreated => "the signature does not say when it was created",
            Flaw::FromFuture => "the signature was created in the future",
            Flaw::TooOld => "the signature is too old",
            Flaw::Expired => "the signature has expired",
            Flaw::WrongTag => "the signature does not have the tag that it must have",
            Flaw::NoNonce => "the signature has no nonce",
            Flaw::WrongAlgorithm => "the signature names another algorithm than its key's",
            Flaw::WrongSignature => "the signature does not hold",
            Flaw::NoDigest => "there is no Content-Digest with sha-256 or sha-512",
            Flaw::MalformedDigest => "Content-Digest is not written as RFC 9530 has it",
            Flaw::WrongDigest => "the content is not what Content-Digest says",
        })
    }
}

impl std::error::Error for Flaw {}
