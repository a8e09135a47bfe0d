"""`python -m rc_mcp` is the rc-mcp command."""

from rc_mcp.cli import main

if __name__ == "__main__":
    main()
