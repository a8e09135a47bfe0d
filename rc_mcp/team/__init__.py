"""Several people on one server: each with their own RingCentral login, their state in one PostgreSQL.

Needs the extra `rc-mcp[team]`. Nothing outside of this room imports it but `rc-mcp serve --team` and `rc-mcp database`.
"""
