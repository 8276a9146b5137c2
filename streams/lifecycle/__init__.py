"""The life of a model, from corrections to promotion and back.

feedback ─► review ─► training_set ─► candidate ─► registry ─► gate ─► promotion ─► control
                                                      │                   └► baselines, preparation: its own past
                                                      └► shadow_report: what it would have said
"""
