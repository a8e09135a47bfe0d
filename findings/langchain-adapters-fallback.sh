#!/usr/bin/env bash
# pip on langchain-mcp-adapters in an environment with mcp 2: it installs an older version, which cannot be imported.
#
# Expected: a conflict, as the current version, 0.3.2, asks for `mcp<2`. Or a version that works.
# Observed: 0.3.1 has no upper limit, so pip goes back to it and reports success. `pip check` finds nothing wrong. The
# import fails on a name that mcp 2 no longer has. A limit that came with 0.3.2 guards only those who ask for 0.3.2. It
# happens to whoever adds the adapters to a server's environment. The two need environments of their own; the protocol
# joins them over stdio or HTTP.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'mcp==2.3.0' 'langchain-mcp-adapters<=0.3.2'
version=$(venv/bin/python -c 'from importlib.metadata import version; print(version("langchain-mcp-adapters"))')
check=$(venv/bin/pip check --disable-pip-version-check 2>&1 | tail -n 1)
error=$(venv/bin/python -c 'import langchain_mcp_adapters.client' 2>&1 | tail -n 1 | sed 's/ (.*//' || true)
conflict=$(venv/bin/pip install --quiet --dry-run --disable-pip-version-check 'mcp==2.3.0' 'langchain-mcp-adapters==0.3.2' 2>&1 |
    grep -o ResolutionImpossible || true)
echo "mcp 2.3.0 with langchain-mcp-adapters<=0.3.2: pip installs $version; pip check: $check; import: $error"
echo "mcp 2.3.0 with langchain-mcp-adapters==0.3.2: ${conflict:-installed}"
[[ $version == 0.3.1 && $check == "No broken requirements found." && $error == ImportError:* && $conflict == ResolutionImpossible ]]
