//! What the documentation says is true: commands are understood, examples are read, tables are what the
//! program says, links lead somewhere. `just docs` writes the tables anew.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod house;

use clap::{CommandFactory, Parser, error::ErrorKind};
use house::Tree;
use phoenix_cli::{arguments::Arguments, castle_file, catalogue};
use std::{collections::BTreeSet, fs, path::Path};

/// A block between fences.
struct Block {
    language: String,
    text: String,
}

/// The blocks of a page, and the page without them.
fn blocks(page: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut rest) = (Vec::new(), String::new());
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), text: String::new() });
            }
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {
                rest += line;
                rest.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block is never closed");
    (blocks, rest)
}

/// The commands of a page: in `sh` blocks each line, in `console` blocks what follows the prompt, in
/// prose what stands between backticks and begins like one.
fn commands(page: &str) -> Vec<String> {
    let (blocks, prose) = blocks(page);
    let mut commands = Vec::new();
    for Block { language, text } in blocks {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        match language.as_str() {
            "sh" => commands.extend(lines.map(str::to_owned)),
            "console" => commands.extend(lines.filter_map(|line| line.strip_prefix("$ ").map(str::to_owned))),
            _ => {}
        }
    }
    let ours = ["phoenix ", "just ", "bin/setup", "cargo nextest "];
    let spans = prose.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " "));
    commands
        .extend(spans.filter(|span| ours.iter().any(|name| span.starts_with(name)) && !span.contains('…')));
    commands.iter().flat_map(|line| line.split(" && ").map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// What is wrong with a command, if anything is.
fn fault_of_command(command: &str, tree: &Tree) -> Option<String> {
    let command = command.split(" | ").next().unwrap_or_default().split(" # ").next().unwrap_or_default();
    let is_variable = |word: &&str| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    let words: Vec<_> = command
        .split_whitespace()
        .skip_while(is_variable)
        .map(|word| word.trim_matches(['"', '\'']))
        .collect();
    let fault = match words.as_slice() {
        [program, ..] if Path::new(program).file_name().is_some_and(|name| name == "phoenix") => {
            match Arguments::try_parse_from(&words) {
                Ok(_) => None,
                Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                    None
                }
                Err(error) => Some(error.to_string()),
            }
        }
        ["just", recipe, arguments @ ..] if recipes(tree).contains(*recipe) => match *recipe {
            "drill" | "store" | "sweep" | "schema" => {
                return fault_of_command(&[&["phoenix", recipe], arguments].concat().join(" "), tree);
            }
            _ => None,
        },
        ["just"] | ["bin/setup"] | ["bin/setup", "--check"] | ["bin/setup", "--check", "drill"] => None,
        ["cargo", "nextest", "run", "--profile" | "-P", profile, ..] => {
            (!profiles(tree).contains(*profile)).then(|| format!("there is no profile {profile}"))
        }
        ["cargo" | "git" | "cd" | "export" | "curl", ..] => None,
        _ => Some("nobody here knows that command".to_owned()),
    };
    fault.map(|fault| format!("`{command}`: {fault}"))
}

/// The recipes of the Justfile.
fn recipes(tree: &Tree) -> BTreeSet<String> {
    let head = |line: &str| {
        line.split_once(':').map(|(head, _)| head.split_whitespace().next().unwrap_or("").to_owned())
    };
    let recipe = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase()) && !line.contains(":=");
    tree.read("Justfile").lines().filter(recipe).filter_map(head).collect()
}

/// The profiles of nextest.
fn profiles(tree: &Tree) -> BTreeSet<String> {
    let config: toml::Table = tree.read(".config/nextest.toml").parse().unwrap();
    config["profile"].as_table().unwrap().keys().cloned().collect()
}

