#!/usr/bin/env bash
# Build the Dockerfile, and with --check run it, where there is no Docker daemon and no image registry: debootstrap makes the
# base from Debian's packages, buildah builds on it in a chroot. As root, on Debian or Ubuntu:
#
#   apt-get install buildah debootstrap
#   deploy/build_without_daemon.sh --check
#
# STORE   where everything is kept, a few GB     (default: build/image)
# TAG     the name of the image                  (default: localhost/wallviz:dev)
# SUITE   the Debian release of the base         (default: bookworm)
# MIRROR  where debootstrap gets it              (default: the one of this machine's apt)
# PORT    for --check                            (default: 8661)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
store=$(realpath -m "${STORE:-$root/build/image}")
tag=${TAG:-localhost/wallviz:dev}
suite=${SUITE:-bookworm}
port=${PORT:-8661}
base=localhost/wallviz-base:$suite
certificates=/etc/ssl/certs/ca-certificates.crt

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
die() { say "$*"; exit 1; }
images() { buildah --storage-driver vfs --root "$store/layers" --runroot "$store/run" "$@"; }

[ "$EUID" = 0 ] || die "needs root: debootstrap and chroot do"
for tool in buildah debootstrap; do command -v "$tool" >/dev/null || die "missing: $tool (apt-get install buildah debootstrap)"; done
mkdir -p "$store"

apt_mirror() { # the first binary archive that this machine's apt knows
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | head -n 1
}

make_base() {
  local tree=$store/base working
  say "base: $suite with Python"
  rm -rf "$tree"
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv "$suite" "$tree" ${1:+"$1"} >"$store/debootstrap.log" 2>&1 \
    || die "debootstrap failed: see $store/debootstrap.log"
  # How this machine reaches its package index. It stays in this base, which is for building and testing here, never for publishing.
  if [ -f "$certificates" ]; then cp "$certificates" "$tree$certificates"; fi
  if [ -f /etc/pip.conf ]; then cp /etc/pip.conf "$tree/etc/pip.conf"; fi
  working=$(images from scratch)
  images add --quiet "$working" "$tree" / >/dev/null
  images config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$working"
  images commit --quiet --rm "$working" "$base" >/dev/null
  rm -rf "$tree"
}

build() {
  say "image: $tag"
  images build --isolation chroot --network host --format docker --build-arg "BASE=$base" --tag "$tag" "$root"
  images rmi --prune >/dev/null 2>&1 || true # what the tag named before
}

check() { # start the image's own command as its own user, and ask its own health check
  local description
  description=$(images inspect --type image "$tag")
  working=$(images from "$tag")
  trap 'images rm "$working" >/dev/null' EXIT # not local: this runs after the function
  say "running on port $port"
  images run --isolation chroot --network host --env STREAMLIT_SERVER_PORT="$port" "$working" -- python -c '
import json, os, pathlib, subprocess, sys, time

config = json.loads(sys.argv[1])["Docker"]["config"]
if os.getuid() != 10001 or os.access("/app", os.W_OK):
    sys.exit("should be uid 10001, without the right to change the application")
start = time.monotonic()
with subprocess.Popen(config["Cmd"]) as server:
    try:
        while subprocess.run(config["Healthcheck"]["Test"][1:], stderr=subprocess.DEVNULL).returncode:
            if server.poll() is not None or time.monotonic() > start + 60:
                sys.exit("the server did not become healthy")
            time.sleep(0.2)
        print(f"healthy as uid {os.getuid()} after {time.monotonic() - start:.1f} s")
    finally:
        server.terminate()
        start = time.monotonic()
print(f"stopped in {time.monotonic() - start:.1f} s")
' "$description"
}

if [ -z "$(images images --quiet "$base" 2>/dev/null)" ]; then make_base "${MIRROR:-$(apt_mirror)}"; fi
build
images images
if [ "${1:-}" = --check ]; then check; fi
