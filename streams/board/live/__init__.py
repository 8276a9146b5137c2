"""What changes, as it changes: topics followed without a group, sent to whoever listens.

    topics ── tail (a thread) ──► pieces ──► happenings ──► hub: a ring of recent events ──► sse, a stream a client
                                    └─► judge: what the judge knows, and its answers to decisions

`position` says how far an event is: the places of all followed topics, in the event's id.
"""
