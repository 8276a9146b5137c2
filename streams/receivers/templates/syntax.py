"""Whether a template can be read, without rendering it."""

from __future__ import annotations

from jinja2 import Environment, TemplateSyntaxError

__all__ = ["template_problem"]

MOST_CHARACTERS = 65_536


def template_problem(source: str) -> str:
    """Returns what is wrong with the syntax and the fix; empty if nothing is."""
    if len(source) > MOST_CHARACTERS:
        return f"is longer than {MOST_CHARACTERS:,} characters; shorten it"
    try:
        Environment().parse(source)  # noqa: S701  # nothing is rendered
    except TemplateSyntaxError as error:
        return f"line {error.lineno} of the template: {error.message}; correct its Jinja"
    except RecursionError:
        return "is nested too deeply; simplify it"
    return ""
