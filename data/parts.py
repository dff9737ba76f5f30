"""The parts of the labelled data: what learns from each, how much an answer of it counts, and what tables call it.

``python -m data.parts fast`` and ``python -m data.parts default`` print what `stance train` is given for a shipped
model, in order.
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple


class Part(NamedTuple):
    """One part.

    Attributes
    ----------
    path
        Where it is, below ``data``; the tables (``.csv``) need the texts of the real answers.
    title
        What tables of scores call it.
    in_encoder
        How much a labelled answer of it counts where an encoder is tuned.
    in_round
        What share of its answers an encoder sees in one round of tuning: less where there are many, and little is
        left to learn from them.
    in_default, in_fast
        How much one counts where a shipped model is trained; 0 where the model does not learn from it.
    """

    path: str
    title: str
    in_encoder: float
    in_round: float
    in_default: float
    in_fast: float = 0.0

    @property
    def is_rough(self) -> bool:
        """Whether its answers are as hasty doctors type: real ones, or told after them."""
        return self.path.endswith(".csv") or self.path == "retold"


PARTS = (
    Part("corpus", "part one", 2.0, 0.4, 1.0, 4.0),
    Part("labels/medical_qa.csv", "part two", 1.0, 0.4, 4.0, 1.0),
    Part("labels/medical_qa_more.csv", "further", 0.8, 0.3, 1.0, 0.7),
    Part("general", "part three", 0.8, 0.08, 1.0),
    Part("labels/medical_qa_turned.csv", "turned round", 1.0, 0.3, 1.0),
    Part("labels/medical_qa_asked.csv", "part four", 1.5, 0.3, 1.0),
    Part("crossed", "part five", 1.3, 0.05, 1.0),
    Part("elusive", "part seven", 1.3, 0.06, 1.0),
    Part("labels/medical_qa_open.csv", "part eight, open", 1.5, 0.4, 4.0),
    Part("labels/medical_qa_titles.csv", "part eight, titles", 1.5, 0.4, 4.0),
    Part("labels/medical_qa_pairs.csv", "part eight, pairs", 1.5, 0.4, 1.0),
    Part("retold", "part nine", 1.5, 0.4, 1.0),
    Part("beyond", "part six", 1.3, 0.4, 0.0),
)
"""All of them, in the order in which they are learnt from.

`default` counts part two and the open and the title questions of part eight four times: its posteriors are to mean
what they say on real answers that were not asked for a side, and most labels are on others.
"""


def learnt_by(model: str) -> dict[str, float]:
    """Return the paths that a shipped model learns from, in order, and how much an answer of each counts.

    Raises
    ------
    ValueError
        When no such model is shipped.

    Examples
    --------
    >>> learnt_by("fast")
    {'corpus': 4.0, 'labels/medical_qa.csv': 1.0, 'labels/medical_qa_more.csv': 0.7}
    """
    if model not in {"default", "fast"}:
        raise ValueError(f"{model!r} is not shipped: default or fast")
    weights = {part.path: part.in_default if model == "default" else part.in_fast for part in PARTS}
    return {path: weight for path, weight in weights.items() if weight}


def train_arguments(model: str, *, written_only: bool = False) -> list[str]:
    """Return what `stance train` is given: sources, and weights where these differ.

    Parameters
    ----------
    model
        A shipped model.
    written_only
        Leave out the labels on real answers, whose texts may not be at hand.

    Examples
    --------
    >>> train_arguments("fast", written_only=True)
    ['data/corpus']
    >>> train_arguments("fast")[3:]
    ['--weight', 'data/corpus=4', '--weight', 'data/labels/medical_qa_more.csv=0.7']
    """
    learnt = {
        f"data/{path}": weight
        for path, weight in learnt_by(model).items()
        if not (written_only and path.endswith(".csv"))
    }
    # Weights are of parts beside one another: where all are alike they would only loosen the penalty.
    if len(set(learnt.values())) == 1:
        return [*learnt]
    weighed = [("--weight", f"{path}={weight:g}") for path, weight in learnt.items() if weight != 1]
    return [*learnt, *(word for pair in weighed for word in pair)]


def main() -> None:
    """Print the arguments."""
    parser = argparse.ArgumentParser(prog="python -m data.parts", description="What `stance train` is given.")
    parser.add_argument("model", choices=["default", "fast"])
    parser.add_argument("--written-only", action="store_true", help="without the labels on real answers")
    options = parser.parse_args()
    sys.stdout.write(" ".join(train_arguments(options.model, written_only=options.written_only)) + "\n")


if __name__ == "__main__":
    main()
