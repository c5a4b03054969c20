#!/bin/sh
# Runs k6 inside the generator's pod: `sh k6.sh FOLDER k6 run … SCRIPT`. First the dry run, then k6's own latency against
# the null target, then the load. Says once a second how much CPU k6 has used and what the clock reads (seconds), and at
# the end with which code k6 ended. Where RENEWED names a file, k6 is ended once nobody touches that for RENEW_WITHIN s.
code=$1
shift
version=$("$1" version | tr -d '"' | head -n 1)
echo "LB {\"version\": \"$version\"}"
end() { echo "LB {\"done\": true, \"code\": $1}"; exit 0; }
case "$version" in
  *v0.[5-9][0-9].* | *v1.* | *v2.*) ;;
  *) echo "0.50 up to 2.x can be driven"; end 104 ;;
esac
for script; do :; done
system=false
case " $* " in *" --include-system-env-vars=true "*) system=true ;; esac
"$1" inspect --execution-requirements --include-system-env-vars=$system "$script" >"${OUT:-/tmp}/k6.log" 2>&1 || {
  tail -n 5 "${OUT:-/tmp}/k6.log"
  end 104
}
[ -z "${NULL:-}" ] || "$1" run --quiet --no-color --no-usage-report --no-thresholds --address "" \
  --include-system-env-vars=false --config "$code/k6.json" -e "NULL=$NULL" "$code/floor.js" 2>/dev/null
"$@" >"${OUT:-/tmp}/k6.log" 2>&1 &
pid=$!
renewed=
hertz=$(getconf CLK_TCK 2>/dev/null || echo 100)
while [ -r "/proc/$pid/stat" ]; do
  stat=$(cat "/proc/$pid/stat" 2>/dev/null) || break
  read -r clock _ </proc/uptime
  # Nothing is started for this look: it would take CPU from k6. The run that was killed touches RENEWED no more.
  if [ -z "$renewed" ] || [ "${RENEWED:-}" -nt "${OUT:-/tmp}/seen" ]; then
    : >"${OUT:-/tmp}/seen"
    renewed=${clock%.*}
  elif [ -n "${RENEWED:-}" ] && [ $((${clock%.*} - renewed)) -gt "$RENEW_WITHIN" ]; then
    echo "Nobody has asked for this load for $RENEW_WITHIN s: it ends."
    kill "$pid"
    break
  fi
  # Fields 3, 14 and 15: the state, and ticks in user and kernel mode; the name in field 2 has no space.
  set -- $stat
  [ "${3:-Z}" = Z ] && break
  echo "LB {\"clock\": $clock, \"ticks\": $((${14} + ${15})), \"hertz\": $hertz}"
  sleep 1
done
wait "$pid"
result=$?
# What the script threw; see own_script.py.
awk '/level=error/ && !/source=console/ && !/thresholds on metrics/ { if (!n++) first = substr($0, 1, 400) }
  END { print n + 0; print first }' "${OUT:-/tmp}/k6.log" >"${OUT:-/tmp}/k6-errors.txt"
tail -n 5 "${OUT:-/tmp}/k6.log"
end "$result"
