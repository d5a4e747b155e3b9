//! Putting results into a page of the documentation, in place of those that it has.

use anyhow::{Context, Result};

/// What ends the results in every page.
const END: &str = "<!-- to here -->";

/// A page with these results between what `script` begins them with and [`END`].
pub fn insert(page: &str, script: &str, results: &str) -> Result<String> {
    let begin = format!("<!-- {script} --markdown writes from here -->");
    let missing = || format!("the page has no `{begin}` with a `{END}` after it");
    let (before, rest) = page.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    Ok(format!("{before}{begin}\n\n{results}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "a\n<!-- b --markdown writes from here -->\n\nold\n\n<!-- to here -->\nc\n";

    #[test]
    fn results_take_the_place_of_those_before() {
        let page = insert(PAGE, "b", "new\n").expect("it has the place");
        assert_eq!(page, PAGE.replace("old", "new"));
        assert!(insert(PAGE, "another", "new\n").is_err());
    }
}
