"""The receivers of alerts that users name in routes.yaml, and the channels that reach them.

    routes.yaml: route, inhibit_rules, time_intervals ──► policy ──► alerts.judge
    routes.yaml: receivers ──► entries: a name and one channel each ──► channels ──► alerts.delivery
                                  secrets: a text, {file: …} or {env: …}

A route names receivers; what fails at one of them delays no other.
"""
