#!/bin/sh
# Runs nats-server, and stops it when its store is broken: after a full disk it stores nothing until it is restarted
# (docs/nats.md). Compose then restarts the container.
#
#   keep-storing.sh <health page> <folder of the store> nats-server <option>...
#
# The server's health page answers 503 while a stream cannot write. The server is stopped after three such answers in a
# row, once its disk has 64 MiB free, or a twentieth. A server that is loading its store is not stopped, nor one that
# does not answer, because there may be other reasons.
set -u

health=$1
store=$2
shift 2

# Prints the status of a page: 200, 503 or nothing.
status() {
  if answer=$(wget -t 1 -T 3 -O /dev/null "$1" 2>&1); then
    echo 200
  else
    case $answer in *" 503"*) echo 503 ;; esac
  fi
}

# With js-server-only the page reports whether the server accepts connections, and ignores its streams.
is_broken() {
  [ "$(status "$health")" = 503 ] && [ "$(status "$health?js-server-only=true")" = 200 ]
}

has_room() {
  df -kP "$store" | awk 'NR == 2 {exit !($4 >= 65536 || $4 >= $2 / 20)}'
}

"$@" &
server=$!
trap 'kill -TERM "$server"' TERM INT

broken=0
while kill -0 "$server" 2>/dev/null; do
  sleep 1 &
  wait $! # unlike sleep itself, ended by a signal
  if is_broken; then broken=$((broken + 1)); else broken=0; fi
  if [ "$broken" -ge 3 ] && has_room; then
    echo "keep-storing: NATS does not store messages although its disk has room: restarting it" >&2
    kill -TERM "$server"
    broken=0
  fi
done
wait "$server"
