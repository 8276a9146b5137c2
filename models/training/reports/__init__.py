"""What a run leaves for people and for later commands.

reporter   lines, bars and curves while it trains
record     `run.json`: plan, data sets, rows dropped, every evaluation
card       MODEL_CARD.md of an artifact, from its figures
"""
