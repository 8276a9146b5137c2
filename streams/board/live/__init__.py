"""What the board pushes: topics read without a group, a ring of events, and server-sent events to bounded clients."""
