# What the scripts share. Sourced from the repository's root, never run. Written for bash 3.2, which macOS has.

# Versions of tools that no manifest names. wasm-bindgen's program and crate must be the same to the letter.
WASM_BINDGEN=$(sed -n 's/^wasm-bindgen = "=\(.*\)"/\1/p' Cargo.toml)
CARGO_DENY=0.20.2
TOOLS=$PWD/.tools/wasm-bindgen-cli-$WASM_BINDGEN/bin

TARGET=${CARGO_TARGET_DIR:-target}

# The system's Node may be too old for wrangler: the one in node_modules comes first.
PATH="$PWD/node_modules/.bin:$PATH"
export PATH

say() { printf '· %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || die "$2"; }

# progress WHAT COMMAND..: runs a command that has much to say. Shows that it goes on, and what it said only if it fails.
progress() {
  local what=$1 log status=0 start=$SECONDS
  shift
  log=$(mktemp)
  if [ -t 2 ]; then local CARGO_TERM_COLOR=always; export CARGO_TERM_COLOR; fi
  "$@" 2>&1 | tee "$log" | moving "$what" || status=$?
  [ "$status" -eq 0 ] || cat "$log" >&2
  rm -f "$log"
  [ $((SECONDS - start)) -lt 5 ] || say "$what: $((SECONDS - start)) s"
  return "$status"
}

# On a terminal the last line that was said, else a dot for every ten.
moving() {
  local what=$1 line count=0
  while IFS= read -r line; do
    count=$((count + 1))
    if [ -t 2 ]; then
      printf '\r\033[K· %s: %.60s\033[0m' "$what" "$line" >&2
    elif [ $((count % 10)) -eq 0 ]; then
      printf . >&2
    fi
  done
  if [ -t 2 ]; then printf '\r\033[K' >&2; elif [ "$count" -ge 10 ]; then printf '\n' >&2; fi
}

# What took how long. step NAME COMMAND..: runs a command and remembers; a step that fails is `FAILED`, and the others
# still run. report: prints the table, and fails if a step did.
STEPS=
step() {
  local name=$1 start=$SECONDS outcome=ok
  shift
  printf '\n== %s\n' "$name" >&2
  ("$@") || outcome=FAILED
  STEPS="$STEPS$(printf '%6d s  %-6s  %s' $((SECONDS - start)) "$outcome" "$name")
"
}
report() {
  printf '\n%s%6d s          in all\n' "$STEPS" "$SECONDS" >&2
  case "$STEPS" in *FAILED*) return 1 ;; esac
}
