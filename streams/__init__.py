"""moodwire's stream side: everything that touches Faust, a broker, an archive or a person.

    feeds ─► topic news ─► score ─┬─► archive
                                  ├─► topic scored                 (the public result)
                                  └─► topic mentions ─► watch ─► topic alerts ─► deliver ─► channels

Where to look: `records` (what travels), `engine` (runs, positions, ticks), `stages` (one file a step),
`transport` (brokers), `archive`, `feeds`, `text`, `profiles` (what makes it *finance*), `app` (wiring), `cli`.
"""
