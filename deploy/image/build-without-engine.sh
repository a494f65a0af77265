#!/usr/bin/env bash
# Builds the image where no engine runs and no image registry can be reached: as root, with buildah and
# debootstrap. A bare Debian with Python stands in for the base image, under the base image's name.
#
#   MIRROR       the Debian mirror, default debootstrap's own
#   BUILD_FLAGS  further flags for buildah, such as --volume for pip's settings
#   IMAGE        as in build.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

base=$(sed -n 's/^ARG BASE=//p' "$here/../../Dockerfile")
suite=${base##*-}

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$root" ${MIRROR:+"$MIRROR"}
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  container=$(buildah from scratch)
  buildah copy --quiet "$container" "$root" /
  buildah commit --quiet --rm "$container" "$base"
fi

ENGINE=buildah BUILD_FLAGS="--isolation chroot --pull-never ${BUILD_FLAGS:-}" "$here/build.sh"
