"""The process that opens untrusted documents: `python -m rc_mcp.media.worker`.

It gets an open file as standard input and a `Task` as its only argument, and writes `Message`s to standard output, one
JSON object a line. It has no secrets in its environment, little time, little memory (except on Windows, which has no
such limit), and writes no files.
"""
