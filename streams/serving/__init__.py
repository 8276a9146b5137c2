"""Which model version scores which offset, inside a running stream; it lies below the stages.

    control      promotions and shadows, on the compacted topic `control`
    versions     which version scores which offsets of a source partition: pure, one row a partition
    model_cache  the loaded models; a promoted one is loaded while the old one still scores
    swap         the versions of a run, written down before the run has any effect
    follower     reads `control` every few seconds
    shadow       a version that scores beside the one in service, and is only compared
    prepared     baselines that wait in `watch` for their promotion

A model changes at a stored offset of each source partition. The old version scores what comes before the offset,
whoever scores it and however often; the new version scores what comes after.
"""
