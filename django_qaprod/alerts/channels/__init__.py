"""Channels: how a message reaches people. ``QAPROD["CHANNELS"]`` says which there are."""
