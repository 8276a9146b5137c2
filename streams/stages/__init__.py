"""The steps of the pipeline; each implements `engine.ports.Stage` and knows no Faust.

score     news -> archive, topics scored and mentions     clean, language, entities, heads, series
watch     mentions -> topic alerts                        positions, windows, detectors, alert episodes
deliver   alerts -> channels                              terminal, file, webhook

The file of a step's name has its effects; what it decides stands beside: `drafts`, `reader`, `classify` and `mentions`
of score, `watch_partition` and `watch_rows` of watch.
"""
