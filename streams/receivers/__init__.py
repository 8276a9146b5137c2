"""The receivers of alerts that users name in routes.yaml, and the channels that reach them.

    routes.yaml: receivers ──► entries: a name and one channel each ──► channels ──► alerts.delivery
                                  secrets: a text, {file: …} or {env: …}

A route names receivers; what fails at one of them delays no other.
"""
