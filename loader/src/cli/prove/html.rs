//! The table as one page that needs nothing else: no script, no font, no picture.

use super::super::page::{escape, put};
use super::symbol;
use super::terminal::{confined, groups, is_anywhere, sentence, title};
use crate::prove::{Alone, Part, Proof, Row, Verdict};

const STYLE: &str = include_str!("style.css");

pub(super) fn page(proof: &Proof) -> String {
    let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| is_anywhere(proof, *part)).collect();
    let title = escape(&title(proof));
    let user = if proof.kernel.root { "root, so cells have users of their own" } else { "an ordinary user" };
    let (release, machine) = (escape(&proof.kernel.release), escape(&proof.kernel.machine));
    let class = if proof.summary.not_stopped > 0 { "not" } else { "stopped" };
    let mut page = format!(
        "<h1>{title}</h1>\n<p class=\"summary {class}\">{}</p>\n\
         <dl>\n<dt>Kernel</dt><dd>Linux {release}, {machine}; the host is {user}</dd>\n",
        escape(&sentence(proof))
    );
    for status in &proof.layers {
        let (name, state) = (status.layer.name(), state(&status.state));
        put(
            &mut page,
            format_args!("<dt>{name}</dt><dd>{}; {}</dd>\n", escape(&state), escape(&status.origin.to_string())),
        );
    }
    page += "</dl>\n";
    legend(&mut page);
    if let Some(label) = &proof.kernel.confined_by {
        put(&mut page, format_args!("<p>{}.</p>\n", escape(&confined(label))));
    }
    page += "<table>\n<thead><tr><th scope=\"col\">Act</th>";
    for part in &parts {
        put(&mut page, format_args!("<th scope=\"col\" class=\"part\">{}</th>", part.name()));
    }
    page += "<th scope=\"col\">With all of them</th></tr></thead>\n";
    for group in groups(proof) {
        let columns = parts.len() + 2;
        put(
            &mut page,
            format_args!("<tbody>\n<tr><th class=\"group\" colspan=\"{columns}\">{}</th></tr>\n", escape(group)),
        );
        for row in proof.acts.iter().filter(|row| row.group == group) {
            put_row(&mut page, row, &parts);
        }
        page += "</tbody>\n";
    }
    page += "</table>\n";
    super::super::page::page(&format!("lazaret prove: {}", self::title(proof)), STYLE, &page)
}

fn state(state: &lazaret_policy::State) -> String {
    match state {
        lazaret_policy::State::Enforced { detail, lacking } if lacking.is_empty() => detail.clone(),
        lazaret_policy::State::Enforced { detail, lacking } => format!("{detail}; without {}", lacking.join("; ")),
        lazaret_policy::State::Absent { why } => format!("absent: {why}"),
    }
}

fn legend(page: &mut String) {
    let examples = [
        Alone::Stopped { how: String::new() },
        Alone::NotStopped,
        Alone::SameAsProcess,
        Alone::Untried,
        Alone::Failed { how: String::new() },
    ];
    *page += "<p class=\"legend\">Each column is one part of a cell alone, with all others taken off: ";
    let entries: Vec<String> = examples
        .iter()
        .map(symbol)
        .map(|(symbol, means, class)| format!("<span class=\"{class}\">{symbol}</span>&nbsp;{means}"))
        .collect();
    *page += &entries.join(", ");
    *page += "</p>\n";
}

fn put_row(page: &mut String, row: &Row, parts: &[Part]) {
    let (name, sentence) = (escape(row.name), escape(row.sentence));
    put(page, format_args!("<tr id=\"{name}\"><th scope=\"row\">{name}<small>{sentence}</small></th>"));
    for part in parts {
        let alone = row.alone.get(part).unwrap_or(&Alone::Absent);
        let (symbol, means, class) = symbol(alone);
        let how = match alone {
            Alone::Stopped { how } | Alone::Failed { how } => format!("{means}: {how}"),
            _ => means.to_owned(),
        };
        let how = escape(&how);
        put(page, format_args!("<td class=\"part {class}\" title=\"{how}\">{symbol}</td>"));
    }
    let (class, symbol, text) = match &row.verdict {
        Verdict::Stopped { stopped_by, how } => {
            ("stopped", '■', stopped_by.map_or_else(|| how.clone(), |part| format!("{}: {how}", part.name())))
        }
        Verdict::Permitted { permitted_by, how } => {
            let lines: Vec<String> = permitted_by.iter().map(ToString::to_string).collect();
            let why = how.map_or_else(|| format!("by {}", lines.join(", ")), str::to_owned);
            ("permitted", '◇', format!("permitted {why}"))
        }
        Verdict::NotStopped { how } => ("not", '✗', format!("NOT STOPPED: {how}")),
    };
    put(
        page,
        format_args!(
            "<td class=\"verdict {class}\"><span aria-hidden=\"true\">{symbol}</span> {}</td></tr>\n",
            escape(&text)
        ),
    );
}
