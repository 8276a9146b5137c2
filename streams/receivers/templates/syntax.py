"""Whether a template can be read, and whether it names what there is, without rendering it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from streams.userfiles import suggestion

__all__ = ["VALUES", "misspelt", "template_problem"]

MOST_CHARACTERS = 65_536

VALUES: Final = (
    "id", "change", "severity", "is_over", "since", "at", "subject", "summary", "text", "labels", "annotations",
    "links", "alerts",
)  # fmt: skip
"""What templates may name: the keys of `streams.receivers.templates.rewriting.values_of`."""


def template_problem(source: str) -> str:
    """Returns what is wrong with the syntax, or the filter or test that does not exist; empty if nothing is."""
    if len(source) > MOST_CHARACTERS:
        return f"is longer than {MOST_CHARACTERS:,} characters; shorten it"
    try:
        find_undeclared_variables(_parsed(source))  # nothing is rendered; it looks up filters, which parsing does not
    except TemplateSyntaxError as error:
        return f"line {error.lineno} of the template: {error.message}; correct its Jinja"
    except RecursionError:
        return "is nested too deeply; simplify it"
    return ""


def misspelt(source: str, labels: Collection[str]) -> Iterator[str]:
    """Yields a warning for each value, and each label by its name, that a message does not have."""
    parsed = _parsed(source)
    unknown = find_undeclared_variables(parsed) - {*VALUES, *Environment().globals}  # noqa: S701  # nothing is rendered
    for node in parsed.find_all(nodes.Name):
        if node.name in unknown and node.ctx == "load":
            fix = suggestion(node.name, VALUES)
            yield f"line {node.lineno} of the template: there is no value {node.name!r}; {fix}"
    for lineno, label in _labels_in(parsed):
        if label not in labels:
            fix = suggestion(label, labels)
            yield f"line {lineno} of the template: no rule gives an alert the label {label!r}; {fix}"


def _labels_in(parsed: nodes.Template) -> Iterator[tuple[int, str]]:
    """The labels of `labels.NAME` and `labels["NAME"]`, with their lines."""
    for dotted in parsed.find_all(nodes.Getattr):
        if _is_labels(dotted.node) and not hasattr(dict, dotted.attr):
            yield dotted.lineno, dotted.attr
    for item in parsed.find_all(nodes.Getitem):
        if _is_labels(item.node) and isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str):
            yield item.lineno, item.arg.value


def _is_labels(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "labels"


def _parsed(source: str) -> nodes.Template:
    return Environment().parse(source)  # noqa: S701  # nothing is rendered
