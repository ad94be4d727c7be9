"""The outbox: what is to leave is stored with its cause, claimed by lease, sent, and marked."""
