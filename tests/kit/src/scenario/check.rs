//! Whether a scenario makes sense: what its types cannot say. Names that nothing has are found here, before anything is
//! played.

use super::answer::{AnswerBody, Fault};
use super::placeholders::{self, Kind};
use super::{Abandon, Exchange, HostName, Request, Scenario, UpstreamStep};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;

impl Scenario {
    pub(super) fn check(&self) -> Result<()> {
        ensure!(!self.exchanges.is_empty(), "it has no [[exchange]]");
        self.keys.iter().try_for_each(|(name, key)| key.check().with_context(|| format!("[keys.{name}]")))?;
        self.tokens.iter().try_for_each(|(name, token)| token.check().with_context(|| format!("[tokens.{name}]")))?;
        for service in &self.services {
            service.check().with_context(|| format!("the service at {}", service.at))?;
            ensure!(!service.restore, "only an exchange can restore a service");
        }
        let upstreams = self.upstream_names();
        for (position, exchange) in self.exchanges.iter().enumerate() {
            exchange.check(self, &upstreams).with_context(|| self.exchange_name(position))?;
        }
        self.check_placeholders()
    }

    /// Every name in a placeholder must be there, and in a configuration everything else is the gateway's.
    fn check_placeholders(&self) -> Result<()> {
        for (key, value) in &self.source {
            placeholders::each(value, &mut |found, kind, argument| match kind {
                Some(kind) => self.check_placeholder(kind, argument).with_context(|| format!("`{found}` in `{key}`")),
                None if key == "config" => Ok(()),
                None => bail!("`{found}` in `{key}` is no placeholder of scenarios"),
            })?;
        }
        self.check_keys()
    }

    fn check_placeholder(&self, kind: Kind, argument: &str) -> Result<()> {
        match kind {
            Kind::Token => known("tokens", self.tokens.keys(), argument),
            Kind::Proof => known("proofs", self.proofs.keys(), argument),
            Kind::Jwks => {
                let names = argument.split(',').map(str::trim).filter(|name| !name.is_empty());
                names.into_iter().try_for_each(|name| self.check_key(name))
            }
            Kind::Jwk | Kind::Private | Kind::Pem | Kind::Thumbprint => self.check_key(argument),
            Kind::Captured => {
                known("capture", self.exchanges.iter().flat_map(|exchange| exchange.capture.keys()), argument)
            }
            // Where an upstream is, is known later; the others say themselves what is wrong with their text.
            Kind::Address
            | Kind::Time
            | Kind::Date
            | Kind::Sha256
            | Kind::Base64
            | Kind::Base64Url
            | Kind::ContentDigest => Ok(()),
        }
    }

    fn check_keys(&self) -> Result<()> {
        let tokens = self.tokens.iter().map(|(name, token)| ("tokens", name, token.key.as_ref()));
        let proofs = self.proofs.iter().map(|(name, proof)| ("proofs", name, Some(&proof.key)));
        let signatures = self.signatures.iter().map(|(name, signature)| ("signatures", name, Some(&signature.key)));
        for (table, name, key) in tokens.chain(proofs).chain(signatures) {
            key.map_or(Ok(()), |key| self.check_key(key)).with_context(|| format!("[{table}.{name}]"))?;
        }
        for (name, token) in self.proofs.iter().filter_map(|(name, proof)| Some((name, proof.token.as_ref()?))) {
            known("tokens", self.tokens.keys(), token).with_context(|| format!("[proofs.{name}]"))?;
        }
        Ok(())
    }

    fn check_key(&self, name: &str) -> Result<()> {
        known("keys", self.keys.keys(), name)
    }
}

/// A name must be one of a table's.
fn known<'a>(table: &str, names: impl Iterator<Item = &'a String>, wanted: &str) -> Result<()> {
    let names: BTreeSet<&String> = names.collect();
    // What stands in a name's place may be a placeholder itself.
    if wanted.contains('{') || names.contains(&wanted.to_owned()) {
        return Ok(());
    }
    bail!("there is no `{wanted}` in `{table}`: there are {names:?}")
}

impl Exchange {
    fn check(&self, scenario: &Scenario, upstreams: &BTreeSet<String>) -> Result<()> {
        self.check_steps()?;
        self.check_numbers()?;
        for service in &self.services {
            service.check().with_context(|| format!("the service at {}", service.at))?;
        }
        for place in self.calls.keys() {
            let name = place.split('/').next().unwrap_or_default();
            ensure!(upstreams.contains(name), "`calls` counts those of {name}, which is no upstream of this scenario");
        }
        for name in &self.request.sign {
            known("signatures", scenario.signatures.keys(), name).context("`request.sign`")?;
        }
        if self.request.country.is_some() || self.request.certificate.is_some() {
            let skipped = scenario.skip.contains_key(&HostName::Spin);
            ensure!(skipped, "Spin knows neither the country nor the certificate of a client: skip it");
        }
        if self.request.websocket.is_some() && self.request.body.is_some() {
            bail!("a request for a WebSocket has no body");
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<()> {
        let Request { repeat, at_once, background, abandon, .. } = &self.request;
        let several = at_once.is_some() || *repeat != 1;
        ensure!(*repeat > 0 && *at_once != Some(0), "nothing is sent");
        ensure!(at_once.is_none() || *repeat == 1, "it is sent either `repeat` times or `at_once`");
        ensure!(!background || !several, "a request in the background is one request");
        let statuses = self.response.as_ref().is_some_and(|response| !response.statuses.is_empty());
        ensure!(statuses == at_once.is_some(), "`response.statuses` goes with `request.at_once`");
        ensure!(
            at_once.is_none() || self.log.is_none(),
            "which record of several is meant, nobody knows: say `events`"
        );
        if *abandon == Some(Abandon::BeforeHead) {
            let nothing = self.response.is_none() && self.log.is_none() && !several && !background;
            ensure!(nothing, "who goes away before the head sees no response");
        }
        Ok(())
    }

    fn check_steps(&self) -> Result<()> {
        for step in &self.upstreams {
            step.answer.check().with_context(|| format!("the answer of {}", step.at))?;
            if step.answer.fault == Some(Fault::Refuse) {
                ensure!(step.expect.is_empty(), "{} refuses connections, so it sees no request", step.at);
                let all = self.steps_of(&step.at).all(|other| other.answer.fault == Some(Fault::Refuse));
                ensure!(all, "{} either refuses all connections of an exchange or none", step.at);
            }
        }
        let streams = |step: &UpstreamStep| matches!(step.answer.body, AnswerBody::Chunks { .. });
        if self.response.as_ref().is_some_and(|response| response.first_byte_before_end) {
            let any = self.upstreams.iter().any(streams);
            ensure!(any, "first_byte_before_end needs an upstream that answers in chunks");
        }
        Ok(())
    }
}
