//! Passwords as the configuration has them: hashes by argon2 (RFC 9106) and bcrypt, whose cost is bounded, and whether a
//! password fits one.
//!
//! A verification is slow by intention. Natively, with the build's `opt-level`, argon2id with 19 MiB twice took 57 ms,
//! with 7 MiB five times 37 ms, and bcrypt 79 ms with a cost of 10 and 18 ms with 8; Workers' free plan gives a request
//! 10 ms of CPU time. So whoever calls [`verify`] remembers the answer for a while ([`crate::bounded`]), under a hash of
//! the header field, and the first request of a client pays.

pub mod basic;

use argon2::password_hash::{PasswordHash, PasswordHasher, SaltString};
use argon2::{Argon2, Params, Version};
use base64ct::{Base64Bcrypt, Encoding};
use std::fmt;
use subtle::ConstantTimeEq;

/// The most memory of an argon2 hash, in KiB: half of what a Workers instance has.
pub const MOST_MEMORY: u32 = 64 * 1024;
/// The most memory times iterations, in KiB: 64 MiB three times, the second recommendation of RFC 9106, section 4.
pub const MOST_WORK: u32 = 3 * MOST_MEMORY;
/// The most iterations, whatever the memory.
pub const MOST_ITERATIONS: u32 = 20;
/// The most lanes of an argon2 hash. They are computed one after the other.
pub const MOST_LANES: u32 = 16;
/// The highest cost of a bcrypt hash.
pub const MOST_COST: u32 = 12;

/// What bcrypt reads of a password, in bytes. The last one is a zero where the password is shorter.
pub const BCRYPT_READS: usize = 72;

/// A password's hash. It is not shown: it can be attacked where it is known.
#[derive(Clone, PartialEq)]
pub struct Hash(Kind);

#[derive(Clone, PartialEq)]
enum Kind {
    Argon2 { algorithm: argon2::Algorithm, version: Version, params: Params, salt: Vec<u8>, output: Vec<u8> },
    Bcrypt { cost: u32, salt: [u8; 16], output: [u8; 23] },
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

/// Whether a password is the one of a hash. It takes as long whether it is or not.
pub fn verify(hash: &Hash, password: &str) -> bool {
    match &hash.0 {
        Kind::Argon2 { algorithm, version, params, salt, output } => {
            let mut computed = vec![0; output.len()];
            let argon2 = Argon2::new(*algorithm, *version, params.clone());
            let done = argon2.hash_password_into(password.as_bytes(), salt, &mut computed).is_ok();
            done & bool::from(computed.ct_eq(output))
        }
        Kind::Bcrypt { cost, salt, output } => bcrypt_output(*cost, *salt, password).ct_eq(output).into(),
    }
}

impl Hash {
    /// Reads a hash: a PHC string of argon2, or `$2a$`, `$2b$` and `$2y$` of bcrypt. The error says what is wrong with
    /// it, for a diagnostic.
    pub fn parse(text: &str) -> Result<Hash, String> {
        match text.split('$').nth(1) {
            Some("argon2id" | "argon2i" | "argon2d") => argon2(text).map(Hash),
            Some("2a" | "2b" | "2y") => bcrypt(text).map(Hash),
            Some("2x") => Err("`$2x$` marks hashes of a bcrypt with a flaw: the password needs a new one".to_owned()),
            _ => Err("it begins with neither `$argon2id$`, `$argon2i$` or `$argon2d$` nor `$2b$`, `$2a$` or `$2y$`"
                .to_owned()),
        }
    }

    /// A hash that no password is known to fit and that costs what these cost, for users who do not exist: so how long
    /// an answer takes does not tell who does. Where hashes differ in cost, it is like most of them; only with the same
    /// cost for all does time tell nothing. `None` where there are none.
    pub fn like(hashes: &[Hash]) -> Option<Hash> {
        let dummies: Vec<Hash> = hashes.iter().map(Hash::dummy).collect();
        let count = |dummy: &Hash| dummies.iter().filter(|other| *other == dummy).count();
        dummies.iter().max_by_key(|dummy| count(dummy)).cloned()
    }

