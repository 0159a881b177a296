#!/usr/bin/env bash
# A cluster for as long as somebody holds the other end of this script's input: for test suites, which may end in any way. One that
# somebody else brought up is used and left running.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# Names us as the one to end it, if this call is what brings it up.
HOLDER=$$ "$here/up.sh" </dev/null
cat >/dev/null
[ "$(cat "$run/holder" 2>/dev/null)" != $$ ] || "$here/down.sh"
