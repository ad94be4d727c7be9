"""Four weeks of the site in some minutes: its rules, judged by the real passes over generated numbers."""
