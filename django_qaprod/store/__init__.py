"""All writes to the telemetry, and to the events outside the host's own transactions.

What a drainer stores comes in through ``intake.save``; people's decisions through ``states``; the rest is the
worker's. Functions take the database alias as ``using`` and say whether they open a transaction themselves.
"""
