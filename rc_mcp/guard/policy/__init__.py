"""The operator's policy: protected senders, limits, and the rule for unattended work."""
