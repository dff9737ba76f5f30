"""Benchmarks: ratios measured side by side in one run, ``python -m tests.benchmarks``; no test depends on a time."""
