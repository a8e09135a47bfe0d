"""Sending one request: connection, retries, rate budgets, deadlines."""
