//! What rules mean, row by row, and what holds for any rule.

use super::*;
use crate::config::Platform;
use crate::config::words::Method as Shown;
use crate::exchange::tests::request;
use crate::identity::{Consumer, Identity};
use http::{HeaderName, Method};
use serde_json::json;
use std::rc::Rc;

/// Ada's request for `/tenants/acme/accounts/42`, with a token.
fn ada() -> Exchange {
    let claims = json!({
        "sub": "ada", "tenant": "acme", "account": 42, "accounts": [41, 42], "ratio": 0.5, "level": "5",
        "large": 9_007_199_254_740_993_u64, "larger": 9_007_199_254_740_992_u64, "most": u64::MAX, "float": 42.0,
        "admin": true, "blocked": false, "nothing": null, "blank": "", "zero": 0, "none": [], "empty": {},
        "scope": "orders:read unread", "roles": ["editor", "staff"], "mixed": ["1", 1, true, null],
        "realm_access": { "roles": ["owner"] }, "https://example.com/roles": { "admin": true },
        "address": { "country": "NO" },
    });
    let metadata = json!({ "plan": "gold", "limits": { "orders": 10 } });
    let fields = [("x-tenant", "acme"), ("x-many", "a"), ("x-many", "b"), ("x-blank", "")];
    let target = "/tenants/acme/accounts/42/a%20b?tenant=acme&page=7&twice=a&twice=b&same=a&same=a&blank=&n=1e2";
    let mut ex = request(Method::GET, target, "/tenants/{tenant}/accounts/{account}/{rest}", &fields);
    ex.client.host = "API.Example.com:8443".to_owned();
    ex.facts.country = Some("NO".to_owned());
    ex.identity = Some(Rc::new(Identity {
        method: Shown::Token,
        subject: Some("ada".to_owned()),
        issuer: Some(Rc::from("main")),
        consumer: Some(Rc::new(Consumer {
            name: "acme".to_owned(),
            groups: Vec::new(),
            metadata: metadata.as_object().cloned().unwrap_or_default(),
        })),
        groups: vec!["staff".to_owned(), "ops".to_owned()],
        scopes: vec!["orders:read".to_owned()],
        claims: claims.as_object().cloned().unwrap_or_default(),
    }));
    ex
}

#[track_caller]
fn check(ex: &Exchange, rows: &[(&str, bool)]) {
    for (text, holds) in rows {
        match Rule::parse(text) {
            Ok(rule) => assert_eq!(rule.holds(ex), *holds, "{text}"),
            Err(mistake) => panic!("{text}: {mistake:?}"),
        }
    }
}

#[test]
fn equality_is_by_type_and_value() {
    check(
        &ada(),
        &[
            ("claim.sub == 'ada'", true),
            ("claim.sub == \"Ada\"", false),
            ("claim.sub != 'bob'", true),
            ("claim.tenant == path.tenant", true),
            ("claim.tenant != path.tenant", false),
            ("path.tenant == claim.tenant", true),
            // A number is equal to its spelling in the request, and to no other text.
            ("claim.account == path.account", true),
            ("claim.account != path.account", false),
            ("claim.account == '42'", false),
            ("claim.account != '42'", false),
            ("claim.float == path.account", false),
            ("claim.account == claim.level", false),
            ("path.account == 42", true),
            ("query.page == 7", true),
            ("query.page == 8", false),
            // Numbers by what they count.
            ("claim.account == 42.0", true),
            ("claim.account == claim.float", true),
            ("claim.account == 4.2e1", true),
            ("claim.large == 9007199254740993", true),
            ("claim.large == 9007199254740992", false),
            ("claim.large != claim.larger", true),
            ("claim.large == 9007199254740992.0", false),
            ("claim.most == 18446744073709551615", true),
            ("claim.most == 18446744073709551616.0", false),
            ("claim.ratio == 0.5", true),
            // Different types are neither equal nor unequal.
            ("claim.admin == true", true),
            ("claim.admin != false", true),
            ("claim.admin == 'true'", false),
            ("claim.admin != 'true'", false),
            ("claim.roles == 'editor'", false),
            ("claim.roles != 'guest'", false),
            ("claim.roles == ['editor', 'staff']", true),
            ("claim.roles != ['staff', 'editor']", true),
            ("identity.groups == ['staff', 'ops']", true),
            ("identity.groups == claim.roles", false),
            ("identity.groups != claim.roles", true),
            ("claim.address == claim.address", true),
        ],
    );
}

