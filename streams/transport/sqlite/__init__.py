"""The embedded broker: a durable partitioned log in one SQLite file, and Faust's driver for it.

schema   the file: tables, pragmas, version, errors that name the fix
  └─ log     topics, appends, reads, committed offsets          (one transaction = one fsync)
       └─ upkeep   retention by age, compaction by key
            └─ store    `Store`, what everybody opens
wakeup   one event per file and process: "something was appended"
writer   one thread per file and process: group commit of appends and offsets
lock     one worker of a stage per file
transport, consumer, producer   Faust's driver for `sqlite:///absolute/path/broker.db`
"""
