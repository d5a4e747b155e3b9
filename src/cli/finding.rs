//! A diagnostic with its place in a file: what the command line shows.

use super::tree::{Mistake, Node, Span};
use crate::config::diagnostic::{Diagnostic, Place, Severity};
use std::rc::Rc;

/// A file that was read, or that a diagnostic is about.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// As the user named it.
    pub name: String,
    pub text: String,
}

/// A place in a file; the whole file where there is no span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub file: Rc<File>,
    pub span: Option<Span>,
}

/// One mistake, or one thing worth a warning, where it stands.
#[derive(Debug, Clone)]
pub struct Finding {
    pub diagnostic: Diagnostic,
    pub spot: Spot,
    /// The other place, where two conflict, which may be in another file.
    pub related: Option<(Spot, String)>,
}

impl Spot {
    pub fn new(file: &Rc<File>, span: impl Into<Option<Span>>) -> Spot {
        Spot { file: Rc::clone(file), span: span.into() }
    }

    /// Line and column of its beginning and of its end, both from 1, columns in characters.
    pub fn lines(&self) -> Option<[(usize, usize); 2]> {
        let span = self.span.as_ref()?;
        Some([self.position(span.start), self.position(span.end)])
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.file.text.get(..at).unwrap_or(&self.file.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

impl Finding {
    /// A diagnostic of the core, whose places are found in the tree of its file.
    pub fn locate(diagnostic: Diagnostic, file: &Rc<File>, tree: &Node) -> Finding {
        let related = diagnostic.related.clone().map(|(place, label)| (Spot::new(file, tree.locate(&place)), label));
        let spot = Spot::new(file, tree.locate(&diagnostic.place));
        Finding { diagnostic, spot, related }
    }

    /// A mistake in the file itself.
    pub fn in_file(mistake: Mistake, file: &Rc<File>) -> Finding {
        let related = mistake.related.map(|(span, label)| (Spot::new(file, span), label));
        Finding { diagnostic: *mistake.diagnostic, spot: Spot::new(file, mistake.span), related }
    }

    pub fn related(mut self, spot: Spot, label: impl Into<String>) -> Finding {
        self.related = Some((spot, label.into()));
        self
    }

    pub fn is_error(&self) -> bool {
        self.diagnostic.is_error()
    }

    pub fn severity(&self) -> Severity {
        self.diagnostic.code.severity()
    }

    pub fn place(&self) -> &Place {
        &self.diagnostic.place
    }
}

/// Puts findings in the order of a reader: by file as given, from its top to its bottom.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| finding.spot.span.as_ref().map_or(usize::MAX, |span| span.start));
}
