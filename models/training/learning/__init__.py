"""The one training loop, what it can pursue, and the runs built on it.

    plan ─> train, pretrain ─ run ─> loop ─┬─ objective: supervised (losses, measure) or hidden words
               │                           ├─ resume     checkpoints
    tune ──────┘ (many plans)              └─ stopping   a signal ends the run after a checkpoint

`loop` knows no heads; an `objective` tells it what to descend and how good the network is on dev.
"""
