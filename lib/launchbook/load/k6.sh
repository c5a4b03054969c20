#!/bin/sh
# Runs k6 inside the generator's pod: `sh k6.sh k6 run …`. Says once a second how much CPU k6 has used and what the
# clock reads (seconds), and at the end with which code k6 ended; then keeps the pod until its samples were fetched.
echo "LB {\"version\": \"$("$1" version | tr -d '"' | head -n 1)\"}"
"$@" >"${OUT:-/tmp}/k6.log" 2>&1 &
pid=$!
hertz=$(getconf CLK_TCK 2>/dev/null || echo 100)
while [ -r "/proc/$pid/stat" ]; do
  stat=$(cat "/proc/$pid/stat" 2>/dev/null) || break
  read -r clock _ </proc/uptime
  # Fields 3, 14 and 15: the state, and ticks in user and kernel mode; the name in field 2 has no space.
  set -- $stat
  [ "${3:-Z}" = Z ] && break
  echo "LB {\"clock\": $clock, \"ticks\": $((${14} + ${15})), \"hertz\": $hertz}"
  sleep 1
done
wait "$pid"
code=$?
tail -n 5 "${OUT:-/tmp}/k6.log"
echo "LB {\"done\": true, \"code\": $code}"
sleep "${HOLD:-0}"
