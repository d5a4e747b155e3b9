use super::*;
use crate::jose::base64;
use crate::jose::secret::{Secret, hmac_verify};
use crate::jose::tests::{jwk, known_signatures, public};

/// Those over `edgate` by OpenSSL, of PSS with a salt of 20 bytes and of ECDSA in DER.
const SHORT_SALT: &str = "nhwo1nLAC36cYTkGqNwL_nH9RmBe0wBKPW07oAOXHGZ3nHMiJy8CgJEnOBnWdhmtGs0vqJoTd1en9MJyhpjF0k8qKXmTyZ-eGwpa4IAagL6xHq9nbETwKjzS-hkiTXSZ-0hDcDyld_wkqOjrAcvTChOS6XihRXL29wcKPSHE-8BSvmCKcVHUhabFwUHQtIrksMKez5deCRYbD7cvTebq2GYLQkRoUnXaCiwoUrXgP8nLOBSFSl0G4zMY8xeEMBIqDrmoPupchhqLDGG8sF2wdk3NKdZCA86vWlNwEQRbfmJwRJKerybHowgJvp2r24Fixm81NfML9xIeoor6b2bxDw";
const ES256_DER: &str =
    "MEYCIQCFu48UY1K9-KF5LYMUJth7_plG8q27p6EhOKd1pDUBhwIhAOxKctTPCTmvEiIYNLBJw-70lGuYtikcHWKu7ytkhGZU";
const ES384_DER: &str = "MGUCMQCz3yuW8wGGcSe0b9RiNbKeku8gY0mqYj2hhh4rXQ3FBqNAV0VqF9qy4FujB0AsGhsCMDgH0l5CJ8hkWQuKpVTsvppb1mUpkjTWRaUZdpVA1LHIqxrj3KNNnwmT74ny_hvXHA";

/// The orders of P-256 and P-384.
const N256: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";
const N384: &str = "________________________________x2NNgfQ3Ld9YGg2ySLCneuzsGWrMxSlz";

fn decode(text: &str) -> Vec<u8> {
    base64::decode(text).expect("it is base64url")
}

fn holds(algorithm: Algorithm, key: &str, message: &str, signature: &[u8]) -> bool {
    verify(algorithm, &public(key), message.as_bytes(), signature)
}

#[test]
fn known_signatures_hold_and_by_their_own_algorithm_only() {
    let mut seen = std::collections::BTreeSet::new();
    for (key, algorithm, message, signature) in known_signatures() {
        seen.insert(algorithm);
        if algorithm.is_symmetric() {
            let secret = Secret::new(decode(jwk(key)["k"].as_str().expect("it is a string")));
            assert!(hmac_verify(algorithm, &secret, message.as_bytes(), &signature), "{key}");
            continue;
        }
        let key = public(key);
        for other in Algorithm::ALL {
            let held = verify(other, &key, message.as_bytes(), &signature);
            assert_eq!(held, other == algorithm, "{} as {}", algorithm.name(), other.name());
        }
        assert!(!verify(algorithm, &key, format!("{message} ").as_bytes(), &signature));
        assert!(!verify(algorithm, &key, b"", &signature));
    }
    assert_eq!(seen.len(), Algorithm::ALL.len() - 2, "HS384 and HS512 are tested elsewhere");
}

#[test]
fn signatures_of_other_lengths_or_with_other_bits_do_not_hold() {
    let asymmetric = known_signatures().into_iter().filter(|known| !known.1.is_symmetric());
    for (key, algorithm, message, signature) in asymmetric.filter(|known| known.2 == "edgate") {
        let key = public(key);
        let held = |signature: &[u8]| verify(algorithm, &key, message.as_bytes(), signature);
        let (first, last) = (&signature[1..], &signature[..signature.len() - 1]);
        let longer = [&signature[..], &[0]].concat();
        let padded = [&[0], &signature[..]].concat();
        for bad in [&[][..], &[0], first, last, &longer, &padded, &signature.repeat(2), &vec![0; signature.len()]] {
            assert!(!held(bad), "{}: {} bytes", algorithm.name(), bad.len());
        }
        for at in [0, 1, signature.len() / 2, signature.len() - 1] {
            let mut bad = signature.clone();
            bad[at] ^= 1;
            assert!(!held(&bad), "{}: byte {at}", algorithm.name());
        }
    }
}

