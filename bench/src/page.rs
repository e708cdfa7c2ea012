//! The page's sections: one that was measured anew takes the place of the old one.

/// The heading of the section that stays the last.
const LAST: &str = "## To repeat it";

/// The page with these sections in place of those of the same heading; a new one comes before the last.
pub fn merged(page: &str, sections: &[String]) -> String {
    let mut parts: Vec<String> = split(page);
    for section in sections {
        let section = format!("{}\n", section.trim());
        let heading = heading(&section).to_owned();
        match parts.iter_mut().find(|part| self::heading(part) == heading) {
            Some(part) => *part = section,
            None => {
                let last = parts.iter().position(|part| self::heading(part) == LAST).unwrap_or(parts.len());
                parts.insert(last, section);
            }
        }
    }
    parts.join("\n")
}

/// The page with those sections of an old one that it lacks and that say when they were measured.
pub fn keeping(page: &str, old: &str) -> String {
    let new = split(page);
    let lacks = |section: &String| !new.iter().any(|part| heading(part) == heading(section));
    let dated = |section: &String| section.contains("\n\nMeasured on ");
    let kept: Vec<_> = split(old).into_iter().skip(1).filter(|part| dated(part) && lacks(part)).collect();
    merged(page, &kept)
}

/// What is before the first heading of the second level, and each section; none ends with an empty line.
fn split(page: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in page.lines() {
        if line.starts_with("## ") {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts.into_iter().map(|part| format!("{}\n", part.trim())).collect()
}

fn heading(section: &str) -> &str {
    section.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n\nby hand\n\n## One\n\nold\n\n## To repeat it\n\nso\n";

    #[test]
    fn a_section_takes_the_place_of_its_old_self_and_a_new_one_comes_before_the_last() {
        let page = merged(PAGE, &["\n## One\n\nnew\n".to_owned(), "## Two\n\nalso new\n".to_owned()]);
        assert_eq!(
            page,
            "# Page\n\nby hand\n\n## One\n\nnew\n\n## Two\n\nalso new\n\n## To repeat it\n\nso\n"
        );
    }

    #[test]
    fn a_new_page_keeps_what_it_lacks_if_that_is_dated() {
        let old = "# Page\n\n## One\n\nMeasured on Monday.\n\n## Two\n\nundated\n\n## Three\n\nMeasured on Tuesday.\n";
        let wanted = PAGE.replace("## To repeat", "## Three\n\nMeasured on Tuesday.\n\n## To repeat");
        assert_eq!(keeping(PAGE, old), wanted);
    }

    #[test]
    fn nothing_new_changes_nothing() {
        assert_eq!(merged(PAGE, &[]), PAGE);
    }
}
