"""``python -m pipeline`` is ``stance``."""

from pipeline.cli import main

main()
