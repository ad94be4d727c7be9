"""The read side: the only place that aggregates. Answers with dataclasses; the cost follows the window."""
