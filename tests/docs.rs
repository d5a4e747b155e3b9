//! What the README and the pages of docs/ say is what is there: their examples run, their links lead somewhere, their
//! tables are complete.
//!
//! A block of TOML says in a comment before it where it comes from: `<!-- scenario: area/name -->` is a part of that file
//! of tests/scenarios, `<!-- file: NAME -->` is there for the commands of its page, `<!-- not run: reason -->` is neither.
//! Without a comment it is a whole document or manifest, and loads. In a block of `console`, what follows `$ edgate ..` is
//! what the command prints, in a folder with the example's three files. `…` stands for anything.

#[path = "docs/answers.rs"]
mod answers;
#[path = "docs/examples.rs"]
mod examples;
#[path = "docs/page.rs"]
mod page;

use edgate::aggregate::failure::Failure;
use edgate::config::diagnostic::Code;
use edgate::reject::Reject;
use page::{page, pages, root};
use std::path::Path;

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for from in pages() {
        for link in from.links().into_iter().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(&from.name).parent().unwrap_or(Path::new(""));
            let to = if path.is_empty() { from.name.clone() } else { folder.join(path).to_string_lossy().into_owned() };
            if !root().join(&to).exists() {
                wrong.push(format!("{}: {link}: there is no {to}", from.name));
            } else if !anchor.is_empty() && !page(&to).anchors().iter().any(|known| known == anchor) {
                wrong.push(format!("{}: {link}: no such heading", from.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_can_be_found_from_the_readme() {
    let readme = page("README.md");
    let links = readme.links();
    for other in pages().iter().filter(|other| other.name != "README.md") {
        assert!(links.contains(&other.name.as_str()), "README.md has no link to {}", other.name);
    }
}

#[test]
fn files_that_are_named_are_there() {
    let mut wrong = Vec::new();
    for page in pages() {
        for span in page.code_spans() {
            let path = span.split(' ').next().unwrap_or_default();
            let named = ["src/", "tests/", "scripts/", "docs/"].iter().any(|folder| path.starts_with(folder));
            if named && !path.contains(['*', '<']) && !root().join(path).exists() {
                wrong.push(format!("{}: there is no {path}", page.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn footnotes_are_used_and_there() {
    for page in pages() {
        let names = |text: &str| text.split("[^").skip(1).filter_map(|rest| rest.split_once(']')).count();
        for name in page.text.split("[^").skip(1).filter_map(|rest| rest.split_once(']').map(|(name, _)| name)) {
            let defined = page.text.matches(&format!("\n[^{name}]: ")).count();
            let all = page.text.matches(&format!("[^{name}]")).count();
            assert!(defined == 1 && all > 1, "{}: [^{name}], of {}", page.name, names(&page.text));
        }
    }
}

#[test]
fn every_code_is_in_its_table() {
    let row = |page: &str, code: &str| page.lines().any(|line| line.starts_with(&format!("| `{code}` |")));
    let reference = page("docs/configuration.md").text;
    for code in Code::ALL {
        assert!(row(&reference, code.as_str()), "docs/configuration.md has no row for `{}`", code.as_str());
    }
    let errors = page("docs/errors.md").text;
    for reject in Reject::catalogue() {
        let code = reject.entry().code;
        assert!(row(&errors, code), "docs/errors.md has no row for `{code}`");
    }
}

#[test]
fn every_reason_why_a_part_is_missing_is_in_its_table() {
    let text = page("docs/aggregation.md").text;
    for failure in Failure::ALL {
        let (code, _) = failure.words();
        assert!(text.lines().any(|line| line.starts_with(&format!("| `{code}` |"))), "no row for `{code}`");
    }
}

#[test]
fn the_architecture_names_what_a_host_does() {
    let source = std::fs::read_to_string(root().join("src/host.rs")).unwrap();
    let (_, list) = source.split_once("pub trait Host {").unwrap();
    let (list, _) = list.split_once("\n}\n").unwrap();
    let functions = list.lines().filter_map(|line| line.trim().strip_prefix("fn "));
    let names: Vec<&str> = functions.filter_map(|rest| rest.split(['(', '<']).next()).collect();
    let text = page("docs/architecture.md").text;
    let (_, shown) = text.split_once("pub trait Host {").unwrap();
    let (shown, _) = shown.split_once("\n}\n").unwrap();
    let shown: Vec<&str> =
        shown.lines().filter_map(|line| line.trim().strip_prefix("fn ")?.split(['(', '<']).next()).collect();
    assert_eq!(shown, names);
}

#[test]
fn the_architecture_has_the_strings_of_the_workers_entry() {
    let source = std::fs::read_to_string(root().join("src/cloudflare/wire.rs")).unwrap();
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! ")).filter(|line| line.starts_with("| "));
    let text = page("docs/architecture.md").text;
    for row in rows.skip(1) {
        assert!(text.lines().any(|line| line == row), "docs/architecture.md lacks the row\n{row}");
    }
}

#[test]
fn the_architecture_has_the_layers_of_the_test_that_keeps_them() {
    let source = std::fs::read_to_string(root().join("tests/layering.rs")).unwrap();
    let (_, rest) = source.split_once("const LAYERS").unwrap();
    let (rows, _) = rest.split_once("\n];").unwrap();
    let quoted = |row: &str| row.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>().join(" ");
    // A long row stands on several lines.
    let rows: Vec<String> = rows.split("],").map(quoted).filter(|row| !row.is_empty()).collect();
    let blocks = page("docs/architecture.md").blocks();
    assert!(blocks.iter().any(|block| block.text.lines().eq(rows.iter())), "docs/architecture.md lacks\n{rows:#?}");
}
