"""What is learnt while news goes by: corrections, new versions of the model, and their way into service.

    control     promotions and shadows, on the compacted topic `control`
    versions    which version scores which offsets of a source partition: pure, one row a partition
    shelf       the loaded models; one that is promoted is loaded while the old goes on scoring
    swap        the versions of a run, written down before any effect of it
    follower    reads `control` now and then

A model changes at a stored offset of each source partition. What stands before the offset is scored by the old
version, by whomever and however often it is scored; what stands after it by the new one.
"""