    /// Of the same cost, and without anything of the password's.
    fn dummy(&self) -> Hash {
        Hash(match &self.0 {
            Kind::Argon2 { algorithm, version, params, salt, output } => Kind::Argon2 {
                algorithm: *algorithm,
                version: *version,
                params: params.clone(),
                salt: vec![0; salt.len()],
                output: vec![0; output.len()],
            },
            Kind::Bcrypt { cost, .. } => Kind::Bcrypt { cost: *cost, salt: [0; 16], output: [0; 23] },
        })
    }
}

/// How a new hash is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// 19 MiB, twice, one lane: the least that OWASP's Password Storage Cheat Sheet recommends.
    Argon2id,
    /// With a cost of 10, the least that it recommends.
    Bcrypt,
}

/// Makes the hash of a password, as [`Hash::parse`] reads it. The salt is random.
pub fn make(algorithm: Algorithm, password: &str, salt: [u8; 16]) -> Result<String, String> {
    match algorithm {
        Algorithm::Argon2id => {
            let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
            let hash =
                Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|error| error.to_string())?;
            Ok(hash.to_string())
        }
        // What it does not read it would not check.
        Algorithm::Bcrypt if password.len() > BCRYPT_READS => {
            Err(format!("bcrypt reads {BCRYPT_READS} bytes, and the password has {}", password.len()))
        }
        Algorithm::Bcrypt => {
            let (salt, output) = (Base64Bcrypt::encode_string(&salt), bcrypt_output(10, salt, password));
            Ok(format!("$2b$10${salt}{}", Base64Bcrypt::encode_string(&output)))
        }
    }
}

fn bcrypt_output(cost: u32, salt: [u8; 16], password: &str) -> [u8; 23] {
    // It reads a zero after the password, and nothing after 72 bytes.
    let mut bytes = [password.as_bytes(), &[0]].concat();
    bytes.truncate(BCRYPT_READS);
    let [output @ .., _] = bcrypt::bcrypt(cost, salt, &bytes);
    output
}

fn argon2(text: &str) -> Result<Kind, String> {
    let hash = PasswordHash::new(text).map_err(|error| format!("it is no PHC string: {error}"))?;
    let algorithm = argon2::Algorithm::try_from(hash.algorithm).map_err(|error| error.to_string())?;
    // As the reference implementation reads it: hashes of the first version do not say so.
    let version = Version::try_from(hash.version.unwrap_or(0x10)).map_err(|error| error.to_string())?;
    let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
        return Err("its salt or its hash is missing".to_owned());
    };
    let mut bytes = [0; 64];
    let salt = salt.decode_b64(&mut bytes).map_err(|error| format!("its salt cannot be read: {error}"))?;
    // RFC 9106, section 3.1: a salt SHOULD have 16 bytes; its reference implementation takes none below 8.
    if salt.len() < 8 || output.len() < 16 {
        return Err("its salt has fewer than 8 bytes, or its hash has fewer than 16".to_owned());
    }
    let params = params(&hash, output.len())?;
    Ok(Kind::Argon2 { algorithm, version, params, salt: salt.to_vec(), output: output.as_bytes().to_vec() })
}

fn params(hash: &PasswordHash<'_>, length: usize) -> Result<Params, String> {
    let names: Vec<&str> = hash.params.iter().map(|(name, _)| name.as_str()).collect();
    let [Some(memory), Some(iterations), Some(lanes)] = ["m", "t", "p"].map(|name| hash.params.get_decimal(name))
    else {
        return Err("one of its parameters `m`, `t` and `p` is missing".to_owned());
    };
    if names != ["m", "t", "p"] {
        return Err(format!("its parameters are `{}`, and may be `m,t,p`", names.join(",")));
    }
    if memory > MOST_MEMORY {
        return Err(format!("it needs {memory} KiB of memory, and may need {MOST_MEMORY} (64 MiB)"));
    }
    if iterations > MOST_ITERATIONS || memory.saturating_mul(iterations) > MOST_WORK {
        return Err(format!(
            "it goes {iterations} times through {memory} KiB, and may go {MOST_ITERATIONS} times, and through \
             {MOST_WORK} KiB (three times 64 MiB) in all"
        ));
    }
    if lanes > MOST_LANES {
        return Err(format!("it has {lanes} lanes, and may have {MOST_LANES}"));
    }
    Params::new(memory, iterations, lanes, Some(length))
        .map_err(|error| format!("its parameters cannot be used: {error}"))
}

