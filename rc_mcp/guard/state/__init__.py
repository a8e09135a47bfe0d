"""What the guard keeps: plans and the journal, in one database. `state.py` says what a database for them can do."""
