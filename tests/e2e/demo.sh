#!/bin/bash
# ./dev demo: pmx on a small real program, step by step, in a home of its own that is gone afterwards.
#   demo.sh <pmx>
set -euo pipefail
pmx=$1
work=$(mktemp -d /tmp/pmx-demo-XXXXXX)
export PMX_HOME=$work/home

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*" | sed "s|$pmx|pmx|g"; "$@"; }
cleanup() {
  "$pmx" kill >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT

cat >"$work/orders.sh" <<'WORKER'
# A small shop: an order a millisecond or so, as JSON, and a plain line now and then.
n=0
while :; do
  n=$((n + 1))
  level=30
  [ $((n % 50)) -ne 0 ] || level=40
  echo "{\"level\":$level,\"order\":$n,\"msg\":\"order accepted\",\"customer\":\"c$((n % 97))\",\"total\":$((n * 7 % 1000))}"
  [ $((n % 500)) -ne 0 ] || { echo "checkpoint after $n orders"; sleep 0.05; }
  [ $((n % 2000)) -ne 0 ] || echo "payment service is slow" >&2
done
WORKER

# Waits, for at most ten seconds, until the command after it succeeds.
wait_until() {
  local tries=100
  until "$@" 2>/dev/null >&2; do
    ((tries-- > 0)) || { echo "demo: this did not happen: $*" >&2; exit 1; }
    sleep 0.1
  done
}
packed() { [[ -z $(find "$PMX_HOME/logs" -name 'shop-out__*.log' -o -name '*.tmp') ]]; }
archives() { (($(find "$PMX_HOME/logs" -name 'shop-out__*.zst' | wc -l) >= $1)); }

step "start a worker that prints JSON and plain lines; rotate its log at 256 KiB"
show "$pmx" start "$work/orders.sh" --name shop --rotate-max-size 256K
wait_until archives 2

step "what runs"
show "$pmx" list

step "kill -9 of the daemon; the worker and its lines do not notice"
printf '\033[2m$ pmx ping --json\033[0m\n'
before=$("$pmx" ping --json)
echo "$before"
daemon=$(sed -E 's/.*"daemon_pid": *([0-9]+).*/\1/' <<<"$before")
show kill -9 "$daemon"
show "$pmx" ping --json
wait_until archives 4

step "rotated and compressed logs, beside the active one"
show "$pmx" stop shop >/dev/null
wait_until packed
show ls -l "$PMX_HOME/logs"

step "an archive is what zstd reads"
first=$(find "$PMX_HOME/logs" -name 'shop-out__*.zst' | sort | head -1)
printf '\033[2m$ zstd -dc %s | head -3\033[0m\n' "$first"
zstd -dcq "$first" | head -3 || true

step "pmx logs reads active and packed segments alike, and the daemon need not run"
show "$pmx" logs shop --nostream --lines 5
show "$pmx" logs shop --nostream --lines 3 --level warn --out

step "is every line there? orders by their number, over all segments"
{
  find "$PMX_HOME/logs" -name 'shop-out__*.zst' | sort | xargs zstd -dcq
  find "$PMX_HOME/logs" -name 'shop-out__*.log' | sort | xargs -r cat
  cat "$PMX_HOME/logs/shop-out.log"
} | sed -nE 's/.*"order":([0-9]+).*/\1/p' | awk '
  $1 != NR { print "order " $1 " stands where " NR " should"; wrong = 1; exit }
  END { if (!wrong) print NR " orders, numbered 1 to " NR ": none lost, none twice, through the kill -9"; exit wrong }'

step "end everything and remove the demo's home"
show "$pmx" kill
