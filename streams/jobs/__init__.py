"""Jobs on the data of a namespace that end by themselves; all of them may be cut off and started again.

replay         a file through the whole pipeline
rebuild        the archive from the topics
rebuild_state  the state of `watch` from the archive
rescore        new scores for archived items, by the models in service
retry          parked records, read and sent again
resend         notifications, read from their rows and sent again
backup         copies of the embedded broker and archive, and back
"""
