"""Expectations: every A is followed by B within a time, subject by subject."""
