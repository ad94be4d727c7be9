"""The read side: the only place that aggregates; answers with dataclasses, and its cost follows the window asked for."""
