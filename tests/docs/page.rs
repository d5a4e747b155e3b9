//! A page of the documentation, taken apart: its blocks of code with their marks, its links, its headings.

use std::path::{Path, PathBuf};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page.
pub struct Page {
    /// From the repository's root: `docs/routing.md`.
    pub name: String,
    pub text: String,
}

/// A fenced block of code.
pub struct Block {
    /// Where it begins, for people: `docs/routing.md:12`.
    pub place: String,
    pub language: String,
    /// What the comment before it says: `scenario: area/name`.
    pub mark: Option<String>,
    pub text: String,
}

impl Block {
    /// What its mark says of a kind: the name of a scenario or of a file, a reason.
    pub fn marked(&self, kind: &str) -> Option<&str> {
        self.mark.as_deref()?.strip_prefix(kind)?.strip_prefix(": ")
    }
}

/// Every page: the README, the changes, and the folder `docs`.
pub fn pages() -> Vec<Page> {
    let folder = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = folder.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    paths.extend(["README.md", "CHANGELOG.md"].map(|name| root().join(name)));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            Page { name, text: std::fs::read_to_string(path).unwrap() }
        })
        .collect()
}

pub fn page(name: &str) -> Page {
    Page { name: name.to_owned(), text: std::fs::read_to_string(root().join(name)).unwrap() }
}

impl Page {
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut mark = None;
        let mut lines = self.text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let body: Vec<&str> =
                    lines.by_ref().map(|(_, line)| line).take_while(|line| !line.starts_with("```")).collect();
                blocks.push(Block {
                    place: format!("{}:{}", self.name, number + 1),
                    language: language.to_owned(),
                    mark: mark.take(),
                    text: body.iter().map(|line| format!("{line}\n")).collect(),
                });
            } else if let Some(comment) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
                mark = Some(comment.to_owned());
            } else if !line.trim().is_empty() {
                mark = None;
            }
        }
        blocks
    }

    /// The lines that are no code.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        let mut code = false;
        self.text.lines().filter(move |line| {
            let fence = line.starts_with("```");
            code ^= fence;
            !code && !fence
        })
    }

    /// What its links lead to.
    pub fn links(&self) -> Vec<&str> {
        let after = self.prose().flat_map(|line| line.split("](").skip(1));
        after.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)).collect()
    }

    /// The names that links find its headings by, as code-hosting sites make them.
    pub fn anchors(&self) -> Vec<String> {
        let headings =
            self.prose().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        headings.map(|text| text.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
    }

    /// What stands in backticks.
    pub fn code_spans(&self) -> Vec<&str> {
        self.prose().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }
}

/// Whether a text is what an example shows of it: `…` stands for anything, and identifiers are all alike.
pub fn fits(shown: &str, is: &str) -> bool {
    let (shown, is) = (without_identifiers(shown.trim_end()), without_identifiers(is.trim_end()));
    let pieces: Vec<&str> = shown.split('…').collect();
    let [first, middle @ .., last] = pieces.as_slice() else { return shown == is };
    let Some(mut rest) = is.strip_prefix(first) else { return false };
    for piece in middle {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// 32 hexadecimal digits become as many zeros.
fn without_identifiers(text: &str) -> String {
    let mut plain = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        let zeros = if digits.len() == 32 { "0".repeat(32) } else { digits.to_owned() };
        plain += &zeros;
        plain += &word[digits.len()..];
    }
    plain
}

/// The words of a command, as a shell tells them apart: quotes around one are taken away.
pub fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => words.push(String::new()),
            (c, _) => words.last_mut().unwrap().push(c),
        }
    }
    words
}
