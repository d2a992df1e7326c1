#!/bin/sh
# A git credential helper (gitcredentials(7)) for one token and one host.
# In: TOKEN-FILE PROTOCOL HOST OPERATION, and on standard input what git asks for. Out: the token,
# when the operation is `get` and protocol, host and port are exactly those given; else nothing.
# The token is never an argument, and `store` and `erase` change nothing: the file is the daemon's.
set -f

[ "${4-}" = get ] || exit 0
token_file=$1 our_protocol=$2 our_host=$3

# A shell drops NUL bytes silently. As carriage returns they are seen, and refused with those.
request=$(tr '\000' '\r')
carriage_return=$(printf '\r')
case $request in *"$carriage_return"*) exit 0 ;; esac

protocol='' host=''
IFS='
'
# An empty line ends a request, be it the first. Unquoted: one word a line.
request=$IFS$request
# shellcheck disable=SC2086
set -- ${request%%"$IFS$IFS"*}
for line; do
  case $line in
    # Given twice, one of them was smuggled into a URL (CVE-2020-5260).
    protocol=*) [ -z "$protocol" ] || exit 0; protocol=${line#protocol=} ;;
    host=*) [ -z "$host" ] || exit 0; host=${line#host=} ;;
    *=*) ;;
    *) exit 0 ;;
  esac
done

# git hands the host on as the user typed it.
case $host in *[A-Z]*) host=$(printf '%s' "$host" | tr '[:upper:]' '[:lower:]') ;; esac
case $protocol in
  https) host=${host%:443} ;;
  http) host=${host%:80} ;;
esac
[ "$protocol" = "$our_protocol" ] && [ "$host" = "$our_host" ] || exit 0

if ! { read -r token <"$token_file"; } 2>/dev/null || [ -z "$token" ]; then
  echo "mount-agent: no token in $token_file" >&2
  exit 0
fi
printf 'username=x-access-token\npassword=%s\n' "$token"
