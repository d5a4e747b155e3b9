//! The signatures that a request offers (RFC 9421, section 4), and the text that each must have signed (section 2.5).

use super::Message;
use super::component::{Component, Identifier};
use super::flaw::Flaw;
use super::structured::{distinct, write_member};
use super::value::value;
use crate::headers::has;
use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, InnerList, Item, ListEntry, Parameters};

/// A request with more signatures is refused.
const MOST_SIGNATURES: usize = 8;

/// So is one with a signature that covers more components.
const MOST_COMPONENTS: usize = 64;

/// So is one with a longer `Signature-Input`, or a longer `Signature`: in bytes. Eight signatures of RSA keys of 8,192
/// bits are shorter.
const MOST_BYTES: usize = 16 * 1024;

const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");

/// A signature that a request offers. What it says of itself is worth nothing until its key says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Tells the signatures of a request apart. It means nothing else.
    pub label: String,
    /// What it covers, in its order; or why that is not clear.
    pub components: Result<Vec<Identifier>, Flaw>,
    /// `keyid`.
    pub key_id: Option<String>,
    /// `alg`.
    pub algorithm: Option<String>,
    /// When it was made: seconds since 1970-01-01T00:00:00Z.
    pub created: Option<i64>,
    /// Until when it holds: seconds since 1970-01-01T00:00:00Z.
    pub expires: Option<i64>,
    pub nonce: Option<String>,
    pub tag: Option<String>,
    pub signature: Vec<u8>,
    /// The value of `@signature-params`: components and parameters, in their one spelling (section 2.3).
    pub parameters: String,
}

/// Reads what signatures a request offers, in the order of `Signature-Input`; `None` where it has neither field. Whether
/// they hold, and whether they are what is asked for, is not looked at.
pub fn find(headers: &HeaderMap) -> Result<Option<Vec<Candidate>>, Flaw> {
    let (inputs, signatures) = match (members(headers, &SIGNATURE_INPUT)?, members(headers, &SIGNATURE)?) {
        (None, None) => return Ok(None),
        (Some(inputs), Some(signatures)) => (inputs, signatures),
        _ => return Err(Flaw::Unpaired),
    };
    // "Each field MUST contain the same labels" (section 4).
    if inputs.len() != signatures.len() {
        return Err(Flaw::Unpaired);
    }
    let candidates = inputs.into_iter().map(|(label, input)| match (input, signatures.get(&label)) {
        (ListEntry::InnerList(input), Some(ListEntry::Item(signature))) => {
            read(label.as_str(), input, signature).ok_or(Flaw::Malformed)
        }
        (_, None) => Err(Flaw::Unpaired),
        _ => Err(Flaw::Malformed),
    });
    candidates.collect::<Result<_, _>>().map(Some)
}

impl Candidate {
    /// The signature base: the text that must have been signed (section 2.5).
    pub fn base(&self, message: &Message<'_>) -> Result<String, Flaw> {
        let mut base = String::new();
        for identifier in self.components()? {
            let value = value(identifier, message)?;
            base.extend([&identifier.text, ": ", &value, "\n"]);
        }
        base.extend(["\"@signature-params\": ", &self.parameters]);
        Ok(base)
    }

    /// What it covers.
    pub fn components(&self) -> Result<&[Identifier], Flaw> {
        self.components.as_deref().map_err(Flaw::clone)
    }

    /// Whether it covers a component, in this form or in another one that says the same.
    pub fn covers(&self, component: &Component) -> bool {
        self.components.iter().flatten().any(|identifier| identifier.component.covers(component))
    }

    /// Whether it covers the content, by its digest: the digest must be checked then.
    pub fn covers_content(&self) -> bool {
        self.components.iter().flatten().any(|identifier| identifier.component.is_content_digest())
    }
}

