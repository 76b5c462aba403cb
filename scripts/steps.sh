# Shared by scripts/test and scripts/test-integration: steps, each with a log and a line of a table.
# Needs RESULTS, the folder for them; the working directory is the project's root.

TESTS_SECONDS=1800
# Containers often set this. Without compiled modules, each process that imports torch compiles it, for several seconds.
unset PYTHONDONTWRITEBYTECODE

begin_steps() {
  mkdir -p "$RESULTS"
  rm -f "$RESULTS"/*.log
  : >"$RESULTS/table"
}

record() {
  # NAME STATUS BEGAN: a line of the table.
  printf '%-28s %-7s %5d s\n' "$1" "$2" $((SECONDS - $3)) | tee -a "$RESULTS/table"
}

step() {
  # NAME COMMAND …: run it, and continue with the next step even if it fails.
  local name="$1" log="$RESULTS/${1//[ :]/-}.log" began=$SECONDS
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    record "$name" ok $began
  else
    # In one call: another step may be printing at the same time.
    printf '%s\n' "--- $name: $*" "$(tail -n 200 "$log")" "---"
    record "$name" FAILED $began
  fi
}

tests() {
  # NAME PATH …: a test that hangs fails by itself (pyproject.toml). If that does not end it, the traceback of every
  # thread is printed and the run is ended here. Each test runs once: a flaky test is a defect, of it or of the product.
  # INTERPRETER names another Python than that of .venv.
  local name="$1" log="$RESULTS/${1//[ :]/-}.log" began=$SECONDS folder result=ok
  folder="$(mktemp -d /tmp/gpuperf-XXXX)" # its own: nothing else on this machine holds its locks
  # One thread for torch: two wait for each other, and are many times slower when anything else runs.
  OMP_NUM_THREADS=1 TMPDIR="$folder" timeout --kill-after=20 "$TESTS_SECONDS" "${INTERPRETER:-python}" -m pytest -q \
    --durations=20 -o faulthandler_timeout=200 --ignore tests/perf "${@:2}" >"$log" 2>&1 </dev/null || result=FAILED
  rm -rf "$folder"
  printf '%s\n' "--- $name" "$(cat "$log")" "---"
  record "$name" $result $began
}

end_steps() {
  # Prints the table; fails if a step failed.
  printf '\n%s\n%-28s %-7s %5d s\n' "$(cat "$RESULTS/table")" "all" "" "$SECONDS"
  local log
  for log in "$RESULTS"/tests*.log; do
    [ ! -e "$log" ] || tail -n 1 "$log"
  done
  ! grep -q FAILED "$RESULTS/table"
}
