"""Apache Kafka: Faust's driver for `kafka://host:port[,host:port…]`, and the commands' way to a cluster.

security   who we are: TLS and SASL, as aiokafka, kafka-python and Faust take it
options    what the settings say about a cluster
header_names   names of headers that are not UTF-8        (both clients)
topic_settings how topics are created
cluster    topics, offsets, lag, a look over a topic       (kafka-python, synchronous: commands, tests, publishers)
  └─ client    `KafkaBroker`, the cluster as `streams.transport.broker.Broker`
ordered    records of a partition in order, or not at all  (aiokafka; one way to send, for stages and for threads)
  └─ sender    for threads: publishers and commands
       └─ notes    notes of progress, in a compacted topic
lease      does this worker still own its partitions
claim      a right that one process of a cluster has        (two replays of one namespace keep apart by it)
transport, consumer, producer   Faust's driver             (aiokafka underneath; runs through `streams.transport.runs`)
             └─ consumer_thread   what runs beside aiokafka: fetching, positions, the group
"""