/// One of the two fields; `None` where it is not there.
fn members(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Dictionary>, Flaw> {
    if !has(headers, name) {
        return Ok(None);
    }
    if headers.get_all(name).into_iter().map(|line| line.len() + 2).sum::<usize>() > MOST_BYTES {
        return Err(Flaw::TooLarge);
    }
    // "The signature labels MUST be unique across all field values" (sections 4.1 and 4.2).
    let members = distinct(headers, name).ok_or(Flaw::Malformed)?;
    match members.len() {
        0 => Err(Flaw::Malformed),
        1..=MOST_SIGNATURES => Ok(Some(members)),
        _ => Err(Flaw::TooLarge),
    }
}

/// `None` where something is not of the type that it must be. Parameters that are not known are as good as others
/// (section 2.3 has a registry of them): they are signed.
fn read(label: &str, input: InnerList, signature: &Item) -> Option<Candidate> {
    let given = &input.params;
    Some(Candidate {
        label: label.to_owned(),
        components: components(&input.items),
        key_id: text(given, "keyid")?,
        algorithm: text(given, "alg")?,
        created: time(given, "created")?,
        expires: time(given, "expires")?,
        nonce: text(given, "nonce")?,
        tag: text(given, "tag")?,
        signature: signature.bare_item.as_byte_sequence()?.to_vec(),
        parameters: write_member(ListEntry::InnerList(input))?,
    })
}

/// "If the component identifier (including its parameters) has already been added to the signature base, produce an
/// error" (section 2.5), also where its parameters are in another order (section 2).
fn components(items: &[Item]) -> Result<Vec<Identifier>, Flaw> {
    if items.len() > MOST_COMPONENTS {
        return Err(Flaw::TooLarge);
    }
    let mut components: Vec<Identifier> = Vec::with_capacity(items.len());
    for item in items {
        let identifier = Identifier::read(item)?;
        if components.iter().any(|known| known.component == identifier.component) {
            return Err(Flaw::RepeatedComponent(identifier.text));
        }
        components.push(identifier);
    }
    Ok(components)
}

/// A String; `None` where it is something else.
fn text(parameters: &Parameters, name: &str) -> Option<Option<String>> {
    match parameters.get(name) {
        None => Some(None),
        Some(BareItem::String(text)) => Some(Some(text.as_str().to_owned())),
        Some(_) => None,
    }
}

/// An Integer; `None` where it is something else. "Sub-second precision is not supported" (section 2.3).
fn time(parameters: &Parameters, name: &str) -> Option<Option<i64>> {
    match parameters.get(name) {
        None => Some(None),
        Some(BareItem::Integer(time)) => Some(Some(i64::from(*time))),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(inputs: &[&str], signatures: &[&str]) -> HeaderMap {
        let inputs = inputs.iter().map(|value| (SIGNATURE_INPUT, value.parse().unwrap()));
        inputs.chain(signatures.iter().map(|value| (SIGNATURE, value.parse().unwrap()))).collect()
    }

    #[test]
    fn nothing_is_found_where_nothing_is_offered() {
        assert_eq!(find(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn candidate_says_what_its_parameters_say() {
        let input = "a=( \"@method\"  \"x\";sf );  created=1;  keyid=\"k\";alg=\"ed25519\";nonce=\"n\";expires=2;tag=\"t\"\
                     ;x=1.50;y;z=*t";
        let found = find(&headers(&[input, "b=()"], &["b=:AAE=:;x", "a=:AA==:"])).unwrap().unwrap();
        let [a, b] = &found[..] else { panic!("there are two: {found:?}") };
        let components: Vec<_> = a.components().unwrap().iter().map(|identifier| identifier.text.as_str()).collect();
        assert_eq!(components, ["\"@method\"", "\"x\";sf"]);
        assert_eq!((a.label.as_str(), a.key_id.as_deref(), a.algorithm.as_deref()), ("a", Some("k"), Some("ed25519")));
        assert_eq!((a.created, a.expires), (Some(1), Some(2)));
        assert_eq!((a.nonce.as_deref(), a.tag.as_deref()), (Some("n"), Some("t")));
        assert_eq!(
            a.parameters,
            "(\"@method\" \"x\";sf);created=1;keyid=\"k\";alg=\"ed25519\";nonce=\"n\";expires=2;tag=\"t\";x=1.5;y;z=*t"
        );
        assert_eq!((b.label.as_str(), b.parameters.as_str(), &b.signature[..]), ("b", "()", &[0, 1][..]));
    }

    #[test]
    fn fields_that_do_not_go_together_are_refused() {
        for (inputs, signatures, flaw) in [
            (&["a=()"][..], &[][..], Flaw::Unpaired),
            (&[], &["a=:AA==:"], Flaw::Unpaired),
            (&["a=()"], &["b=:AA==:"], Flaw::Unpaired),
            (&["a=(), b=()"], &["a=:AA==:"], Flaw::Unpaired),
            (&["a=()"], &["a=:AA==:", "b=:AA==:"], Flaw::Unpaired),
            (&[""], &[""], Flaw::Malformed),
            (&["a=("], &["a=:AA==:"], Flaw::Malformed),
            (&["a=();"], &["a=:AA==:"], Flaw::Malformed),
            (&["a=()\u{e9}"], &["a=:AA==:"], Flaw::Malformed),
            (&["a"], &["a=:AA==:"], Flaw::Malformed),
            (&["a=\"@method\""], &["a=:AA==:"], Flaw::Malformed),
            (&["a=()"], &["a"], Flaw::Malformed),
            (&["a=()"], &["a=\"AA==\""], Flaw::Malformed),
            (&["a=()"], &["a=(:AA==:)"], Flaw::Malformed),
            (&["a=()"], &["a=:A:"], Flaw::Malformed),
            (&["a=()"], &["a=:AA==:,"], Flaw::Malformed),
            (&["a=(), a=()"], &["a=:AA==:"], Flaw::Malformed),
            (&["a=()"], &["a=:AA==:", "a=:AA==:"], Flaw::Malformed),
            (&["A=()"], &["A=:AA==:"], Flaw::Malformed),
            (&["a=();created=\"1\""], &["a=:AA==:"], Flaw::Malformed),
            (&["a=();created=1.5"], &["a=:AA==:"], Flaw::Malformed),
            (&["a=();created=@1"], &["a=:AA==:"], Flaw::Malformed),
            (&["a=();created=1234567890123456"], &["a=:AA==:"], Flaw::Malformed),
            (&["a=();expires"], &["a=:AA==:"], Flaw::Malformed),
            (&["a=();alg=ed25519"], &["a=:AA==:"], Flaw::Malformed),
            (&["a=();keyid=1"], &["a=:AA==:"], Flaw::Malformed),
        ] {
            assert_eq!(find(&headers(inputs, signatures)), Err(flaw), "{inputs:?} {signatures:?}");
        }
    }

    #[test]
    fn content_is_covered_by_any_form_of_a_digest_that_is_checked() {
        for (components, covers) in [
            ("\"content-digest\"", true),
            ("\"content-digest\";sf", true),
            ("\"content-digest\";bs", true),
            ("\"content-digest\";key=\"sha-256\"", true),
            ("\"content-digest\";sf;key=\"sha-512\"", true),
            ("\"content-digest\";key=\"md5\"", false),
            ("\"repr-digest\";key=\"sha-256\"", false),
            ("\"@method\"", false),
        ] {
            let found = find(&headers(&[&format!("a=({components})")], &["a=:AA==:"])).unwrap().unwrap();
            assert_eq!(found[0].covers_content(), covers, "{components}");
        }
        assert!(Identifier::parse("content-digest;key=\"sha-512\"").is_ok());
        assert!(Identifier::parse("content-digest;key=\"md5\"").unwrap_err().contains("is not checked"));
    }

    #[test]
    fn more_than_edgate_reads_is_refused() {
        let labels = |count: usize, value: &str| {
            (0..count).map(|label| format!("s{label}={value}")).collect::<Vec<_>>().join(",")
        };
        let offered = |count| find(&headers(&[&labels(count, "()")], &[&labels(count, ":AA==:")]));
        assert!(matches!(offered(8), Ok(Some(found)) if found.len() == 8));
        assert_eq!(offered(9), Err(Flaw::TooLarge));
        assert_eq!(offered(1_000), Err(Flaw::TooLarge));
        assert_eq!(find(&headers(&["a=()"], &[&format!("a=:{}:", "AAAA".repeat(5_000))])), Err(Flaw::TooLarge));
        assert_eq!(find(&headers(&["a=()"], &vec!["a=:AA==:"; 2_000])), Err(Flaw::TooLarge));
    }

    #[test]
    fn components_that_are_not_clear_are_one_candidates_flaw() {
        let many = (0..65).map(|name| format!("\"x{name}\"")).collect::<Vec<_>>().join(" ");
        for (components, flaw) in [
            ("\"@method\" \"@method\"", "repeated-component"),
            ("\"x\" \"x\"", "repeated-component"),
            ("\"x\";key=\"a\" \"x\";sf;key=\"a\"", "repeated-component"),
            ("\"x\";sf;key=\"a\" \"x\";key=\"a\";sf", "repeated-component"),
            ("\"@status\"", "unknown-component"),
            ("\"@signature-params\"", "unknown-component"),
            ("\"@\"", "unknown-component"),
            ("\"@Method\"", "unknown-component"),
            ("\"@method\";req", "unknown-component"),
            ("\"@method\";sf", "unknown-component"),
            ("\"@method\";name=\"a\"", "unknown-component"),
            ("\"@query-param\"", "unknown-component"),
            ("\"@query-param\";name=a", "unknown-component"),
            ("\"@query-param\";name=\"a\";key=\"b\"", "unknown-component"),
            ("\"x\";tr", "unknown-component"),
            ("\"x\";req", "unknown-component"),
            ("\"x\";sf=?0", "unknown-component"),
            ("\"x\";sf=1", "unknown-component"),
            ("\"x\";key", "unknown-component"),
            ("\"x\";bs;sf", "unknown-component"),
            ("\"x\";bs;key=\"a\"", "unknown-component"),
            ("\"x\";name=\"a\"", "unknown-component"),
            ("\"x\";unheard-of", "unknown-component"),
            ("\"X\"", "unknown-component"),
            ("\"\"", "unknown-component"),
            ("\"a b\"", "unknown-component"),
            ("x", "unknown-component"),
            (":AA==:", "unknown-component"),
            (&many, "signatures-too-large"),
        ] {
            let input = format!("a=({components}), b=(\"x\" \"x\";bs \"x\";sf \"x\";key=\"a\" \"x\";key=\"b\")");
            let found = find(&headers(&[&input], &["a=:AA==:, b=:AA==:"])).unwrap().unwrap();
            assert_eq!(found[0].components().map_err(|flaw| flaw.code()), Err(flaw), "{components}");
            assert!(found[1].components().is_ok());
        }
    }
}
