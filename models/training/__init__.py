"""From labelled files to a network, and from a network to an artifact that `models.classifier` loads.

    data ─ examples, dev, held-out tests ─────────────┐
    encoder ─ one encoder with heads ─────────────────┼─> learning ─> RUN/run.json, RUN/best/ (network.pt, heads.json …)
                                                      │      │
    augmentation ─ more texts ─> distillation ────────┘      ├─> topics   heads from a few examples
                                                             └─> export ─ graph, card ─> artifact
    reports   lines and curves while it trains, `run.json`, the model card

Each package imports those below it alone, and none imports a neighbour:

    entry      a request in JSON, from another Python         commands   train, distil, pretrain, tune
    distillation | topics | export
    learning | augmentation | graph
    encoder | reports
    data
    options    declared beside the fields that they set       errors

Needs the extra `train`, except for what is plain data: `options`, `commands` up to a call, the package `data`,
`augmentation` without `augmented`, `learning.plan`, `learning.measure` and `topics.few_shot` run without torch.

    TrainingError        a run cannot start or go on
    └── DatasetError     a data set's file is not what its description says
"""
