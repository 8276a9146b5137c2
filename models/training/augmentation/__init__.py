"""New training texts made from labelled ones.

    edits        other names, no ticker, fewer words ─┐
    synonyms     similar words by the word vectors ───┼─> examples, none of which gives away a held-out text
    augmented    words that a masked LM predicts ─────┤
    sentences    sentences with known sentiment ──────┘

Only `augmented` needs torch.
"""
