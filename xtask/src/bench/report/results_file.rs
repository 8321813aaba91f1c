//! bench/results.md: sections that are replaced one by one.

/// The beginning of the file.
const HEAD: &str = "\
# Benchmark

`cargo xtask bench` measures all tables and prints them. With `--write` it also puts them here, in place of the older
ones. So each table says when and on which machine it was measured. Compare figures only within one table.
[docs/performance.md](../docs/performance.md) says what the benchmark measures and how to use it.
";

/// The file `old` with these sections: titles and Markdown. Sections with the same titles are replaced in their places;
/// new ones follow.
pub fn with(old: &str, sections: &[(&str, String)]) -> String {
    let mut all: Vec<(&str, &str)> = old.split("\n## ").skip(1).map(|part| (title(part), part)).collect();
    let new: Vec<(&str, &str)> =
        sections.iter().map(|(title, text)| (*title, text.strip_prefix("## ").unwrap_or(text))).collect();
    for (title, text) in new {
        match all.iter_mut().find(|(known, _)| *known == title) {
            Some(section) => section.1 = text,
            None => all.push((title, text)),
        }
    }
    let mut file = HEAD.to_owned();
    file.extend(all.iter().map(|(_, text)| format!("\n## {}\n", text.trim_end())));
    file
}

fn title(section: &str) -> &str {
    section.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_replaced_one_by_one() {
        let first = with("# An older head\n", &[("A", "## A\n\nold a\n".into()), ("B", "## B\n\nold b\n".into())]);
        assert_eq!(first, format!("{HEAD}\n## A\n\nold a\n\n## B\n\nold b\n"));
        let second = with(&first, &[("C", "## C\n\nnew c\n".into()), ("A", "## A\n\nnew a\n".into())]);
        assert_eq!(second, format!("{HEAD}\n## A\n\nnew a\n\n## B\n\nold b\n\n## C\n\nnew c\n"));
        assert_eq!(with(&second, &[]), second);
    }
}