/// RFC 8017, 5.2.2: what is not smaller than the modulus is no signature. Here it is another spelling of a good one.
#[test]
fn rsa_signatures_are_smaller_than_the_modulus() {
    let JsonWebKey::Rsa { modulus, .. } = public("openssl-2049").jwk else { panic!("it is RSA") };
    let modulus = BigUint::from_bytes_be(&modulus);
    let mut judged = 0;
    for (key, algorithm, message, signature) in known_signatures().into_iter().filter(|known| known.0 == "openssl-2049")
    {
        let larger = (BigUint::from_bytes_be(&signature) + &modulus).to_bytes_be();
        assert_eq!(larger.len(), signature.len(), "the modulus leaves room in its first byte");
        assert!(holds(algorithm, key, message, &signature));
        assert!(!holds(algorithm, key, message, &larger), "{}", algorithm.name());
        judged += 1;
    }
    assert_eq!(judged, 2);
}

/// RFC 7518, 3.5: "The size of the salt value is the same size as the hash function output."
#[test]
fn pss_salts_are_as_long_as_the_hash() {
    assert!(!holds(Algorithm::Ps256, "rfc7515-a2", "edgate", &decode(SHORT_SALT)));
}

/// RFC 7518, 3.4: r and s as they are, not in DER.
#[test]
fn ecdsa_signatures_are_not_in_der() {
    assert!(!holds(Algorithm::Es256, "rfc7515-a3", "edgate", &decode(ES256_DER)));
    assert!(!holds(Algorithm::Es384, "openssl-p384", "edgate", &decode(ES384_DER)));
}

/// CVE-2022-21449: with zeros for both, everything was signed.
#[test]
fn ecdsa_numbers_are_between_zero_and_the_order() {
    for (algorithm, order) in [(Algorithm::Es256, N256), (Algorithm::Es384, N384)] {
        let known = known_signatures().into_iter().find(|known| known.1 == algorithm && known.2 == "edgate");
        let (key, _, message, signature) = known.expect("there is one");
        let (r, s) = signature.split_at(signature.len() / 2);
        let order = decode(order);
        assert_eq!(order.len(), r.len());
        let (zero, ones) = (vec![0; r.len()], vec![0xff; r.len()]);
        for bad in [&zero, &order, &ones] {
            for pair in [[bad, s], [r, bad], [bad, bad]] {
                assert!(!holds(algorithm, key, message, &pair.concat()), "{}", algorithm.name());
            }
        }
        assert!(!holds(algorithm, key, message, &[s, r].concat()));
        assert!(holds(algorithm, key, message, &[r, s].concat()));
    }
}

/// RFC 8032, 5.1.7: s is smaller than the order, or there were two spellings of one signature.
#[test]
fn ed25519_signatures_have_one_spelling() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let known = known_signatures().into_iter().find(|known| known.1 == Algorithm::EdDsa).expect("there is one");
    let (key, algorithm, message, mut signature) = known;
    assert!(holds(algorithm, key, message, &signature));
    let mut carry = 0;
    for (byte, addend) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(addend) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert!(!holds(algorithm, key, message, &signature));
}

#[test]
fn what_is_signed_verifies() {
    for (name, algorithm) in [("rfc7515-a3", Algorithm::Es256), ("rfc8037-a1", Algorithm::EdDsa)] {
        let key = SigningKey::parse(&jwk(name).to_string(), algorithm).expect("it is a private key");
        let signature = sign(&key, b"message").expect("it signs");
        assert_eq!(signature.len(), 64);
        assert!(holds(algorithm, name, "message", &signature));
    }
    // RFC 8037, appendix A.4: EdDSA is deterministic.
    let key = SigningKey::parse(&jwk("rfc8037-a1").to_string(), Algorithm::EdDsa).expect("it is a private key");
    let (_, _, message, signature) =
        known_signatures().into_iter().find(|known| known.0 == "rfc8037-a1").expect("it is there");
    assert_eq!(sign(&key, message.as_bytes()), Some(signature));
}

/// RFC 6979, appendix A.2.6: SHA-384, message "sample".
#[test]
fn es384_signs_as_the_specification_has_it() {
    let private = "a509rS4bjBwFsZh1tmWfTeI8O2Z78pe6mqR3QHhxN9iW1XJOTHCoJfhyyepg0u31";
    let signature = "lO27kqXsuKrUc25WxpGRaz-IFAZmzp-nPWTE6pWtEzyBpkgVLkSs-W423R6A-r5Gme9K6xXxeM6h_kDbJgMTjxMOdAoZYkUmIDtjUdCjqU-jKcFFeG5nnnuCxxo4YorI";
    let key = p384::ecdsa::SigningKey::from_slice(&decode(private)).expect("it is a private key");
    assert_eq!(base64::encode(&Es384.sign(&key, b"sample").as_bytes()), signature);
}
