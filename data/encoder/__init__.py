"""What tunes the encoder of the default model: PyTorch and an hour and a half, and neither is needed to use it.

``python -m data.encoder --help``; `docs/method.md` says what came out.
"""
