//! The libraries that are mapped with a plugin as a picture: who needs whom, what was not found, what is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::super::page::{markup, put};
use crate::Audit;
use crate::audit::{Severity, Verdict};

const WIDTH: usize = 200;
const HEIGHT: usize = 30;
/// Between columns, and between the boxes of one.
const GAP: (usize, usize) = (70, 14);
/// Most boxes; no more libraries are mapped than that, and the others are in the list of what is needed.
const MAX_NODES: usize = 256;
/// Letters that fit into a box.
const LETTERS: usize = 25;

struct Node<'a> {
    name: &'a str,
    class: &'static str,
    title: String,
    column: usize,
    row: usize,
    needs: Vec<&'a str>,
}

/// An `svg` element.
pub(super) fn svg(audit: &Audit) -> String {
    let nodes = nodes(audit);
    let place: BTreeMap<&str, (usize, usize)> = nodes.iter().map(|node| (node.name, place(node))).collect();
    let columns = nodes.iter().map(|node| node.column + 1).max().unwrap_or(1);
    let rows = nodes.iter().map(|node| node.row + 1).max().unwrap_or(1);
    let (width, height) = (columns * (WIDTH + GAP.0) - GAP.0 + 4, rows * (HEIGHT + GAP.1) - GAP.1 + 4);
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"who needs whom\">\n"
    );
    for node in &nodes {
        let (x, y) = self::place(node);
        for &(to_x, to_y) in node.needs.iter().filter_map(|name| place.get(name)) {
            // Backwards and in one column from the side that is near, forwards from edge to edge.
            let from = if to_x > x { x + WIDTH } else { x };
            let to = if to_x > x { to_x } else { to_x + WIDTH };
            let (y, to_y, middle) = (y + HEIGHT / 2, to_y + HEIGHT / 2, (from + to) / 2);
            put(&mut svg, format_args!("<path d=\"M{from} {y} C{middle} {y} {middle} {to_y} {to} {to_y}\"/>\n"));
        }
    }
    for node in &nodes {
        let (x, y) = self::place(node);
        let name: String = if node.name.chars().count() > LETTERS {
            node.name.chars().take(LETTERS - 1).chain(['…']).collect()
        } else {
            node.name.to_owned()
        };
        put(
            &mut svg,
            format_args!(
                "<g class=\"{}\"><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"4\"/>\
             <text x=\"{}\" y=\"{}\">{}</text></g>\n",
                node.class,
                markup(&node.title),
                x + 8,
                y + HEIGHT / 2 + 4,
                markup(&name)
            ),
        );
    }
    svg + "</svg>"
}

fn place(node: &Node<'_>) -> (usize, usize) {
    (2 + node.column * (WIDTH + GAP.0), 2 + node.row * (HEIGHT + GAP.1))
}

/// The plugin, what it needs, what that needs, and so on, each once; in columns so that arrows lead to the right.
fn nodes(audit: &Audit) -> Vec<Node<'_>> {
    let own = audit.report.facts.iter().flat_map(|facts| &facts.needed).map(String::as_str).collect();
    let class = if audit.report.verdict == Verdict::Refused { "own bad" } else { "own" };
    let title = format!("{}, the file itself", audit.file);
    let mut nodes = vec![Node { name: &audit.file, class, title, column: 0, row: 0, needs: own }];
    let mut known: BTreeSet<&str> = nodes.iter().map(|node| node.name).collect();
    let mut at = 0;
    while let Some(node) = nodes.get(at) {
        for name in node.needs.clone() {
            // A hostile file needs a hundred thousand others: nobody looks at such a picture.
            if nodes.len() < MAX_NODES && known.insert(name) {
                nodes.push(library(audit, name));
            }
        }
        at += 1;
    }
    place_all(&mut nodes);
    nodes
}

fn library<'a>(audit: &'a Audit, name: &'a str) -> Node<'a> {
    let found = audit.libraries.iter().find(|library| library.name == name);
    let (class, title, needs) = match found {
        None => ("absent", format!("{name}: not looked at"), Vec::new()),
        Some(library) => {
            let bad = library.findings.iter().any(|finding| finding.severity == Severity::Refuse);
            let title = format!("{name}: {}", crate::open::shown(&library.path));
            (if bad { "bad" } else { "" }, title, library.needs.iter().map(String::as_str).collect())
        }
    };
    Node { name, class, title, column: 0, row: 0, needs }
}

/// Each library one column behind the last that needs it. Where libraries need each other in a circle, the arrow that
/// closes it is not counted.
fn place_all(nodes: &mut [Node<'_>]) {
    let index: BTreeMap<&str, usize> = nodes.iter().enumerate().map(|(at, node)| (node.name, at)).collect();
    let needs: Vec<Vec<usize>> =
        nodes.iter().map(|node| node.needs.iter().filter_map(|name| index.get(name).copied()).collect()).collect();
    // Depth first: a library is done when all that it needs is, so that the reverse order has each before its needs.
    let (mut entered, mut done) = (vec![false; nodes.len()], Vec::new());
    let mut stack = vec![(0, 0)];
    entered[0] = true;
    while let Some((node, next)) = stack.pop() {
        match needs[node].get(next) {
            None => done.push(node),
            Some(&needed) => {
                stack.push((node, next + 1));
                if !std::mem::replace(&mut entered[needed], true) {
                    stack.push((needed, 0));
                }
            }
        }
    }
    let mut placed = vec![false; nodes.len()];
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    for node in done.into_iter().rev() {
        placed[node] = true;
        let column = nodes[node].column;
        let row = rows.entry(column).or_default();
        nodes[node].row = *row;
        *row += 1;
        for &needed in needs[node].iter().filter(|needed| !placed[**needed]) {
            nodes[needed].column = nodes[needed].column.max(column + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'a>(name: &'a str, needs: &[&'a str]) -> Node<'a> {
        Node { name, class: "", title: String::new(), column: 0, row: 0, needs: needs.to_vec() }
    }

    #[test]
    fn a_library_stands_behind_all_that_need_it_and_a_circle_ends() {
        let mut nodes = [
            node("p", &["c", "a"]),
            node("c", &["ld"]),
            node("a", &["b", "c"]),
            node("b", &["a", "c"]),
            node("ld", &[]),
        ];
        place_all(&mut nodes);
        assert_eq!(nodes.map(|node| (node.name, node.column)), [("p", 0), ("c", 3), ("a", 1), ("b", 2), ("ld", 4)]);
    }
}
