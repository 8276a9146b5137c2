"""Outgoing HTTP: the only place that opens a client for feeds, webhooks and the watchdog.

    address ── written by the operator ──────────────────────────────► connect
       └───── from elsewhere (a redirect) ── resolve ── networks ──┬─► connect to the checked address
                                                                   └─► AddressRefused

The check and the connection use the same address, so a name cannot change in between. A proxy is used only where the
settings name one.
"""
