"""A small network learns from large ones.

teachers (runs) ─ label ─> soft labels, kept in files ─┐
corpus ─ augmentation ─> more texts ───────────────────┴─ distil ─> the run of a student
"""
