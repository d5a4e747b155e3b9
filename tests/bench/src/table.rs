//! Tables, for a terminal and for a page.

/// Rows of cells under a heading.
#[derive(Debug, Clone)]
pub struct Table {
    heading: Vec<&'static str>,
    /// Columns from here on hold numbers.
    numbers_from: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(heading: &[&'static str], numbers_from: usize) -> Table {
        Table { heading: heading.to_vec(), numbers_from, rows: Vec::new() }
    }

    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Whether there is nothing but the heading.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Aligned columns.
    pub fn text(&self) -> String {
        let heading: Vec<String> = self.heading.iter().map(|&cell| cell.to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&heading).chain(&self.rows).collect();
        let width = |column: usize| {
            all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let line = |row: &&Vec<String>| {
            let cells = row.iter().enumerate().map(|(column, cell)| match column < self.numbers_from {
                true => format!("{cell:<0$}", width(column)),
                false => format!("{cell:>0$}", width(column)),
            });
            format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        all.iter().map(line).collect()
    }

    /// Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = &str>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
        let rule = (0..self.heading.len()).map(|column| if column < self.numbers_from { "---" } else { "---:" });
        let mut text = line(&mut self.heading.iter().copied());
        text.push_str(&line(&mut rule.into_iter()));
        text.extend(self.rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["name", "CPU µs"], 1);
        table.push(vec!["js".to_owned(), "9".to_owned()]);
        table
    }

    #[test]
    fn numbers_stand_on_the_right() {
        assert_eq!(table().text(), "name  CPU µs\njs         9\n");
    }

    #[test]
    fn a_page_gets_the_same_rows() {
        assert_eq!(table().markdown(), "| name | CPU µs |\n| --- | ---: |\n| js | 9 |\n");
    }
}
