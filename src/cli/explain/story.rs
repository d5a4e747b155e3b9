//! What happened to a request, in words: its path, its route, the policies, the upstream, and which other routes
//! nearly took it.

use super::request::Asked;
use super::{Scene, Sent, Told, hint, limits, plan, upstreams};
use crate::body::Body;
use crate::cli::routes::{action, columns, conditions, host, methods};
use crate::cli::{Exit, Outcome};
use crate::config::document::Sections;
use crate::config::units::Duration;
use crate::exchange::{AuthNote, Exchange};
use crate::gateway::{Action, Gateway};
use crate::headers::forwarded::host_of;
use crate::path::{normalize, normalize_query, unescape};
use crate::routing::condition::Facts;
use crate::routing::{Entry, Verdict};
use http::{HeaderMap, HeaderName, HeaderValue};

/// More near misses than this help nobody.
const MOST_MISSES: usize = 5;

/// A larger body is not shown.
const MOST_BODY: usize = 2_000;

pub type Rows = Vec<[String; 2]>;

pub fn write(scene: &Scene<'_>, asked: &Asked, told: &Told) -> Outcome {
    let Scene { gateway, sections, unknown, .. } = scene;
    let request = format!("{} {}://{}{}", asked.method, asked.scheme, asked.authority, asked.target());
    let mut rows: Rows = vec![["request".to_owned(), request]];
    let path = normalize(&asked.path, gateway.encoded_slashes).ok();
    if let Some(path) = path.as_deref().filter(|path| *path != asked.path) {
        rows.push(["path".to_owned(), format!("{path}, as `{}` is understood", asked.path)]);
    }
    let query = asked.query.as_deref().and_then(normalize_query);
    if let Some(query) = query.as_deref().filter(|query| asked.query.as_deref() != Some(*query)) {
        rows.push(["query".to_owned(), format!("{query}, after escaping")]);
    }
    let authority = asked.authority.to_ascii_lowercase();
    let facts = path.as_deref().map(|path| Facts {
        host: host_of(&authority),
        path,
        method: &asked.method,
        headers: &asked.headers,
        query: query.as_deref(),
    });
    let considered = facts.as_ref().map(|facts| gateway.router.consider(facts)).unwrap_or_default();
    let taken = considered.iter().find(|(_, verdict)| *verdict == Verdict::Matches).map(|(entry, _)| *entry);
    let routed = told.ex.matched.is_some();
    if let (Some(entry), Some(facts)) = (taken.filter(|_| routed), &facts) {
        route(gateway, sections, entry, facts, &mut rows);
        if let Some(Action::Proxy(proxy)) = gateway.routes.get(entry.route.0).map(|route| &route.action) {
            let called = told.ex.notes.attempts.first().map(|attempt| &*attempt.upstream);
            rows.extend(upstreams::rows(gateway, proxy, called));
        }
    }
    client(gateway, told, unknown, &mut rows);
    rows.extend(limits::rows(scene, &told.ex));
    // As wide as the longest name there is, so that the values stand in one place for every request.
    rows.iter_mut().for_each(|[name, _]| *name = format!("{name:11}"));
    let mut text = columns([""; 2], &rows);
    text += &outcome(gateway, told);
    text += &others(gateway, &considered, taken);
    let reject = told.ex.notes.reject.filter(|code| !plan::is_of_answers(Some(code)));
    let exit = if routed && reject.is_none() { Exit::Fine } else { Exit::Mistakes };
    Outcome { exit, out: text, err: String::new() }
}

/// The route that took it: why, with which parameters, and what it does.
fn route(gateway: &Gateway, sections: &Sections, entry: &Entry, facts: &Facts<'_>, rows: &mut Rows) {
    let Some(route) = gateway.routes.get(entry.route.0) else { return };
    let mut push = |name: &str, value: String| rows.push([name.to_owned(), value]);
    push("route", route.name.to_string());
    push("  host", host(&entry.host));
    push("  path", entry.pattern.text.clone());
    push("  methods", methods(&entry.conditions));
    for condition in conditions(&entry.conditions) {
        push("  condition", condition);
    }
    let captured = entry.pattern.capture(facts.path).unwrap_or_default();
    for (name, range) in entry.pattern.names.iter().zip(captured) {
        push("  parameter", format!("{name} = {:?}", unescape(&facts.path[range])));
    }
    for policy in &route.policies {
        push("policy", format!("{}: {}", policy.name(), policy.describe()));
    }
    if let Some(idempotency) = &route.idempotency {
        push("idempotency", idempotency.describe());
    }
    let what = match &route.action {
        Action::Proxy(proxy) => {
            let upstream = gateway.upstreams.get(proxy.upstream);
            format!("upstream {}: {}", upstream.map_or("", |upstream| &upstream.name), action(gateway, sections, entry))
        }
        Action::Aggregate(aggregate) => return rows.extend(plan::rows(gateway, sections, route, aggregate)),
        Action::Batch(_) => action(gateway, sections, entry),
        Action::Redirect(_) => format!("redirect: {}", action(gateway, sections, entry)),
        Action::Respond(_) => format!("respond: {}", action(gateway, sections, entry)),
        Action::Admin(_) => format!("admin: {}", action(gateway, sections, entry)),
    };
    push("action", what);
}

