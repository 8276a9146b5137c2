"""The life of a model, from corrections to promotion and back, as calls; the command line and an API stand above.

    service      Lifecycle: every call, with its request and result

    corrections  ─► feedback, review ─► training_set ─► candidate ─► registry
    retrain      ─► all of it, then the gate
    gate         ─► a version against the one in service, kept beside it
    changeover   ─► promotion (may it?) ─► preparation, baselines (its own past) ─► control
    shadows      ─► control; shadow_report: where a version differs on archived items

What follows `control` inside the stream is `streams.serving`. The errors are drawn in `errors`.
"""
