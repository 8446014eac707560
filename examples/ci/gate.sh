#!/usr/bin/env bash
# Judge a training run and end with the gate's exit status, for any pipeline that has a shell; action.yml calls it too.
#
#   TRAINHEALTH_RUN_ID=entity/project/id examples/ci/gate.sh
#
# Exit status: 0 promote, 1 reject, 10 hold, 11 could not be judged even after all attempts, 2 to 5 see docs/verdicts.md.
# Everything comes from the environment and is handed on as it is; nothing of it is ever read as a command.
#
#   TRAINHEALTH_RUN_ID       what --run-id takes
#   TRAINHEALTH_CHECKPOINT   the checkpoint to decide on: its name, the end of that, or its step (the newest)
#   TRAINHEALTH_INCUMBENT    the agent that it is to replace
#   TRAINHEALTH_THRESHOLDS   thresholds file         TRAINHEALTH_PROFILE   profile of it
#   TRAINHEALTH_EVENTS       files, folders or globs of events, one to a line
#   TRAINHEALTH_ARGS         more arguments of pytest, one to a line (--set, then its value on the next)
#   TRAINHEALTH_REPORT_DIR   where reports go (training-health)
#   TRAINHEALTH_ATTEMPTS     how often to try while the status is 11 (3)
#   TRAINHEALTH_WAIT         seconds before the second attempt, twice as many before the next, and so on (30)
#   PYTHON                   the interpreter that trainhealth is installed for (python3)
set -euo pipefail

suite=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-python3}
report_dir=${TRAINHEALTH_REPORT_DIR:-training-health}
attempts=${TRAINHEALTH_ATTEMPTS:-3}
wait=${TRAINHEALTH_WAIT:-30}

refuse() {
    printf 'gate.sh: %s\n' "$1" >&2
    exit 4
}

[ -n "${TRAINHEALTH_RUN_ID:-}" ] || refuse "which run? Set TRAINHEALTH_RUN_ID"
[[ $attempts =~ ^[1-9]$ ]] || refuse "TRAINHEALTH_ATTEMPTS should be a number from 1 to 9"
[[ $wait =~ ^[0-9]{1,4}$ ]] || refuse "TRAINHEALTH_WAIT should be a whole number of seconds"
[[ $report_dir != *$'\n'* ]] || refuse "TRAINHEALTH_REPORT_DIR holds a line break"
# No command may take the folder's name for a part of itself: find would, of one such as -delete or ( or !.
case $report_dir in
    [[:alnum:]_./]*) ;;
    *) report_dir=./$report_dir ;;
esac

# With = behind each option, no value is taken for an option or for a path to checks.
arguments=("--run-id=$TRAINHEALTH_RUN_ID" "--report-dir=$report_dir")
[ -z "${TRAINHEALTH_CHECKPOINT:-}" ] || arguments+=("--checkpoint=$TRAINHEALTH_CHECKPOINT")
[ -z "${TRAINHEALTH_INCUMBENT:-}" ] || arguments+=("--incumbent=$TRAINHEALTH_INCUMBENT")
[ -z "${TRAINHEALTH_THRESHOLDS:-}" ] || arguments+=("--thresholds=$TRAINHEALTH_THRESHOLDS")
[ -z "${TRAINHEALTH_PROFILE:-}" ] || arguments+=("--profile=$TRAINHEALTH_PROFILE")
while IFS= read -r line; do
    [ -z "$line" ] || arguments+=("--events=$line")
done <<<"${TRAINHEALTH_EVENTS:-}"
while IFS= read -r line; do
    [ -z "$line" ] || arguments+=("$line")
done <<<"${TRAINHEALTH_ARGS:-}"

# A session that judged nothing (--version, --collect-only) ends with 0 too: only a verdict that says so promotes.
verdict_is_there() {
    find "$report_dir" -name verdict.json -newer "$started" -exec grep -l '"exit_status": 0,' {} + 2>/dev/null | grep -q .
}
started=$(mktemp)
trap 'rm -f "$started"' EXIT
sleep 0.1 # the clock of a file system ticks seldom

# Relative paths are those of the folder that this was called in, so it is not left; with -P nothing is imported from it.
status=0
for ((attempt = 1; ; attempt++)); do
    status=0
    "$python" -P -m pytest -c "$suite/pyproject.toml" "$suite/checks" -p no:cacheprovider "${arguments[@]}" || status=$?
    if ((status != 11 || attempt >= attempts)); then
        break
    fi
    pause=$((10#$wait * 2 ** (attempt - 1)))
    printf 'gate.sh: attempt %d of %d could not judge the run (11); the next in %d s\n' "$attempt" "$attempts" "$pause"
    sleep "$pause"
done

# The words are ours, so that no name of a run can get into what the next steps read.
case $status in
    0) if verdict_is_there; then decision=promote; else decision=none status=5; fi ;;
    1) decision=reject ;;
    10) decision=hold ;;
    11) decision=retry ;;
    *) decision=none ;;
esac
printf 'gate.sh: %s (exit status %d after attempt %d)\n' "$decision" "$status" "$attempt"
if [ -n "${GITHUB_OUTPUT:-}" ]; then
    printf '%s=%s\n' verdict "$decision" exit-status "$status" report-dir "$report_dir" >>"$GITHUB_OUTPUT"
fi
exit "$status"