#[test]
fn nothing_is_granted_by_absence() {
    check(
        &ada(),
        &[
            ("claim.missing == path.tenant", false),
            ("claim.missing != path.tenant", false),
            ("claim.missing != 'x'", false),
            ("'x' != claim.missing", false),
            ("claim.nothing != 'x'", false),
            ("claim.missing == claim.missing", false),
            ("claim.missing < 5", false),
            ("claim.missing >= 5", false),
            ("claim.missing in ['a']", false),
            ("'a' in claim.missing", false),
            ("claim.missing contains 'a'", false),
            ("not claim.missing", true),
            ("not claim.missing == 'x'", true),
            ("header.x-missing != 'x'", false),
            ("query.missing != 'x'", false),
            ("claim.sub.deeper != 'x'", false),
        ],
    );
    let mut nobody = ada();
    nobody.identity = None;
    nobody.facts.country = None;
    nobody.client.address = None;
    check(
        &nobody,
        &[
            ("claim.sub != 'x'", false),
            ("identity.subject != 'x'", false),
            ("identity.groups contains 'staff'", false),
            ("consumer.plan != 'free'", false),
            ("identity.method", false),
            ("client.country != 'SE'", false),
            ("client.address != '10.0.0.1'", false),
        ],
    );
}

#[test]
fn only_numbers_have_an_order() {
    check(
        &ada(),
        &[
            ("claim.account < 43", true),
            ("claim.account <= 42", true),
            ("claim.account > 42", false),
            ("claim.account >= 42.5", false),
            ("claim.large > 9007199254740992", true),
            ("claim.large > claim.larger", true),
            ("claim.most < 18446744073709551616.0", true),
            ("claim.most < 1e300", true),
            ("claim.ratio > 0", true),
            ("claim.ratio > -9223372036854775808", true),
            // A text in the spelling of a number, on one side.
            ("claim.level >= 5", true),
            ("query.page < 10", true),
            ("query.n == 100", false),
            ("query.n >= 100", true),
            ("path.tenant < 10", false),
            ("path.tenant >= 10", false),
            ("claim.level < claim.level", false),
            ("claim.level < query.page", false),
            ("claim.account < claim.admin", false),
            ("consumer.limits.orders > 9", true),
        ],
    );
}

#[test]
fn lists_have_values_and_texts_have_parts() {
    check(
        &ada(),
        &[
            ("identity.groups contains 'staff'", true),
            ("identity.groups contains 'sta'", false),
            ("'ops' in identity.groups", true),
            ("identity.scopes contains 'orders:read'", true),
            ("claim.roles contains 'editor'", true),
            ("claim.realm_access.roles contains 'owner'", true),
            ("claim.accounts contains path.account", true),
            ("claim.accounts contains 42", true),
            ("claim.accounts contains '42'", false),
            ("path.account in claim.accounts", true),
            ("path.account in [1, 42]", true),
            ("path.account in ['41', '42']", true),
            ("request.method in ['GET', 'HEAD']", true),
            ("request.method in ['POST']", false),
            ("claim.sub in claim.tenant", false),
            ("claim.mixed contains true", true),
            ("claim.mixed contains false", false),
            ("claim.scope contains 'read'", true),
            ("claim.scope contains 'orders:write'", false),
            ("claim.account contains 'x'", false),
            ("claim.sub starts_with 'a'", true),
            ("claim.sub ends_with 'da'", true),
            ("claim.sub ends_with 'ad'", false),
            ("claim.sub starts_with query.blank", false),
            ("claim.sub ends_with claim.blank", false),
            ("claim.sub contains query.blank", false),
            ("claim.roles starts_with 'editor'", false),
            ("request.path starts_with '/tenants/'", true),
        ],
    );
}

