"""`moodwire alerts …`: what fired, why, and what people do about it.

alerts_reading     list, show, tail            from the archive's copy, beside workers or without
alerts_explain     explain                     from archived items, counted again
alerts_decide      ack, unack, assign, note    decisions: sent to the judge, and answered
alerts_silence     silence, unsilence
alerts_trial       test, preview               a test alert through every channel, or in a receiver's words
"""

from __future__ import annotations

import typer

from streams.cli.lazy import add_lazy

app = typer.Typer(no_args_is_help=True, add_completion=False)
for (_name, _module, _function), _help in {
    ("list", "alerts_reading", "list_alerts"): "List alerts in their present state, the latest onset last.",
    ("show", "alerts_reading", "show_alert"): "Show an alert: its headlines, all its changes, and its notifications.",
    ("explain", "alerts_explain", "explain"): "Explain why an alert opened, or why none did on a series at a time.\n\n"
    "The archived items are counted again, so a large archive takes a while. What was pruned is in no baseline.",
    ("ack", "alerts_decide", "acknowledge"): "Look after an alert, or all firing alerts of a group, for a time.\n\n"
    "No reminder and no escalation until then, or until it becomes more severe.",
    ("unack", "alerts_decide", "unacknowledge"): "End an acknowledgement: reminders and escalation begin again.",
    ("assign", "alerts_decide", "assign"): "Assign an alert to a person.",
    ("note", "alerts_decide", "note"): "Add a note to an alert, whatever others decided meanwhile.",
    ("silence", "alerts_silence", "silence"): "Silence alerts that match: they are listed, and send no messages for a "
    "time.\n\nThe alerts that match now are shown first. A message tells the receivers before a silence ends.",
    ("unsilence", "alerts_silence", "unsilence"): "End a silence or a maintenance window now.",
    ("tail", "alerts_reading", "tail"): "Print the latest changes of alerts; with [bold]-f[/] also those to come.",
    (
        "test",
        "alerts_trial",
        "try_receivers",
    ): "Send a test alert and its end through every channel, "
    "or to the receivers named, and print what came of it. Exit code 1 if one was not delivered.",
    ("preview", "alerts_trial", "preview"): "Print a test alert and its end as a receiver's templates make them; "
    "nothing is sent.",
}.items():
    add_lazy(app, f"streams.cli.{_module}", _name, _help, function=_function)
