"""What the datasheet says of the labelled data, measured: agreement, repetition, duplicates, giveaways.

``make datasheet`` writes the tables of ``data/README.md`` with it, and the tests check the corpus with it.
"""
