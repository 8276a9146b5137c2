"""The queries behind the handlers: what is asked of the archive, and pure functions that shape the answers."""