#[test]
fn a_value_alone_is_something_or_nothing() {
    check(
        &ada(),
        &[
            ("claim.admin", true),
            ("claim.blocked", false),
            ("claim.nothing", false),
            ("claim.blank", false),
            ("claim.zero", true),
            ("claim.none", false),
            ("claim.empty", false),
            ("claim.address", true),
            ("claim.sub", true),
            ("header.x-tenant", true),
            ("header.x-blank", false),
            ("query.blank", false),
            ("identity.groups", true),
            ("claim[\"https://example.com/roles\"].admin", true),
            ("claim['https://example.com/roles'].admin == true", true),
        ],
    );
}

#[test]
fn values_of_the_request_are_text() {
    check(
        &ada(),
        &[
            ("identity.subject == 'ada'", true),
            ("identity.consumer == path.tenant", true),
            ("identity.issuer == 'main'", true),
            ("identity.method == 'token'", true),
            ("consumer.plan == 'gold'", true),
            ("path.rest == 'a b'", true),
            ("query.tenant == 'acme'", true),
            ("header.x-tenant == 'acme'", true),
            ("header.x-many == 'a, b'", true),
            ("request.method == 'GET'", true),
            ("request.host == 'api.example.com'", true),
            ("request.path ends_with '/a%20b'", true),
            ("client.address == '192.0.2.1'", true),
            ("client.country in ['NO', 'SE']", true),
        ],
    );
    let mut mapped = ada();
    mapped.client.address = "::ffff:192.0.2.9".parse().ok();
    check(&mapped, &[("client.address == '192.0.2.9'", true)]);
}

#[test]
fn a_query_parameter_that_says_several_things_says_nothing_definite() {
    check(
        &ada(),
        &[
            ("query.same == 'a'", true),
            ("query.twice == 'a'", false),
            ("query.twice != 'c'", false),
            ("not query.twice == 'b'", false),
            ("not query.twice", false),
            ("claim.admin or query.twice == 'a'", true),
            ("query.twice == 'a' or claim.admin", false),
        ],
    );
}

#[test]
fn not_binds_closer_than_and_and_and_closer_than_or() {
    check(
        &ada(),
        &[
            ("claim.admin or claim.blocked and claim.blocked", true),
            ("(claim.admin or claim.blocked) and claim.blocked", false),
            ("not claim.blocked and claim.admin", true),
            ("not (claim.blocked or claim.admin)", false),
            ("not not claim.admin", true),
            ("not claim.sub == 'bob'", true),
            ("claim.blocked or claim.blank or claim.zero", true),
            ("((claim.admin))", true),
            ("  claim.sub=='ada'and(not claim.blocked)\n", true),
            ("claim.sub == 'a\\'da' or claim.sub == \"a\\\"\\\\\"", false),
        ],
    );
}

