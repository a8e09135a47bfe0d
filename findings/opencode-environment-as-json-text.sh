#!/usr/bin/env bash
# opencode on `{env:NAME}` in its configuration: the value becomes part of the JSON text, before that is parsed.
#
# Expected: the value of the variable as the value of the string, as `${NAME}` in Claude Code's and Gemini CLI's files and
# `${env:NAME}` in VS Code's. A password with a quotation mark or a backslash is an ordinary password.
# Observed: `"TOKEN": "{env:TOKEN}"` with TOKEN='pass"word' makes the whole configuration invalid, and opencode does not start
# any command with it. The error prints the text that it could not parse, with the values of all variables in it: a secret
# gets into a terminal or a log. A line break in a value does the same. A backslash is taken as an escape: 'pa\tss' arrives
# with a tabulator in it, without any error. So a server is given its secrets by the environment, which opencode hands on
# whole, and not by `{env:NAME}`.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix packages 'opencode-linux-x64@1.18.33'
opencode=packages/node_modules/opencode-linux-x64/bin/opencode
mkdir -p home/.config/opencode
cat > server.sh <<'SH'
#!/bin/sh
printf '%s' "$TOKEN" > "$(dirname "$0")/arrived"
SH
chmod +x server.sh
cat > home/.config/opencode/opencode.json <<JSON
{
  "autoupdate": false,
  "mcp": {
    "demo": {"type": "local", "command": ["$folder/server.sh"], "environment": {"TOKEN": "{env:TOKEN}"}}
  }
}
JSON

list() {
    rm -f arrived
    env HOME="$folder/home" XDG_CONFIG_HOME= XDG_DATA_HOME= XDG_STATE_HOME= XDG_CACHE_HOME= TOKEN="$1" \
        OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1 "$opencode" mcp list > said 2>&1 || true
}

version=$(env HOME="$folder/home" "$opencode" --version)
list 'password'
plain=$(cat arrived)
list 'pass"word'
quoted=no
[ ! -e arrived ] && grep -q 'is not valid JSON' said && grep -qF 'pass"word' said && quoted=yes
list 'pa\tss'
escaped=$(cat arrived)

echo "opencode $version: a plain value arrives: $plain"
echo "a value with a quotation mark: invalid JSON, and the error shows it: $quoted"
printf 'a value of pa\\tss arrives as: %q\n' "$escaped"
[ "$plain" = password ] && [ "$quoted" = yes ] && [ "$escaped" = $'pa\tss' ]
