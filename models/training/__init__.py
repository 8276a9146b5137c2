"""From labelled files to a network, and from a network to an artifact that `models.classifier` loads.

    datasets/*.yaml ─ dataset ─> examples ─ corpus, leaks, split ─> train, dev, held-out tests
                                                                      │
    encoder ─ network, heads ─> one encoder, heads for texts, entities, names
      │                                                               │
      │      plan ─ train ─ loop, judging ─> RUN/run.json, RUN/best/ (network.pt, heads.json, tokenizer.json …)
      │              │  tune: other plans     lora: adapters     topic_heads: topics from a few examples
      │              └─ label, soft, augment, other_words, rewritten, sentences ─ distil ─> the run of a student
      │                                                    │          │
      └─ guessing ─ pretrain ─> an encoder that has read the texts    │
                                                                      │
    graph, graph_int8 …, export ─> artifact <── evaluate, card ───────┘

`loop` knows no heads: what a run learns is its `objective`, judging or hidden words. An encoder that a registry has as
ONNX alone is read by `from_onnx`.

Needs the extra `train`, but for what is plain data: dataset, corpus, leaks, split, tags, batches, plan, heads, measure,
soft, augment, sentences and topics run without torch. Test files decide nothing: every choice is made on dev, a part
of the training files that a hash of the text picks.

    TrainingError        a run cannot start or go on
    └── DatasetError     a data set's YAML or file is not what it says
"""