/// Who the client is, or why it is nobody, and what had part in that.
pub fn client(gateway: &Gateway, told: &Told, unknown: &[String], rows: &mut Rows) {
    let Told { ex, events, now, .. } = told;
    identity(ex, rows);
    let tried = |(policy, code): &(&str, &str)| ["dry run".to_owned(), format!("{policy} would refuse it: {code}")];
    rows.extend(ex.notes.would_refuse.iter().map(tried));
    let label = if ex.notes.reject.is_some() { "refused" } else { "  reason" };
    if let Some(list) = ex.notes.denied_by {
        rows.push([label.to_owned(), format!("{list}: `access` does not let this client call")]);
    }
    if let Some(note) = ex.notes.auth.as_ref().filter(|note| note.reason.is_some()) {
        refusal(ex, note, label, rows);
        rows.extend(hint::rows(gateway, ex, *now));
        rows.extend(hint::secrets(gateway, ex, unknown));
    }
    rows.extend(hint::unread(gateway, ex));
    rows.extend(events.iter().map(|event| ["event".to_owned(), event.clone()]));
}

fn identity(ex: &Exchange, rows: &mut Rows) {
    let mut push = |name: &str, value: String| rows.push([name.to_owned(), value]);
    if let Some(identity) = &ex.identity {
        let issuer = identity.issuer.as_ref().map(|issuer| format!(" of {issuer}")).unwrap_or_default();
        push("identity", format!("{}{issuer}", identity.method.name()));
        let facts = [
            ("  subject", identity.subject.clone().unwrap_or_default()),
            ("  consumer", identity.consumer.as_ref().map(|consumer| consumer.name.clone()).unwrap_or_default()),
            ("  groups", identity.groups.join(", ")),
            ("  scopes", identity.scopes.join(" ")),
        ];
        for (name, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) {
            push(name, value);
        }
    }
}

/// Why it is nobody, or may not do this, and how it showed itself, where that was not told.
fn refusal(ex: &Exchange, note: &AuthNote, label: &str, rows: &mut Rows) {
    let AuthNote { reason, detail, method, issuer, .. } = note;
    let (reason, detail) = (reason.unwrap_or_default(), detail.as_deref().unwrap_or_default());
    rows.push([label.to_owned(), format!("{reason}: {detail}")]);
    if let Some(method) = method.filter(|_| ex.identity.is_none()) {
        let issuer = issuer.as_ref().map(|issuer| format!(" of {issuer}")).unwrap_or_default();
        rows.push(["  shown".to_owned(), format!("{}{issuer}", method.name())]);
    }
}

/// What was sent, or what is answered.
fn outcome(gateway: &Gateway, told: &Told) -> String {
    match (&told.sent, told.ex.notes.reject) {
        (Some(sent), None) => sent_request(sent, &upstreams::hidden(gateway, &told.ex)),
        (None, reject) if !told.asked.is_empty() && (reject.is_none() || plan::is_of_answers(reject)) => {
            plan::sent(&told.asked, &upstreams::hidden(gateway, &told.ex))
        }
        (_, reject) => {
            let status = told.response.status();
            let why = match reject {
                Some(code) => format!("refused by the gateway: {code}"),
                None => "by the gateway itself".to_owned(),
            };
            let mut text = format!("\nthe answer, {why}:\n  {status}\n");
            text += &fields(told.response.headers(), &[]);
            if let Body::Bytes(bytes) = told.response.body() {
                text += &body(bytes);
            }
            text
        }
    }
}

fn sent_request(sent: &Sent, hidden: &[HeaderName]) -> String {
    let upgrade = if sent.upgrade { ", as a WebSocket" } else { "" };
    let timeout = Duration(sent.timeout);
    format!(
        "\nthe upstream gets, with {timeout} to begin its answer{upgrade}:\n  {} {}\n{}",
        sent.method,
        sent.url,
        fields(&sent.headers, hidden)
    )
}

/// The fields of a message, without the values of those that are hidden.
pub fn fields(headers: &HeaderMap, hidden: &[HeaderName]) -> String {
    let told = |name: &HeaderName, value: &HeaderValue| match hidden.contains(name) {
        true => "***".to_owned(),
        false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    let mut lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("  {name}: {}\n", told(name, value))).collect();
    lines.sort();
    lines.concat()
}

pub fn body(bytes: &[u8]) -> String {
    if bytes.len() > MOST_BODY {
        return format!("\n  ({} bytes)\n", bytes.len());
    }
    let text = String::from_utf8_lossy(bytes);
    format!("\n{}", text.lines().map(|line| format!("  {line}\n")).collect::<String>())
}

/// The routes that nearly took it, and those that would, were the one that did not there.
fn others(gateway: &Gateway, considered: &[(&Entry, Verdict)], taken: Option<&Entry>) -> String {
    let mut seen = Vec::new();
    let mut rows = Rows::new();
    for (entry, verdict) in considered {
        if taken.is_some_and(|taken| taken.route == entry.route) || seen.contains(&entry.route) {
            continue;
        }
        let why = match verdict {
            Verdict::Host | Verdict::Path => continue,
            Verdict::Method => format!("takes {} only", methods(&entry.conditions)),
            Verdict::Condition(unmet) => unmet.clone(),
            Verdict::Matches => "matches too, and is less specific".to_owned(),
        };
        seen.push(entry.route);
        let name = gateway.routes.get(entry.route.0).map_or("", |route| &*route.name);
        rows.push([format!("  {name}"), format!("{}: {why}", entry.pattern.text)]);
    }
    if rows.is_empty() {
        return String::new();
    }
    let more = rows.len().saturating_sub(MOST_MISSES);
    rows.truncate(MOST_MISSES);
    let more = if more > 0 { format!("  and {more} more\n") } else { String::new() };
    format!("\nother routes that came near:\n{}{more}", columns([""; 2], &rows))
}
