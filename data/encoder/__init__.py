"""What tunes encoders: PyTorch and some hours, and neither is needed to use one.

``python -m data.encoder --help``; `docs/method.md` says what came out.
"""