/// Fails with all faults, each behind the page it is in.
#[track_caller]
fn each_page(mut faults: impl FnMut(&str, &str, &Tree) -> Vec<String>) {
    let tree = Tree::of_the_house();
    let pages: Vec<_> = tree.files(".md").collect();
    assert!(pages.len() >= 8, "those are not all pages: {pages:?}");
    let all: Vec<_> = pages
        .iter()
        .flat_map(|page| {
            faults(page, &tree.read(page), &tree).into_iter().map(move |fault| format!("{page}: {fault}"))
        })
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn every_command_is_understood() {
    let mut seen = 0;
    each_page(|_, text, tree| {
        let commands = commands(text);
        seen += commands.len();
        commands.iter().filter_map(|command| fault_of_command(command, tree)).collect()
    });
    assert!(seen > 20, "only {seen} commands were found");
}

#[test]
fn a_wrong_command_is_caught() {
    let tree = Tree::of_the_house();
    let page =
        "Run `phoenix drill --rowz 5`.\n```sh\njust dril\nphoenix drill --target immediate | jq .\n```\n";
    let faults: Vec<_> =
        commands(page).iter().filter_map(|command| fault_of_command(command, &tree)).collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("`just dril`") && faults[1].contains("--rowz"), "{faults:?}");
}

#[test]
fn every_link_leads_somewhere() {
    each_page(|page, text, _| {
        let (_, prose) = blocks(text);
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let here = house::root().join(page).parent().map(Path::to_owned).unwrap_or_default();
        let dead =
            |target: &&str| !target.is_empty() && !target.contains("://") && !here.join(target).exists();
        targets.filter(dead).map(|target| format!("the link to {target} leads nowhere")).collect()
    });
}

#[test]
fn no_page_speaks_of_this_machine() {
    let root = house::root().display().to_string();
    let home = std::env::var("HOME").unwrap_or_default();
    each_page(|_, text, _| {
        let places = [root.as_str(), home.as_str()].into_iter().filter(|place| place.len() > 1);
        places.filter(|place| text.contains(*place)).map(|place| format!("it names {place}")).collect()
    });
}

#[test]
fn every_piece_of_castle_toml_is_read() {
    let mut seen = 0;
    each_page(|page, text, _| {
        let (blocks, _) = blocks(text);
        let pieces = blocks.into_iter().filter(|block| block.language == "toml").inspect(|_| seen += 1);
        let faults =
            pieces.filter_map(|block| castle_file::parse(page, &block.text, |_| Some("x".into())).err());
        faults.map(|error| format!("{error:?}")).collect()
    });
    assert!(seen >= 3, "only {seen} pieces were found");
}

#[test]
fn the_fault_plans_are_read() {
    let (blocks, _) = blocks(&Tree::of_the_house().read("docs/store.md"));
    let plans: Vec<phoenix_store::FaultPlan> = blocks
        .iter()
        .filter(|block| block.language == "json")
        .map(|block| serde_json::from_str(&block.text).unwrap())
        .collect();
    assert!(plans.iter().any(|plan| plan.faults.len() >= 3));
}

#[test]
fn the_lines_of_the_ledger_are_read() {
    let (blocks, _) = blocks(&Tree::of_the_house().read("docs/evidence.md"));
    let entries: Vec<phoenix_core::Entry> = blocks
        .iter()
        .filter(|block| block.language == "json")
        .flat_map(|block| block.text.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(matches!(entries[0], phoenix_core::Entry::Invoked { .. }));
    phoenix_core::ledger::attempts(&entries).unwrap();
}

#[test]
fn the_exit_statuses_are_those_of_the_help() {
    let help = Arguments::command().get_after_help().unwrap().to_string();
    let page = Tree::of_the_house().read("docs/evidence.md");
    let statuses: Vec<_> = help.trim_start_matches("Exit status: ").split(" · ").collect();
    assert_eq!(statuses.len(), 6, "{help}");
    for status in statuses {
        let (number, meaning) = status.split_once(' ').unwrap();
        let first = meaning.split([' ', ',']).next().unwrap();
        assert!(page.contains(&format!("| {number} | {first}")), "docs/evidence.md does not say: {status}");
    }
}

/// Holds a page's table against what it must be, or writes it anew if `UPDATE_DOCS` is set.
fn table(page: &str, wanted: &str) {
    const BEGIN: &str = "<!-- made by `just docs`: begin -->\n";
    const END: &str = "<!-- made by `just docs`: end -->";
    let path = house::root().join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("where the table begins");
    let (found, after) = rest.split_once(END).expect("where the table ends");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert_eq!(found, wanted, "the table in {page} is out of date: run just docs");
    }
}

