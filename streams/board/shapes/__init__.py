"""The structs of the contract: every answer, query and body of the API.

All times are UTC epoch milliseconds and end in `_ms`. A query that has a key of no field is refused.
"""
