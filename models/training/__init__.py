"""From labelled files to a network, and from a network to an artifact that `models.classifier` loads.

    datasets/*.yaml ─ dataset ─> examples ─ corpus, leaks, split ─> train, dev, held-out tests
                                                                      │
    encoder ─ network, heads ─> one encoder, heads for texts, entities, names
                                                                      │
    plan ─ train ─ loop ─> RUN/best/  (network.pt, config.json, heads.json, tokenizer.json), RUN/run.json
                             │  tune: other plans     lora: adapters     topic_heads: topics from a few examples
                             └─ label, soft, augment, sentences ─ distil ─> the run of a student
                                                                      │
    graph, graph_int8 …, export ─> artifact <── evaluate, card ───────┘

Needs the extra `train`, but for what is plain data: dataset, corpus, leaks, split, tags, batches, plan, heads, measure,
soft, augment, sentences and topics run without torch. Test files decide nothing: every choice is made on dev, a part
of the training files that a hash of the text picks.

    TrainingError        a run cannot start or go on
    └── DatasetError     a data set's YAML or file is not what it says
"""
