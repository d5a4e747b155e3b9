//! Ways to spoil a token that was well made.

use super::encoding::{base64url, from_base64url};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// What is done to a token after it was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tamper {
    /// The signature is empty: `a.b.`.
    StripSignature,
    /// The signature is not there, and neither is its dot: `a.b`.
    DropSignature,
    /// One bit of the signature is another one.
    FlipSignature,
    /// All bytes of the signature are zero.
    ZeroSignature,
    /// The first of the two numbers of a signature of ECDSA is zero.
    ZeroR,
    /// The second is.
    ZeroS,
    /// The first is as large as it can be written, and so larger than the order of any curve.
    LargeR,
    /// The last byte of the signature is not there.
    ShortSignature,
    /// The signature has a byte more.
    LongSignature,
    /// The signature of ECDSA is in its ASN.1 form, which tokens do not have (RFC 7518, section 3.4).
    DerSignature,
    /// The claims have one more, `tampered`.
    FlipPayload,
    /// The header has one more member, `tampered`.
    FlipHeader,
    /// The header says `none`, and there is no signature.
    None,
    /// The signature is padded with `=` (RFC 7515, section 2, has no padding).
    Pad,
    /// The unused bits of the signature's last character are not zero (RFC 4648, section 3.5).
    TrailingBits,
    /// A line feed stands before the signature.
    LineFeed,
    /// There is a fourth part.
    FourParts,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Spoils a token.
pub fn spoil(token: &str, how: Tamper) -> Result<String> {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        bail!("`{token}` has no three parts to tamper with");
    };
    Ok(match how {
        Tamper::StripSignature => format!("{header}.{claims}."),
        Tamper::DropSignature => format!("{header}.{claims}"),
        Tamper::FlipSignature => format!("{header}.{claims}.{}", changed(signature, flip)?),
        Tamper::ZeroSignature => format!("{header}.{claims}.{}", changed(signature, |bytes| bytes.fill(0))?),
        Tamper::ZeroR => format!("{header}.{claims}.{}", changed(signature, |bytes| halves(bytes).0.fill(0))?),
        Tamper::ZeroS => format!("{header}.{claims}.{}", changed(signature, |bytes| halves(bytes).1.fill(0))?),
        Tamper::LargeR => format!("{header}.{claims}.{}", changed(signature, |bytes| halves(bytes).0.fill(0xff))?),
        Tamper::ShortSignature => {
            let mut bytes = from_base64url(signature)?;
            bytes.pop();
            format!("{header}.{claims}.{}", base64url(&bytes))
        }
        Tamper::LongSignature => {
            format!("{header}.{claims}.{}", base64url(&[from_base64url(signature)?, vec![0]].concat()))
        }
        Tamper::DerSignature => format!("{header}.{claims}.{}", base64url(&der(&from_base64url(signature)?)?)),
        Tamper::FlipPayload => format!("{header}.{}.{signature}", with_member(claims, "tampered", true.into())?),
        Tamper::FlipHeader => format!("{}.{claims}.{signature}", with_member(header, "tampered", true.into())?),
        Tamper::None => format!("{}.{claims}.", with_member(header, "alg", "none".into())?),
        Tamper::Pad if signature.len().is_multiple_of(4) => bail!("this signature has no padding to be added"),
        Tamper::Pad => format!("{token}{}", "=".repeat(4 - signature.len() % 4)),
        Tamper::TrailingBits => format!("{header}.{claims}.{}", with_trailing_bits(signature)?),
        Tamper::LineFeed => format!("{header}.{claims}.\n{signature}"),
        Tamper::FourParts => format!("{token}.{signature}"),
    })
}

/// Flips one bit in the middle.
pub fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
}

fn halves(bytes: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    bytes.split_at_mut(bytes.len() / 2)
}

fn changed(part: &str, change: impl FnOnce(&mut [u8])) -> Result<String> {
    let mut bytes = from_base64url(part)?;
    change(&mut bytes);
    Ok(base64url(&bytes))
}

fn with_member(part: &str, name: &str, value: Value) -> Result<String> {
    let mut json: Value = serde_json::from_slice(&from_base64url(part)?).context("only JSON can be tampered with")?;
    json.as_object_mut().context("only an object can be tampered with")?.insert(name.to_owned(), value);
    Ok(base64url(json.to_string().as_bytes()))
}

fn with_trailing_bits(part: &str) -> Result<String> {
    let last = part.bytes().last().context("an empty signature has no last character")?;
    let at = ALPHABET.iter().position(|c| *c == last).context("the signature is no base64url")?;
    if part.len().is_multiple_of(4) {
        bail!("every bit of this signature's last character is used");
    }
    Ok(format!("{}{}", &part[..part.len() - 1], char::from(ALPHABET[at | 1])))
}

/// Two numbers as a SEQUENCE of INTEGERs (X.690).
fn der(signature: &[u8]) -> Result<Vec<u8>> {
    if ![64, 96].contains(&signature.len()) {
        bail!("only a signature of ECDSA has an ASN.1 form");
    }
    let (r, s) = signature.split_at(signature.len() / 2);
    let content = [integer(r), integer(s)].concat();
    Ok([vec![0x30, u8::try_from(content.len())?], content].concat())
}

fn integer(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let mut bytes = number[start..].to_vec();
    // A first bit that is set would make it negative.
    if bytes.first().is_none_or(|first| *first >= 0x80) {
        bytes.insert(0, 0);
    }
    // At most 49 bytes.
    [vec![0x02, bytes.len() as u8], bytes].concat()
}