#[test]
fn mistakes_are_told_where_they_stand() {
    for (text, range, reason) in [
        ("", 0..0, "the rule is empty"),
        (" ", 0..1, "the rule is empty"),
        ("claim.sub ==", 10..12, "a value is missing after this"),
        ("== 'a'", 0..2, "a value is missing before `==`"),
        ("claim.sub = 'a'", 10..11, "`=` means nothing in a rule"),
        ("claim.a && claim.b", 8..10, "`&&` means nothing in a rule"),
        ("!claim.a", 0..1, "`!` means nothing in a rule"),
        ("claim.a % 2", 8..9, "`%` means nothing in a rule"),
        ("claim.é", 6..8, "a name is letters, digits, `_` and `-`; others stand in brackets and quotes: `[\"a/b\"]`"),
        ("clam.sub == 'a'", 0..8, "there is no value `clam.sub`"),
        ("claim == 'a'", 0..5, "`claim` is not a value by itself"),
        ("identity.name == 'a'", 0..13, "there is no value `identity.name`"),
        ("claim.sub == ada", 13..16, "there is no value `ada`"),
        ("query.a.b == 'a'", 0..9, "one name follows `query`"),
        ("header[\"a b\"]", 0..13, "`a b` is no name of a header field"),
        ("claim.sub == 'a", 13..15, "a quote that is not closed"),
        ("claim.sub == 'a\\d'", 15..17, "a `\\` stands before a quote or another `\\`"),
        ("claim.n == -0 and claim.n == 01", 29..31, "`01` is no number"),
        ("claim.n == 1e999", 11..16, "`1e999` is no number"),
        ("claim.n == 18446744073709551616", 11..31, "`18446744073709551616` is larger than whole numbers can be"),
        ("claim.sub == 'a' == true", 17..19, "a comparison has two sides, and is no side of another one"),
        ("claim.a claim.b", 8..15, "an operator, or `and`, or `or`, is missing before this"),
        ("(claim.a", 1..8, "a `)` is missing here, or after this"),
        ("claim.a)", 7..8, "a `)` that closes nothing"),
        ("claim.a in []", 12..13, "a list has texts, numbers, `true` and `false`, one at least: `[\"a\", \"b\"]`"),
        ("claim.a in ['a'", 12..15, "a `,` or a `]` is missing here, or after this"),
        ("claim.a in ['a',]", 16..17, "a list has texts, numbers, `true` and `false`, one at least: `[\"a\", \"b\"]`"),
        (
            "claim.a in [claim.b]",
            12..19,
            "a list has texts, numbers, `true` and `false`, one at least: `[\"a\", \"b\"]`",
        ),
        // What says the same of every request.
        ("identity.groups contains 'a' or 'b'", 32..35, "a fixed value alone is the same for every request"),
        ("true", 0..4, "a fixed value alone is the same for every request"),
        ("'a' == 'a'", 0..10, "both sides are fixed, so this `==` says nothing"),
        ("identity.groups == 'a'", 0..22, "a list equals no single value, so this `==` says nothing"),
        ("'a' != identity.groups", 0..22, "a single value equals no list, so this `!=` says nothing"),
        ("query.a == true", 0..15, "a text or a number equals neither `true` nor `false`, so this `==` says nothing"),
        ("path.a < path.b", 0..15, "only numbers have an order, and this compares none, so this `<` says nothing"),
        ("claim.plan > 'gold'", 0..19, "only numbers have an order, and this compares none, so this `>` says nothing"),
        ("claim.a in 'a'", 0..14, "what stands after `in` is no list, so this `in` says nothing"),
        ("identity.groups in ['a']", 0..24, "a list is not in another one, so this `in` says nothing"),
        ("identity.groups contains ['a']", 0..30, "`contains` asks for one value, so this `contains` says nothing"),
        ("path.a contains 1", 0..17, "a text contains texts only, so this `contains` says nothing"),
        ("path.a starts_with ''", 0..21, "no text contains an empty one, so this `starts_with` says nothing"),
        ("claim.a ends_with 1", 0..19, "only texts begin and end with something, so this `ends_with` says nothing"),
    ] {
        let found = Rule::parse(text).map_err(|mistake| (mistake.range, mistake.reason));
        assert_eq!(found.map(drop), Err((range, reason.to_owned())), "{text}");
    }
}

