//! Digests of contents (RFC 9530): whether the content is what `Content-Digest` says. `Repr-Digest` is about something
//! that a gateway does not have, and algorithms that are broken (section 7.2, "Deprecated") prove nothing.

use super::component::CONTENT_DIGEST;
use super::flaw::Flaw;
use super::structured::dictionary;
use crate::headers::has;
use http::HeaderMap;
use sfv::ListEntry;
use sha2::{Digest, Sha256, Sha512};

/// The algorithms that are checked, as they are spelt here.
const SHA_256: &str = "sha-256";
const SHA_512: &str = "sha-512";

/// Whether the digest of an algorithm is checked, wherever there is one.
pub fn is_checked(algorithm: &str) -> bool {
    [SHA_256, SHA_512].contains(&algorithm)
}

/// Whether the content, as it was sent, is what `Content-Digest` says: in SHA-256 or SHA-512 at least, and in both where
/// there are both. "A recipient MAY ignore any or all digests" (section 2), and those of other algorithms are ignored.
pub fn check_digest(headers: &HeaderMap, content: &[u8]) -> Result<(), Flaw> {
    if !has(headers, &CONTENT_DIGEST) {
        return Err(Flaw::NoDigest);
    }
    let digests = dictionary(headers, &CONTENT_DIGEST).ok_or(Flaw::MalformedDigest)?;
    let mut known = false;
    for (algorithm, member) in &digests {
        let digest = match algorithm.as_str() {
            SHA_256 => Sha256::digest(content).to_vec(),
            SHA_512 => Sha512::digest(content).to_vec(),
            _ => continue,
        };
        let ListEntry::Item(item) = member else { return Err(Flaw::MalformedDigest) };
        let said = item.bare_item.as_byte_sequence().ok_or(Flaw::MalformedDigest)?;
        if said != digest {
            return Err(Flaw::WrongDigest);
        }
        known = true;
    }
    if known { Ok(()) } else { Err(Flaw::NoDigest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = b"{\"hello\": \"world\"}";
    const HELLO_LINE: &[u8] = b"{\"hello\": \"world\"}\n";
    const OF_256: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    const OF_512: &str =
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    /// Of the content with a line end.
    const OF_256_LINE: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
    const OF_512_LINE: &str =
        "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:";
    const BROTLI: &str = "sha-256=:MklYnI/SsUF/5X7enJ2TU+DFjodRObdKLFaPPLe/Kcw=:";
    const EMPTY: &str = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

    fn check(lines: &[&str], content: &[u8]) -> Result<(), Flaw> {
        let headers = lines.iter().map(|line| (CONTENT_DIGEST, line.parse().unwrap())).collect();
        check_digest(&headers, content)
    }

    /// Appendices B and D.
    #[test]
    fn digests_of_rfc_9530_hold() {
        assert_eq!(check(&[OF_256], HELLO), Ok(()));
        assert_eq!(check(&[OF_512], HELLO), Ok(()));
        assert_eq!(check(&[OF_256, OF_512], HELLO), Ok(()));
        assert_eq!(check(&[OF_256_LINE], HELLO_LINE), Ok(()));
        assert_eq!(check(&[OF_512_LINE], HELLO_LINE), Ok(()));
        let encoded = [b"\x8b\x08\x80", HELLO, b"\n\x03"].concat();
        assert_eq!(check(&[BROTLI], &encoded), Ok(()));
        assert_eq!(check(&[EMPTY], b""), Ok(()));
    }

    #[test]
    fn unknown_digests_prove_nothing_and_hinder_nothing() {
        let others = "md5=:Sd/dVLAcvNLSq16eXua5uQ==:, sha=:07CavjDP4u3/TungoUHJO/Wzr4c=:, unixsum=:GQU=:, x=1, y=(a)";
        assert_eq!(check(&[others], HELLO), Err(Flaw::NoDigest));
        assert_eq!(check(&[others, OF_256], HELLO), Ok(()));
    }

    #[test]
    fn every_known_digest_must_hold() {
        for (lines, content, flaw) in [
            (&[][..], HELLO, Flaw::NoDigest),
            (&[""], HELLO, Flaw::NoDigest),
            (&[OF_256], HELLO_LINE, Flaw::WrongDigest),
            (&[OF_256], b"", Flaw::WrongDigest),
            (&[OF_256, OF_512_LINE], HELLO, Flaw::WrongDigest),
            (&[OF_256_LINE, OF_512], HELLO, Flaw::WrongDigest),
            (&["sha-256=::"], HELLO, Flaw::WrongDigest),
            (&["sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBA==:"], HELLO, Flaw::WrongDigest),
            (&["sha-256"], HELLO, Flaw::MalformedDigest),
            (&["sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="], HELLO, Flaw::MalformedDigest),
            (&["sha-256=\"X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=\""], HELLO, Flaw::MalformedDigest),
            (&["sha-256=(:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:)"], HELLO, Flaw::MalformedDigest),
            (&["SHA-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"], HELLO, Flaw::MalformedDigest),
            (&[OF_256, ""], HELLO, Flaw::MalformedDigest),
        ] {
            assert_eq!(check(lines, content), Err(flaw), "{lines:?}");
        }
    }
}
