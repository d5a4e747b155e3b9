//! What a token must say (RFC 7519, section 4.1; RFC 8725, section 3; RFC 9068, section 4). The clock is handed in, and
//! the signature has been checked elsewhere.

use super::flaw::Flaw;
use super::token::Header;
use serde_json::{Map, Value};

/// What an issuer's tokens must say.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Their `iss`, byte for byte.
    pub issuer: String,
    /// One of these must be in their `aud`. `None` where they may be for anybody, or nobody.
    pub audience: Option<Vec<String>>,
    /// Their `typ`. Where there is none, any but those known to be of other tokens.
    pub typ: Option<String>,
    /// Further claims that must be there, whatever they say.
    pub required: Vec<String>,
    /// How far clocks may be apart, in seconds.
    pub leeway: f64,
    /// How long ago their `iat` may be, in seconds; it must be there then.
    pub max_age: Option<f64>,
    pub exp_required: bool,
}

/// The times of a token that has been accepted, in seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// When it must be looked at again: its `exp`, or when it is older than it may be, whichever comes first. Without
    /// leeway.
    pub expires: Option<f64>,
}

/// Types of tokens that show something else than what a client may do. RFC 8725, 3.11 and 3.12: an issuer signs all its
/// tokens with the same keys, so that one of another kind would pass wherever no type is asked for. Access tokens come
/// as `JWT`, as `at+jwt`, under names that issuers have made up, and without any: what is known to be something else is
/// refused, and all the rest may pass.
const OTHER_TYPES: [&str; 25] = [
    // A client makes it: RFC 9449, RFC 9101 (JAR), OAuth client authentication and attestation, OpenID4VCI.
    "dpop+jwt",
    "oauth-authz-req+jwt",
    "client-authentication+jwt",
    "oauth-client-attestation+jwt",
    "oauth-client-attestation-pop+jwt",
    "openid4vci-proof+jwt",
    "key-attestation+jwt",
    "keyattestation+jwt",
    // It says that something happened: OpenID Connect Back-Channel Logout, RFC 8417, RFC 8225.
    "logout+jwt",
    "secevent+jwt",
    "passport",
    // It is an answer or a list: RFC 9701, Token Status List, OpenID Federation.
    "token-introspection+jwt",
    "statuslist+jwt",
    "entity-statement+jwt",
    "explicit-registration-response+jwt",
    "resolve-response+jwt",
    "trust-mark+jwt",
    "jwk-set+jwt",
    // It is within one domain, from service to service: OAuth Transaction Tokens.
    "txntoken+jwt",
    // It is a credential, or shows one: RFC 9901 (SD-JWT), Verifiable Credentials.
    "kb+jwt",
    "dc+sd-jwt",
    "vc+sd-jwt",
    "vc+jwt",
    "vp+jwt",
    "sd-jwt",
];

impl Rules {
    /// Whether a token may pass.
    pub fn check(&self, header: &Header, claims: &Map<String, Value>, now_seconds: f64) -> Result<Times, Flaw> {
        self.check_type(header.typ.as_deref())?;
        match claims.get("iss") {
            None => return Err(missing("iss")),
            Some(Value::String(issuer)) if *issuer == self.issuer => {}
            Some(Value::String(_)) => return Err(Flaw::WrongIssuer),
            Some(_) => return Err(Flaw::BadClaim("iss")),
        }
        self.check_audience(claims.get("aud"))?;
        let expires = self.check_times(claims, now_seconds)?;
        match self.required.iter().find(|name| claims.get(*name).is_none_or(Value::is_null)) {
            Some(name) => Err(missing(name)),
            None => Ok(Times { expires }),
        }
    }

    fn check_type(&self, typ: Option<&str>) -> Result<(), Flaw> {
        let typ = typ.map(media_type);
        let right = match (&self.typ, typ) {
            (Some(wanted), Some(typ)) => typ.eq_ignore_ascii_case(media_type(wanted)),
            (Some(_), None) => false,
            (None, Some(typ)) => !OTHER_TYPES.iter().any(|other| typ.eq_ignore_ascii_case(other)),
            (None, None) => true,
        };
        if right { Ok(()) } else { Err(Flaw::WrongType) }
    }

    /// RFC 7519, 4.1.3: "an array of case-sensitive strings", or one string. Anything else is refused, also where the
    /// audience may be any.
    fn check_audience(&self, audience: Option<&Value>) -> Result<(), Flaw> {
        const BAD: Flaw = Flaw::BadClaim("aud");
        let wanted = |name: &String| self.audience.as_ref().is_none_or(|wanted| wanted.contains(name));
        let named = match audience {
            None if self.audience.is_some() => return Err(missing("aud")),
            None => true,
            Some(Value::String(name)) => wanted(name),
            Some(Value::Array(names)) => {
                let mut named = self.audience.is_none();
                for name in names {
                    let Value::String(name) = name else { return Err(BAD) };
                    named |= wanted(name);
                }
                named
            }
            Some(_) => return Err(BAD),
        };
        if named { Ok(()) } else { Err(Flaw::WrongAudience) }
    }

    /// RFC 7519, 4.1.4 to 4.1.6, each with "some small leeway, usually no more than a few minutes, to account for clock
    /// skew". Gives [`Times::expires`].
    fn check_times(&self, claims: &Map<String, Value>, now: f64) -> Result<Option<f64>, Flaw> {
        let expires = time(claims, "exp")?;
        let begins = time(claims, "nbf")?;
        let issued = time(claims, "iat")?;
        match expires {
            None if self.exp_required => return Err(missing("exp")),
            // 4.1.4: "the expiration time on or after which the JWT MUST NOT be accepted".
            Some(expires) if now >= expires + self.leeway => return Err(Flaw::Expired),
            _ => {}
        }
        if begins.is_some_and(|begins| now < begins - self.leeway) {
            return Err(Flaw::NotYetValid);
        }
        // Nothing in RFC 7519 asks for it; but then the issuer's clock, or the token, cannot be trusted with `exp`.
        if issued.is_some_and(|issued| now < issued - self.leeway) {
            return Err(Flaw::IssuedInFuture);
        }
        let Some(max_age) = self.max_age else { return Ok(expires) };
        let oldest = issued.ok_or_else(|| missing("iat"))? + max_age;
        if now > oldest + self.leeway {
            return Err(Flaw::TooOld);
        }
        Ok(Some(expires.map_or(oldest, |expires| expires.min(oldest))))
    }
}

fn missing(name: &str) -> Flaw {
    Flaw::MissingClaim(name.to_owned())
}

/// RFC 7515, 4.1.9: "it is RECOMMENDED that producers omit an "application/" prefix", and media types are compared
/// without regard to case.
fn media_type(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    }
}

/// A NumericDate (RFC 7519, section 2): a number of seconds, which "can be fractional".
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, Flaw> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if seconds.is_finite() => Ok(Some(seconds)),
            _ => Err(Flaw::BadClaim(name)),
        },
    }
}

#[cfg(test)]
mod tests;
