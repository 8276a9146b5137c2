"""Labelled files become examples, and examples become batches. Needs no torch.

    datasets/*.yaml ─ dataset ─> example ─ corpus (leaks, split) ─> train, dev, held-out tests
                                                                      │
                           heads, tags, soft (teachers' labels) ─ batches ─> token numbers, padded

    labelled    the held-out and dev examples as sets that `models.evaluation` measures an artifact on

Test files decide nothing: every choice is made on dev, a part of the training files that a hash of the text picks.
"""
