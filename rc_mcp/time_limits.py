"""How long the server and the command wait, in one table. All values are our own choice.

`ringcentral/limits.py` has the client's limits, `media/document_limits.py` has limits for documents; the guard's are
next to its locks. Read these as `time_limits.CALL_S`, so that a test can change one for all.
"""

CALL_S = 40.0
"""A tool call, or the reading of a resource: hosts give up after a minute, some sooner.

A call that reads or can be repeated is canceled. A call that deletes is not: it knows how much time is left, begins
nothing that it could not finish, and ends by reading back. The time that a user takes to answer is not counted.
"""
RATE_LIMIT_WAIT_S = 20.0
"""One request's wait for RingCentral's rate limits; a longer one looks like a fault to the user."""
COMPLETION_S = 5.0
"""A completion: it runs while the user types."""
NOTIFICATION_S = 2.0
"""One subscribed client: the call that found the change waits for it before it answers."""
SETTLE_S = 20.0
"""One attempt to settle interrupted changes: no change can begin during it, and a change waits at most 30 s."""
SETTLE_EVERY_S = 30.0

KEY_COMMAND_S = 60.0
"""The command of RC_MCP_MIRROR_KEY_COMMAND, which may ask the user to unlock a password manager."""

DOWNLOAD_S = 300.0
"""A file from a link of a team's server: a browser that stops reading must not keep a connection to RingCentral."""

DATABASE_S = 2.0
"""A team's database: one transaction. One that does not answer by then counts as away."""
DATABASE_GUARD_S = 5.0
"""A transaction of the guard, which may wait for another one of the same tenant."""

HTTP_REQUEST_S = 30.0
"""The complete arrival of a request at `rc-mcp serve --http`, on a new connection too."""
CALLS_END_S = 6.5
"""Calls in progress at SIGTERM. Container engines kill the process after 10 s."""
CONNECTIONS_END_S = 1
"""Open connections after that, before uvicorn cancels the rest."""
SAY_AGAIN_S = 60.0
"""The time before a lasting fault is logged again."""

CHANGE_ENDS_S = 60.0
"""`rc-mcp stop`: the wait for a change in progress."""
BROWSER_CONNECTION_S = 10.0
"""`rc-mcp login`: one connection of the browser, which opens some that it never uses."""
LOGIN_STEP_S = 30.0
"""Each step of a request of `rc-mcp login` or `rc-mcp logout`."""
DEMO_ANSWER_S = 30.0
"""`rc-mcp demo`: one answer, which normally takes milliseconds, so that a hanging server is reported."""
DEMO_COPY_S = 100.0
"""`rc-mcp demo`: the local copy of its mailbox, which RingCentral's rate limits allow in half a minute."""
DRAWING_S = 20.0
"""The pages of one attachment on the emulator's status page."""
