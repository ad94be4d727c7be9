"""The measured project: what ``startproject`` makes, one app, and what a variant adds to it."""
