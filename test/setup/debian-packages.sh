#!/bin/sh
# Installs the Debian packages that the tests need, where they are missing and it may; a tool that
# is still missing afterwards is a failure with a sentence, never a silent skip.
set -eu

tools='git:git git-lfs:git-lfs gh:gh openssl:openssl setpriv:util-linux strace:strace shellcheck:shellcheck busybox:busybox chromium:chromium faketime:faketime stty:coreutils script:bsdutils'
missing=''
for pair in $tools; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -x "$(git --exec-path 2>/dev/null)/git-http-backend" ] || missing="$missing git"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing Debian packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null
  # shellcheck disable=SC2086 # a list of words
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
for pair in $tools; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || {
    echo "the tests need ${pair%%:*}: install it with 'apt-get install ${pair##*:}' and run again" >&2
    exit 1
  }
done
