#!/bin/sh
# The command that the demo gives to `mount-agent run`: what an AI agent does in a session. A line
# that begins with @ names the step that follows; the demo reads these, a person reads the rest.
# DEMO_NODE and DEMO_MAIN start mount-agent, DEMO_APP holds the mounts, DEMO_OUT takes the figures,
# DEMO_GH says whether gh is there.
set -eu

mount_agent() { "$DEMO_NODE" "$DEMO_MAIN" "$@" --run-dir "$DEMO_RUN_DIR"; }

show() {
  printf '$ %s\n' "$*"
  "$@" 2>&1
}

# Waits until `mount-agent status` ends with the code $1: 0 nothing at risk, 3 work at risk.
await_status() {
  tries=0
  while :; do
    code=0
    mount_agent status --json >"$DEMO_OUT/status.json" || code=$?
    [ "$code" = "$1" ] && break
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || {
      echo "mount-agent status ended with $code, expected $1" >&2
      exit 1
    }
    sleep 0.25
  done
  cp "$DEMO_OUT/status.json" "$DEMO_OUT/$2.json"
  printf '$ mount-agent status\n'
  mount_agent status || [ "$?" = "$1" ]
}

cd "$DEMO_APP/web"

echo '@edit'
printf 'A greeting from the demo.\n' >>README.md
show git diff --stat

echo '@at-risk'
await_status 3 at-risk

echo '@commit'
show git checkout -b improve-greeting
show git commit --all --quiet --message 'Improve the greeting'
show git log --oneline --max-count=1

echo '@push'
show git push --quiet --set-upstream origin improve-greeting
git rev-parse HEAD >"$DEMO_OUT/pushed-oid"
show git status --short --branch

if [ "$DEMO_GH" = yes ]; then
  echo '@pull-request'
  show gh pr create --fill
  show gh pr list
  echo '@received'
fi

echo '@two-tokens'
cd "$DEMO_APP/api"
show git fetch origin
[ "$DEMO_GH" = yes ] && {
  show gh api user --jq .login
  echo
}
cd "$DEMO_APP/web"
[ "$DEMO_GH" = yes ] && {
  show gh api user --jq .login
  echo
}

echo '@clean'
await_status 0 clean
