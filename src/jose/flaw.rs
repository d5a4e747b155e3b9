//! Why a token is refused. One closed list: a code for the log, a sentence for people, and nothing of the token itself.

use std::fmt;

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It is no token at all (RFC 7515, section 5.2): what is wrong, as a sentence's end after "it".
    Malformed(&'static str),
    /// It is larger than a token may be.
    TooLarge,
    /// Its `alg` is none that edgate knows: `none` among them.
    UnknownAlgorithm,
    /// Its `alg` is known, and not one of the issuer's.
    AlgorithmNotAllowed,
    /// It asks for an extension (RFC 7515, section 4.1.11). None is understood.
    CriticalHeader,
    /// Its header brings a key, or says where one is (RFC 8725, section 3.10).
    EmbeddedKey,
    /// It is a token of another kind (RFC 8725, section 3.11).
    WrongType,
    WrongIssuer,
    WrongAudience,
    Expired,
    NotYetValid,
    IssuedInFuture,
    /// Its `iat` is longer ago than it may be.
    TooOld,
    /// A claim that must be there is not.
    MissingClaim(String),
    /// A claim is of a type that it may not be.
    BadClaim(&'static str),
    /// The issuer has no key that the token can be checked with.
    UnknownKey,
    BadSignature,
    Revoked,
    /// The issuer was asked, and says that the token is not active (RFC 7662, section 2.2).
    NotActive,
    /// It is bound to no key where it must be, or to another one than the client has shown (RFC 9449).
    NotBound,
}

impl Flaw {
    /// A word for the log, which stays.
    pub fn code(&self) -> &'static str {
        match self {
            Flaw::Malformed(_) => "malformed",
            Flaw::TooLarge => "too-large",
            Flaw::UnknownAlgorithm => "unknown-algorithm",
            Flaw::AlgorithmNotAllowed => "algorithm-not-allowed",
            Flaw::CriticalHeader => "critical-header",
            Flaw::EmbeddedKey => "embedded-key",
            Flaw::WrongType => "wrong-type",
            Flaw::WrongIssuer => "wrong-issuer",
            Flaw::WrongAudience => "wrong-audience",
            Flaw::Expired => "expired",
            Flaw::NotYetValid => "not-yet-valid",
            Flaw::IssuedInFuture => "issued-in-future",
            Flaw::TooOld => "too-old",
            Flaw::MissingClaim(_) => "missing-claim",
            Flaw::BadClaim(_) => "bad-claim",
            Flaw::UnknownKey => "unknown-key",
            Flaw::BadSignature => "bad-signature",
            Flaw::Revoked => "revoked",
            Flaw::NotActive => "not-active",
            Flaw::NotBound => "not-bound",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flaw::Malformed(what) => return write!(f, "it {what}"),
            Flaw::MissingClaim(name) => return write!(f, "it has no claim `{name}`"),
            Flaw::BadClaim(name) => return write!(f, "its claim `{name}` is not of the type that it must be"),
            Flaw::TooLarge => "it is larger than a token may be",
            Flaw::UnknownAlgorithm => "its algorithm is none that edgate knows",
            Flaw::AlgorithmNotAllowed => "its algorithm is not one of the issuer's",
            Flaw::CriticalHeader => "it asks for an extension that edgate does not understand",
            Flaw::EmbeddedKey => "its header brings a key, or says where one is: keys come from the issuer only",
            Flaw::WrongType => "it is a token of another kind",
            Flaw::WrongIssuer => "its issuer is not this one",
            Flaw::WrongAudience => "its audience is not one of this gateway's",
            Flaw::Expired => "it has expired",
            Flaw::NotYetValid => "it is not valid yet",
            Flaw::IssuedInFuture => "it says that it was issued in the future",
            Flaw::TooOld => "it was issued longer ago than a token may be",
            Flaw::UnknownKey => "the issuer has no key that it can be checked with",
            Flaw::BadSignature => "its signature does not hold",
            Flaw::Revoked => "it has been taken back",
            Flaw::NotActive => "the issuer says that it is not active",
            Flaw::NotBound => "it is not bound to a key that the client has shown",
        })
    }
}
