#!/bin/sh
# Writes the lock files: names, versions and hashes of everything a fresh machine installs, for Python 3.11 to 3.13
# on any platform. No index address stands in them, so any mirror serves.
# Pins that still fit are kept; `make lock UPGRADE=1` takes the newest of everything.
set -eu
uv=$1
locks=deploy/locks
upgrade=${UPGRADE:+--upgrade}

compile() {
    name=$1
    shift
    # shellcheck disable=SC2086  # $upgrade is one flag or nothing
    "$uv" pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes $upgrade \
        --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
        pyproject.toml "$@" --output-file "$locks/$name.txt"
    echo "$locks/$name.txt: $(grep -c '==' "$locks/$name.txt") packages"
}

compile runtime-cpu --extra cpu --group build
compile runtime-gpu --extra gpu --group build --constraint "$locks/runtime-cpu.txt"
compile dev --extra cpu --group dev --constraint "$locks/runtime-cpu.txt"
compile train --extra cpu --extra report --extra train --group build --constraint "$locks/runtime-cpu.txt"
# Its one wheel is unpacked by the build hook and never installed, so what it requires is not locked.
"$uv" pip compile --quiet --no-config --no-deps --universal --python-version 3.11 --generate-hashes $upgrade \
    --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
    --group page --output-file "$locks/page.txt"
compile peers --extra cpu --extra report --extra train --group build --group peers --constraint "$locks/train.txt"
