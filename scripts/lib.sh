# What the scripts share. Sourced, never run.

# Versions of tools that no manifest names. wasm-bindgen's program and crate must be the same to the letter.
WASM_BINDGEN=$(sed -n 's/^wasm-bindgen = "=\(.*\)"/\1/p' Cargo.toml)
CARGO_DENY=0.20.2

# The system's Node may be too old for wrangler: the one in node_modules comes first.
PATH="$PWD/node_modules/.bin:$PATH"
export PATH

say() { printf '\033[2m· %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || die "$2"; }

# Runs a command quietly, with a dot for every line, and shows what it said only if it fails.
progress() {
  local log status=0; log=$(mktemp)
  "$@" 2>&1 | tee "$log" | awk 'NR % 5 == 0 { printf "." > "/dev/stderr"; fflush("/dev/stderr") }' || status=$?
  [ "$status" -eq 0 ] || cat "$log" >&2
  printf '\n' >&2
  rm -f "$log"
  return "$status"
}

# timed NAME COMMAND..: runs a command and says how long it took.
timed() {
  local name=$1 start=$SECONDS; shift
  "$@"
  say "$name took $((SECONDS - start)) s"
}
