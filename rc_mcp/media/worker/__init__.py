"""The process that opens strangers' documents: `python -m rc_mcp.media.worker`.

It gets an open file as its standard input and a `Task` as its only argument, and writes `Message`s, one JSON object a
line, to its standard output. It has no secrets in its environment, little time, little memory (but for Windows, which
has no such limit), and writes no files.
"""
