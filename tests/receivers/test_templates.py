"""Templates of receivers: what they make, and that a hostile one costs its own words alone."""

from __future__ import annotations

import msgspec
import pytest

from alerts.delivery import Delivered, EmailChannel, Notification
from alerts.delivery.brief import Brief, Words, brief_of
from alerts.delivery.smtp import SmtpServer
from alerts.records import TopItem
from streams.receivers.templates.rewriting import TemplateLimits, Templates, values_of
from streams.receivers.templates.syntax import VALUES, template_problem
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.receivers.smtp_server import running_mail_server

ITEM = TopItem("i1", NOW_MS, 0.9, "<b>Bank</b> {{ 7 * 7 }} halts", "wire", "https://news.example/a")
EVENT = msgspec.structs.replace(delivery_event("a1"), top_items=(ITEM,))
BRIEF = brief_of(EVENT)
LIMITS = TemplateLimits(cpu_seconds=0.5, seconds=20)


async def test_templates_make_subject_text_and_html_of_a_message() -> None:
    templates = Templates({
        "subject": "{{ severity|upper }}\r\n {{ labels.series }}",
        "text": "{% for one in links %}{{ one.title }} {{ one.url }}{% endfor %} {{ alerts[0].state }} {{ at }}",
        "html": "<p>{{ links[0].title }}</p>",
    })  # fmt: skip
    async with running_mail_server() as server:
        smtp = SmtpServer("127.0.0.1", server.port, "none")
        channel = EmailChannel(smtp, "m@example.org", ["d@example.org"], words=Words(templates=templates))
        assert await channel.notify(Notification(EVENT), NOW_MS) == Delivered()
        await channel.aclose()
        (mail,) = server.mails
    parts = {part.get_content_type(): part for part in mail.walk()}
    assert mail["Subject"] == "WARNING entity/a"
    text = parts["text/plain"].get_content().strip()
    assert text == "<b>Bank</b> {{ 7 * 7 }} halts https://news.example/a firing 2023-11-14T22:13:20.000Z"
    assert parts["text/html"].get_content().strip() == "<p>&lt;b&gt;Bank&lt;/b&gt; {{ 7 * 7 }} halts</p>"


HOSTILE = {
    "loops": ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "processor time"),
    "fills memory": ("{{ 'x' * 2 ** 34 }}", "memory"),
    "makes too much": ("{{ 'x' * 300000 }}", "makes over 200,000 characters"),
    "leaves the sandbox": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
    "names what is not there": ("{{ labls.series }}", "'labls' is undefined"),
    "divides by zero": ("{{ 1 / 0 }}", "ZeroDivisionError"),
    "opens files": ("{% include '/etc/passwd' %}", "no loader"),
}


@pytest.mark.parametrize(("source", "problem"), HOSTILE.values(), ids=HOSTILE)
async def test_a_template_that_fails_costs_its_words_and_not_the_message(source: str, problem: str) -> None:
    templates = Templates({"subject": "{{ change }}", "text": source}, LIMITS)
    try:
        brief = await templates.rewritten(BRIEF)
        assert (brief.subject, brief.html) == (BRIEF.subject, None)
        assert brief.text.startswith(f"{BRIEF.text}\n\n(The template of this receiver failed: ")
        assert problem in brief.text
        after = Templates({"subject": "{{ change }}"}, LIMITS)
        after._process = templates._process  # the next message finds a process again
        assert (await after.rewritten(BRIEF)).subject == "opened"
    finally:
        await templates.aclose()


async def test_a_subject_is_one_line_of_bounded_length_and_never_empty() -> None:
    for source, subject in (("a\n\nb" + "c" * 500, "a b" + "c" * 197), (" {# nothing #} ", BRIEF.subject)):
        templates = Templates({"subject": source})
        assert (await templates.rewritten(BRIEF)).subject == subject
        await templates.aclose()


@pytest.mark.parametrize(
    ("source", "problem"), [("{{ a", "line 1"), ("x\n{% fore %}", "line 2"), ("x" * 70_000, "longer")]
)
def test_what_cannot_be_read_is_named_with_its_line(source: str, problem: str) -> None:
    assert problem in template_problem(source)


def test_what_can_be_read_has_no_problem() -> None:
    assert template_problem("{% for link in links %}{{ link.title }}{% endfor %}") == ""


def test_the_values_that_are_checked_are_those_that_templates_get() -> None:
    assert set(VALUES) == set(values_of(Brief("a", "opened", "warning", False, 0, 0, "s", "e", "t", {})))
