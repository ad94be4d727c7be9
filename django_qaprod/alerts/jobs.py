"""What the worker does about alerts, and how often."""
