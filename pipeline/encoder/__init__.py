"""The encoder: a small transformer that reads an answer beside what is asked.

It was tuned on labelled answers, from a published model of English (`data/encoder` holds what tunes it).
What it makes of an answer is a weighted sum over the answer's words, so that what each sentence adds is exact.
"""

from pipeline.encoder.files import LEAST_POSITIONS, dump_encoder, dump_tuning, load_encoder, load_tuning, read_encoder
from pipeline.encoder.network import ANSWER_PIECES, Encoder, Layer, Norm, Quantised, cut_answer
from pipeline.encoder.pieces import WordPieces
from pipeline.encoder.reading import Tuning, count_unread, hash_asked, read_batch, read_unseen, texts_to_read

__all__ = [
    "ANSWER_PIECES",
    "LEAST_POSITIONS",
    "Encoder",
    "Layer",
    "Norm",
    "Quantised",
    "Tuning",
    "WordPieces",
    "count_unread",
    "cut_answer",
    "dump_encoder",
    "dump_tuning",
    "hash_asked",
    "load_encoder",
    "load_tuning",
    "read_batch",
    "read_encoder",
    "read_unseen",
    "texts_to_read",
]