/// `$2b$`, a cost of two digits, `$`, 22 characters of salt and 31 of the hash.
fn bcrypt(text: &str) -> Result<Kind, String> {
    let [_, _, cost, rest] = text.split('$').collect::<Vec<_>>()[..] else {
        return Err("it has not the form `$2b$10$..`".to_owned());
    };
    let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
    let cost = cost.parse().ok().filter(|cost| digits && *cost >= 4).ok_or("its cost is none from `04` to `31`")?;
    if cost > MOST_COST {
        return Err(format!("its cost is {cost}, and may be {MOST_COST}"));
    }
    let (mut salt, mut output) = ([0; 16], [0; 23]);
    let parts = (rest.len() == 53).then(|| rest.split_at_checked(22)).flatten();
    let (in_salt, in_output) = parts.ok_or("it has not 53 characters after its cost")?;
    for (encoded, bytes) in [(in_salt, &mut salt[..]), (in_output, &mut output[..])] {
        let length = Base64Bcrypt::decode(encoded, bytes).map(<[u8]>::len);
        if length != Ok(bytes.len()) {
            return Err(format!("`{encoded}` is not in the Base64 of bcrypt, or has bits that belong to nothing"));
        }
    }
    Ok(Kind::Bcrypt { cost, salt, output })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vectors of argon2's reference implementation (src/test.c).
    const ARGON2: [&str; 5] = [
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        "$argon2i$v=16$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
    ];

    #[test]
    fn argon2_fits_its_own_passwords() {
        for text in ARGON2 {
            let hash = Hash::parse(text).unwrap();
            assert!(verify(&hash, "password"), "{text}");
            assert!(!verify(&hash, "Password"), "{text}");
            assert!(!verify(&hash, ""), "{text}");
        }
    }

    #[test]
    fn bcrypt_fits_its_own_passwords() {
        for (password, text) in [
            // Of jBCrypt.
            ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
            ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
            // Of the crate.
            ("correctbatteryhorsestapler", "$2a$04$n4Uy0eSnMfvnESYL.bLwuuj0U/ETSsoTpRT9GVk5bektyVVa5xnIi"),
        ] {
            for mark in ["$2a$", "$2b$", "$2y$"] {
                let hash = Hash::parse(&text.replace("$2a$", mark)).unwrap();
                assert!(verify(&hash, password), "{text}");
                assert!(!verify(&hash, "b"), "{text}");
            }
        }
    }

    #[test]
    fn bcrypt_reads_no_more_than_it_does_elsewhere() {
        let text = "$2b$04$GGGGGGGGGGGGGGGGGGGGGO";
        let output = bcrypt::bcrypt(4, salt_of(text), "a".repeat(72).as_bytes());
        let hash = format!("{text}{}", Base64Bcrypt::encode_string(&output[..23]));
        let hash = Hash::parse(&hash).unwrap();
        assert!(verify(&hash, &"a".repeat(72)) && verify(&hash, &"a".repeat(500)));
        assert!(!verify(&hash, &"a".repeat(71)));
    }

    fn salt_of(text: &str) -> [u8; 16] {
        Base64Bcrypt::decode_vec(&text[7..]).unwrap().try_into().unwrap()
    }

    #[test]
    fn hashes_that_cannot_be_used_say_why() {
        let argon2 =
            |params: &str| format!("$argon2id$v=19${params}$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");
        let bcrypt = "$2b$12$L6Bc/AlTQHyd9liGgGEZyOFLPHNgyxeEPfgYfBCVxJ7JIlwxyVU3u";
        assert!(Hash::parse(bcrypt).is_ok());
        assert!(Hash::parse(&argon2("m=65536,t=3,p=4")).is_ok());
        for (text, why) in [
            ("", "begins with neither"),
            ("secret", "begins with neither"),
            ("$6$salt$hash", "begins with neither"),
            ("$2x$12$L6Bc/AlTQHyd9liGgGEZyOFLPHNgyxeEPfgYfBCVxJ7JIlwxyVU3u", "flaw"),
            ("$argon2id$", "no PHC string"),
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ", "missing"),
            ("$argon2id$v=19$m=256,t=2,p=1$c29t$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "8 bytes"),
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/w", "fewer than 16"),
            (&argon2("m=65537,t=1,p=1"), "65537 KiB"),
            (&argon2("m=65536,t=4,p=1"), "4 times through 65536 KiB"),
            (&argon2("m=64,t=21,p=1"), "21 times"),
            (&argon2("m=256,t=2,p=17"), "17 lanes"),
            (&argon2("m=256,t=2,p=4294967295"), "4294967295 lanes"),
            (&argon2("m=8,t=2,p=2"), "cannot be used"),
            (&argon2("m=256,t=0,p=1"), "cannot be used"),
            (&argon2("m=256,t=2,p=0"), "cannot be used"),
            (&argon2("m=256,t=2"), "missing"),
            (&argon2("m=256,t=2,p=1,keyid=AA"), "`m,t,p,keyid`"),
            (&argon2("m=99999999999,t=2,p=1"), "missing"),
            (&argon2("m=256,t=2,p=1").replace("19", "20"), "version"),
            ("$2b$12", "form"),
            (&bcrypt.replace("$12$", "$13$"), "may be 12"),
            (&bcrypt.replace("$12$", "$03$"), "none from"),
            (&bcrypt.replace("$12$", "$+9$"), "none from"),
            (&bcrypt.replace("$12$", "$6$"), "none from"),
            (&format!("{bcrypt}u"), "53 characters"),
            (&bcrypt.replace("L6Bc", "L6B\u{e9}"), "53 characters"),
            (&bcrypt.replace("L6Bc", "L6=+"), "Base64"),
            (&bcrypt.replace("ZyOF", "ZyPF"), "belong to nothing"),
        ] {
            let said = Hash::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
            assert!(!said.contains("nf65"), "{said}");
        }
    }

    #[test]
    fn new_hashes_fit_their_passwords() {
        let bcrypt = make(Algorithm::Bcrypt, "open sesame", [7; 16]).unwrap();
        assert!(verify(&Hash::parse(&bcrypt).unwrap(), "open sesame"));
        assert!(make(Algorithm::Bcrypt, &"a".repeat(73), [7; 16]).unwrap_err().contains("73"));
        let argon2id = make(Algorithm::Argon2id, "open sesame", [7; 16]).unwrap();
        assert!(argon2id.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{argon2id}");
        assert!(verify(&Hash::parse(&argon2id).unwrap(), "open sesame"));
    }

    #[test]
    fn nobody_costs_what_most_users_cost() {
        assert_eq!(Hash::like(&[]), None);
        let hashes: Vec<Hash> =
            [ARGON2[0], ARGON2[1], ARGON2[0], ARGON2[3]].map(|text| Hash::parse(text).unwrap()).into();
        let nobody = Hash::like(&hashes).unwrap();
        assert_eq!(nobody, hashes[0].dummy());
        assert_ne!(nobody, hashes[0]);
        assert!(!verify(&nobody, "password"));
        let bcrypt = Hash::parse("$2a$04$n4Uy0eSnMfvnESYL.bLwuuj0U/ETSsoTpRT9GVk5bektyVVa5xnIi").unwrap();
        assert!(!verify(&Hash::like(&[bcrypt]).unwrap(), "correctbatteryhorsestapler"));
        assert_eq!(format!("{nobody:?}"), "Hash(..)");
    }
}
