"""Tune an encoder, such as the default model has.

``python -m data.encoder --texts FOLDER --base FOLDER --steps 40000 -o build/first``
``python -m data.encoder --texts FOLDER --from build/first -o build/further``
``python -m data.encoder --texts FOLDER --from build/first build/further --steps 0 -o build/mean``

The first tunes a published model, the second goes on from a tuned encoder, the third takes the mean of two.
It needs PyTorch and transformers, 8 GB of memory, and a minute for some ninety steps on two cores; nothing is saved
before the end.

What an encoder was tuned on, or was not, stays so; of the questions that it does not know a tenth is held out. What
the new one says of the answers to these is kept, so that a model can learn from them how far it can be trusted: see
`pipeline.encoder.Tuning`.
"""

from __future__ import annotations

import argparse
import math
from argparse import ArgumentParser, Namespace
from pathlib import Path

from data.measure.datasheet import read_part
from data.parts import PARTS
from pipeline.errors import MedstanceError, WrongUsage

STEPS = 4000

RATE, BASE_RATE, BASE_HEAD_RATE = 6e-5, 2e-4, 1e-3
"""Learning rates: of a tuned encoder, which keeps more of what it knows at a low one, and of a published model."""


def main() -> None:
    """Tune and save."""
    parser = make_parser()
    options = parser.parse_args()
    try:
        check_options(options)
        run(options)
    except (MedstanceError, OSError) as error:
        parser.error(str(error))


def make_parser() -> ArgumentParser:
    """Make the parser of the command line."""
    parser = ArgumentParser(
        prog="python -m data.encoder", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--texts", required=True, help="folder of the real answers that the tables of data/labels are on"
    )
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--base", type=Path, metavar="FOLDER", help="start from a published BERT of uncased English")
    start.add_argument(
        "--from",
        nargs="+",
        dest="earlier",
        metavar="MODEL",
        help="start from a model's encoder, or a mean of some",
    )
    parser.add_argument(
        "--steps", type=int, default=STEPS, help=f"how often weights are changed, by 16 answers each time; {STEPS}"
    )
    parser.add_argument(
        "--rate",
        type=float,
        help=f"highest learning rate; {RATE:g}, or with --base {BASE_RATE:g} and five times that where views are read",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the order of the answers and how they are varied; 0")
    parser.add_argument("-o", "--output", required=True, type=Path, help="where the encoder goes: a new folder")
    return parser


def check_options(options: Namespace) -> None:
    """Refuse what cannot work.

    Raises
    ------
    WrongUsage
        At the first such option.
    """
    if options.steps < 0 or (options.base and not options.steps):
        raise WrongUsage(f"--steps {options.steps}: give a number above 0, or 0 with --from to tune no further")
    if options.rate is not None and not (math.isfinite(options.rate) and options.rate > 0):
        raise WrongUsage(f"--rate {options.rate}: give a number above 0, such as {RATE:g}")
    if options.output.exists() and (not options.output.is_dir() or any(options.output.iterdir())):
        raise WrongUsage(f"-o {options.output}: is there already and not empty; name a new folder")


def choose_rates(options: Namespace) -> tuple[float, float]:
    """Return the highest learning rates of the transformer and of what reads its views."""
    rate, head_rate = (BASE_RATE, BASE_HEAD_RATE) if options.base else (RATE, RATE)
    factor = 1 if options.rate is None else options.rate / rate
    return rate * factor, head_rate * factor


def run(options: Namespace) -> None:
    """Tune and save.

    Raises
    ------
    MedstanceError, OSError
        When PyTorch is not installed, or something named cannot be used.
    """
    try:
        from data.encoder.network import Network, average
    except ModuleNotFoundError as error:
        raise WrongUsage(f"tuning needs PyTorch and transformers ({error}): pip install torch transformers") from error
    from data.encoder.run import tune_and_save
    from data.encoder.tuning import Settings
    from pipeline.workflow.scheme import default_scheme
    from pipeline.workflow.training import open_encoder

    scheme = default_scheme()
    if options.base:
        network, earlier = Network.published(options.base, scheme.names), []
    else:
        sources = [open_encoder(name) for name in options.earlier]
        for name, source in zip(options.earlier, sources, strict=True):
            if source.encoder.labels != scheme.names:
                raise WrongUsage(f"--from {name}: its labels are not those of medstance's own scheme")
        network = average([Network.tuned(source.encoder) for source in sources])
        earlier = [source.tuning for source in sources]
    root = Path(__file__).parents[1]
    parts = {part: read_part(root / part.path, options.texts if part.path.endswith(".csv") else None) for part in PARTS}
    options.output.mkdir(parents=True, exist_ok=True)
    rate, head_rate = choose_rates(options)
    settings = Settings(n_steps=options.steps, rate=rate, head_rate=head_rate, seed=options.seed)
    tune_and_save(network, scheme, parts, earlier, settings, options.output)


if __name__ == "__main__":
    main()