#[test]
fn the_table_of_scenarios_is_what_the_program_says() {
    let mut wanted = "| Scenario | Expected | Promise |\n|---|---|---|\n".to_owned();
    for scenario in catalogue::all() {
        let finding = scenario.finding.map(|code| format!(", finding `{code}`")).unwrap_or_default();
        wanted += &format!(
            "| `{}` | {}{finding} | {} |\n",
            scenario.name,
            scenario.expected.word(),
            scenario.promise
        );
    }
    table("docs/scenarios.md", &wanted);
}

#[test]
fn the_table_of_defects_is_what_the_program_says() {
    table("docs/catalogue.md", &catalogue::defects::table());
}

/// The codes of the findings in a piece of source.
fn codes_in(source: &str) -> impl Iterator<Item = String> {
    let literal = |text: &str| text.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned);
    ["Finding::certain(", "        code: "]
        .into_iter()
        .flat_map(move |mark| source.split(mark).skip(1).filter_map(literal).collect::<Vec<_>>())
}

#[test]
fn the_table_of_findings_is_complete() {
    let tree = Tree::of_the_house();
    let mut made = BTreeSet::new();
    for path in tree.files(".rs").filter(|path| path.starts_with("harness/") && path.contains("/src/")) {
        let text = tree.read(&path);
        let source = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        made.extend(codes_in(source));
    }
    let page = tree.read("docs/troubleshooting.md");
    let told: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | ").map(|(code, _)| code.to_owned()))
        .filter(|code| !code.contains(' '))
        .collect();
    assert!(made.len() > 40, "those are not all codes: {made:?}");
    assert_eq!(made, told, "docs/troubleshooting.md and the source do not name the same codes");
}

/// Every binary with tests has its row in the table of tests, and every profile its word.
#[test]
fn the_table_of_tests_is_complete() {
    let page = Tree::of_the_house().read("docs/tests.md");
    let metadata = house::metadata();
    let mut rows = BTreeSet::new();
    for package in metadata.workspace_packages() {
        let tests = package.targets.iter().filter(|target| target.is_test());
        rows.extend(tests.map(|target| format!("| `{}::{}` |", package.name, target.name)));
    }
    let absent: Vec<_> = rows.iter().filter(|row| !page.contains(row.as_str())).collect();
    assert!(absent.is_empty(), "docs/tests.md has no row for {absent:?}");
    let gone = page
        .lines()
        .filter(|line| line.starts_with("| `phoenix-"))
        .filter(|line| line.contains("::") && !rows.iter().any(|row| line.starts_with(row.as_str())));
    assert_eq!(gone.collect::<Vec<_>>(), [""; 0], "docs/tests.md has rows for what is gone");
    for profile in profiles(&Tree::of_the_house()) {
        assert!(page.contains(&format!("`{profile}`")), "docs/tests.md does not name the profile {profile}");
    }
}

#[test]
fn every_recipe_says_what_it_is_for() {
    let tree = Tree::of_the_house();
    let recipes = recipes(&tree);
    assert!((5..=15).contains(&recipes.len()), "{recipes:?}");
    let text = tree.read("Justfile");
    for recipe in recipes {
        let lines: Vec<_> = text.lines().collect();
        let at = lines.iter().position(|line| {
            line.starts_with(&format!("{recipe}:")) || line.starts_with(&format!("{recipe} "))
        });
        let above = lines[..at.unwrap()].iter().rev().find(|line| !line.starts_with('['));
        assert!(above.is_some_and(|line| line.starts_with("# ")), "{recipe} has no comment above it");
    }
}
