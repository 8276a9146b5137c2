"""Telling people: channels that take a notification and answer how it went.

    AlertEvent, AlertGroup, Notice ──► Notification ──► Channel.notify ──► Delivered | RetryLater | GiveUp
                                              ├ TerminalChannel   rendering: framed, or plain in a pipe
                                              ├ FileChannel       NDJSON, each notification once
                                              ├ WebhookChannel    HTTP POST, signed as Standard Webhooks asks
                                              ├ AlertmanagerChannel
                                              ├ EmailChannel      text, HTML and a picture
                                              ├ PagerDutyChannel
                                              └ AtomChannel       a feed in a file

    AlertEvent for a receiver ──► Planned ──► Deliveries: which is due, and what an answer makes of it

`planned` and `deliveries` are pure. The deliver stage writes down what they decide, and calls the channels.
"""

from __future__ import annotations

from alerts.delivery.alertmanager import AlertmanagerChannel
from alerts.delivery.atom import AtomChannel
from alerts.delivery.channel import (
    Channel,
    Delivered,
    Delivery,
    GiveUp,
    Notification,
    RetryLater,
    Told,
    back_off_seconds,
)
from alerts.delivery.deliveries import Deliveries, Receiver, ReceiverState
from alerts.delivery.file import FileChannel
from alerts.delivery.group import AlertGroup, GroupChange
from alerts.delivery.notice import Notice
from alerts.delivery.pace import Rate
from alerts.delivery.pagerduty import PagerDutyChannel
from alerts.delivery.planned import Planned, Status, attempted, dropped, expired, redirected, resent
from alerts.delivery.rendering import render_plain, render_rich
from alerts.delivery.smtp import EmailChannel
from alerts.delivery.terminal import TerminalChannel
from alerts.delivery.webhook import WebhookChannel

__all__ = [
    "AlertGroup",
    "AlertmanagerChannel",
    "AtomChannel",
    "Channel",
    "Delivered",
    "Deliveries",
    "Delivery",
    "EmailChannel",
    "FileChannel",
    "GiveUp",
    "GroupChange",
    "Notice",
    "Notification",
    "PagerDutyChannel",
    "Planned",
    "Rate",
    "Receiver",
    "ReceiverState",
    "RetryLater",
    "Status",
    "TerminalChannel",
    "Told",
    "WebhookChannel",
    "attempted",
    "back_off_seconds",
    "dropped",
    "expired",
    "redirected",
    "render_plain",
    "render_rich",
    "resent",
]
