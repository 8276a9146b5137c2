"""The steps of the pipeline, one file each; each implements `engine.ports.Stage` and knows no Faust.

score     news -> archive, topics scored and mentions     clean, language, entities, sentiment, topic
watch     mentions -> topic alerts                        positions, windows, detectors, alert episodes
deliver   alerts -> channels                              terminal, file, webhook
"""
