"""What the guard keeps in the state folder: plans and the journal, in one database."""
