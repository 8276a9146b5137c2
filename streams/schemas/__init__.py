"""What topics hold and channels send, described for those who read and write them without moodwire's code.

    structs (types, bounds) ─┐
                             ├─► describing ─┬─► json_schema   a JSON Schema (2020-12) a topic
    fields.yaml (words, units) ┘             └─► asyncapi      all topics as one AsyncAPI 3.0 document

`contents` says which structs are in which topic. A field without words in `fields.yaml` fails a test.
"""
