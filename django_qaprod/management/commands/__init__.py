"""Commands that only delegate."""