#[test]
fn a_mistake_comes_with_a_way_out() {
    for (text, help) in [
        ("claim.a && claim.b", "write `and`"),
        ("claim.a = 'b'", "write `==`"),
        ("identity.group contains 'a'", "did you mean `identity.groups`?"),
        ("claim.a AND claim.b", "did you mean `and`?"),
        ("claim.a start_with 'b'", "did you mean `starts_with`?"),
        ("claim.a == TRUE", "did you mean `true`?"),
        ("claim.sub == ada", "a text stands in quotes: `\"ada\"`"),
        ("path.a.b", "write `path[\"a.b\"]` for a name with dots"),
        ("identity.groups == 'a'", "write `contains` to ask for one of its values"),
    ] {
        let found = Rule::parse(text).expect_err(text).help.unwrap_or_default();
        assert_eq!(found, help, "{text}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let deep = |depth: usize| format!("{}claim.a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Rule::parse(&deep(MAX_DEPTH)).is_ok());
    assert_eq!(Rule::parse(&deep(MAX_DEPTH + 1)).map_err(|mistake| mistake.range), Err(32..33));
    assert!(Rule::parse(&format!("{}claim.a", "not ".repeat(MAX_DEPTH))).is_ok());
    assert!(Rule::parse(&format!("{}claim.a", "not ".repeat(MAX_DEPTH + 1))).is_err());
    let long = |length: usize| format!("claim.{}", "a".repeat(length - 6));
    assert!(Rule::parse(&long(MAX_LENGTH)).is_ok());
    assert_eq!(Rule::parse(&long(MAX_LENGTH + 1)).map_err(|mistake| mistake.range), Err(0..1001));
}

/// What is said of a rule, and where.
type Found = Vec<(Code, Option<(usize, usize)>)>;

fn compiled(text: &str, has_identity: bool, target: Platform) -> (Option<Rule>, Found) {
    let parameters = Parameters {
        all: vec!["tenant"],
        some: vec!["tenant", "user"],
        unsure: false,
        identity: has_identity,
        without_country: None,
        parts: None,
        item: false,
    };
    let scope = Scope { parameters: &parameters, targets: &[Capabilities::of(target)], has_identity };
    let mut diagnostics = Vec::new();
    let place = Place::of(["route", "a", "authorize", "rules"]);
    let rule = Rule::compile(text, &place, &scope, &mut diagnostics);
    (rule, diagnostics.into_iter().map(|diagnostic| (diagnostic.code, diagnostic.place.within)).collect())
}

#[test]
fn a_rule_must_fit_its_route() {
    let cloudflare = |text, has_identity| compiled(text, has_identity, Platform::Cloudflare);
    for (text, codes) in [
        ("path.tenant == claim.tenant", vec![]),
        ("path.user == claim.sub", vec![(Code::UnboundPlaceholder, Some((0, 9)))]),
        (
            "claim.a or path.x or path.user",
            vec![(Code::UnboundPlaceholder, Some((11, 17))), (Code::UnboundPlaceholder, Some((21, 30)))],
        ),
        ("claim.sub = 1", vec![(Code::BadRule, Some((10, 11)))]),
        ("client.country == 'NO'", vec![]),
    ] {
        let (rule, found) = cloudflare(text, true);
        assert_eq!(rule.is_some(), codes.is_empty(), "{text}");
        assert_eq!(found, codes, "{text}");
    }
    let (_, found) = cloudflare("query.a or identity.groups or consumer.plan", false);
    assert_eq!(found, [(Code::NoIdentity, Some((11, 26))), (Code::NoIdentity, Some((30, 43)))]);
    assert!(cloudflare("request.method == 'GET'", false).0.is_some());
    let (_, found) = compiled("client.country == 'NO'", true, Platform::Spin);
    assert_eq!(found, [(Code::Unsupported, Some((0, 14)))]);
}

#[test]
fn a_rule_says_what_it_reads_and_what_it_is() {
    let text = "header.X-Tenant == claim.tenant and not header['x-b'] or cookie.a and client.country == 'NO'";
    let rule = Rule::parse(text).expect(text);
    let mut interest = Interest::default();
    rule.interest(&mut interest);
    let mut names: Vec<&str> = interest.request.iter().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["cookie", "x-b", "x-tenant"]);
    assert!(interest.country);
    assert_eq!(rule.to_string(), text);
}

