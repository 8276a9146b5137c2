"""Telling people: channels that take a notification and answer how it went.

    AlertEvent, Notice ──► Notification ──► Channel.notify ──► Delivered | RetryLater | GiveUp
                                              ├ TerminalChannel   rendering: framed, or plain in a pipe
                                              ├ FileChannel       NDJSON, each notification once
                                              └ WebhookChannel    HTTP POST, signed as Standard Webhooks asks

Retrying, and remembering what was delivered, is the deliver stage's work.
"""

from __future__ import annotations

from alerts.delivery.channel import (
    Channel,
    Delivered,
    Delivery,
    GiveUp,
    Notification,
    RetryLater,
    back_off_seconds,
)
from alerts.delivery.file import FileChannel
from alerts.delivery.notice import Notice
from alerts.delivery.rendering import render_plain, render_rich
from alerts.delivery.terminal import TerminalChannel
from alerts.delivery.webhook import WebhookChannel

__all__ = [
    "Channel",
    "Delivered",
    "Delivery",
    "FileChannel",
    "GiveUp",
    "Notice",
    "Notification",
    "RetryLater",
    "TerminalChannel",
    "WebhookChannel",
    "back_off_seconds",
    "render_plain",
    "render_rich",
]