/// Laws for any rule. proptest is there where the tests run natively.
#[cfg(not(target_family = "wasm"))]
mod laws {
    use super::*;
    use proptest::prelude::*;

    /// The words that rules are made of, so that arbitrary ones come near to real ones.
    fn near() -> impl Strategy<Value = String> {
        let words = [
            "claim.sub",
            "claim.account",
            "claim.accounts",
            "claim.mixed",
            "claim.nothing",
            "claim.large",
            "query.twice",
            "claim[\"a\"].b",
            "path.tenant",
            "query.page",
            "header.x-many",
            "identity.groups",
            "identity.subject",
            "client.address",
            "==",
            "!=",
            "<",
            ">=",
            "in",
            "contains",
            "starts_with",
            "ends_with",
            "and",
            "or",
            "not",
            "(",
            ")",
            "[",
            "]",
            ",",
            "'a'",
            "\"é\"",
            "42",
            "-1.5e300",
            "true",
            "''",
            "'",
            "\\",
            ".",
            "=",
            "é",
        ];
        prop::collection::vec(prop::sample::select(words.to_vec()), 0..12).prop_map(|words| words.join(" "))
    }

    /// Rules that can be read.
    fn rule() -> impl Strategy<Value = String> {
        let value = prop::sample::select(vec![
            "claim.sub",
            "claim.account",
            "claim.accounts",
            "claim.mixed",
            "claim.nothing",
            "claim.large",
            "claim.none",
            "claim.missing",
            "claim.admin",
            "claim.ratio",
            "claim.empty",
            "claim.level",
            "query.twice",
            "query.page",
        ]);
        let operator = prop::sample::select(Operator::ALL.map(|(text, _)| text).to_vec());
        let right =
            prop::sample::select(vec!["claim.address", "claim.most", "claim.float", "claim.mixed", "claim.sub"]);
        let leaf = prop_oneof![
            value.clone().prop_map(str::to_owned),
            (value, operator, right).prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
        ];
        leaf.prop_recursive(4, 16, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|rule| format!("not ({rule})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
                (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) or {b}")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_panics(text in prop_oneof![any::<String>(), near(), "[a-z.\\[\\]'\"\\\\=<>! é()0-9-]{0,40}"]) {
            match Rule::parse(&text) {
                Ok(rule) => {
                    rule.holds(&ada());
                    prop_assert_eq!(rule.to_string(), text);
                }
                Err(mistake) => prop_assert!(text.get(mistake.range.clone()).is_some(), "{:?}: {:?}", text, mistake),
            }
        }

        #[test]
        fn every_rule_that_makes_sense_is_read_and_comes_to_an_end(text in rule()) {
            // Nothing panics for it, for a client and for nobody.
            if text.len() <= MAX_LENGTH {
                let rule = Rule::parse(&text);
                prop_assert!(rule.is_ok(), "{:?}", rule);
                let rule = rule.map_err(|_| TestCaseError::reject("unread"))?;
                rule.holds(&ada());
                rule.holds(&request(Method::GET, "/", "/", &[]));
            }
        }

        #[test]
        fn a_comparison_and_its_opposite_never_both_hold(
            (a, b) in (prop::sample::select(vec!["claim.sub", "claim.account", "claim.mixed", "path.account", "query.n"]),
                       prop::sample::select(vec!["claim.level", "claim.float", "claim.nothing", "claim.roles", "query.page"])),
        ) {
            let holds = |operator: &str| Rule::parse(&format!("{a} {operator} {b}")).is_ok_and(|rule| rule.holds(&ada()));
            prop_assert!(!(holds("==") && holds("!=")));
            prop_assert!(!(holds("<") && holds(">=")));
            prop_assert!(!(holds("<=") && holds(">")));
        }
    }
}
